"""Makes a sweep's files as trials leave them, with plausible curves and no training: for tests of
report and mirror.

Files go through `zoo.track`, trials through `zoo.manifest`, so that they have the real shapes.
Everything follows from the arguments.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zoo.catalog import Catalog
from zoo.grading import GRADER_VERSION
from zoo.manifest.load import Manifest, load
from zoo.planning.expand import expand
from zoo.store import journal, record
from zoo.store.record import Record
from zoo.store.run_store import Store, write_json
from zoo.trials.identity import digest
from zoo.trials.metrics import pass_ks
from zoo.trials.trial import Evaluation, Trial

STACK = {"torch": "2.13", "transformers": "5.17", "trl": "1.16", "vllm": "0.31", "compile": "off"}
START = 1_790_000_000.0
SKILL = {"pocket-qwen2": 0.75, "pocket-llama": 0.6, "pocket-mistral": 0.4}
HARDNESS = {"pocket-easy": 1.0, "pocket-medium": 0.8, "pocket-hard": 0.35}


@dataclass
class Sweep:
    """A manifest with its trials and the store that their files are in."""

    manifest: Manifest
    trials: list[Trial]
    store: Store
    hostile: str = ""
    """Text put at the head of every completion."""
    clock: Callable[[Trial, int, int], float] = field(
        default=lambda trial, attempt, round_: START + 1000 * attempt + 4.25 * round_
    )

    @property
    def experiment(self):
        return self.manifest.experiment

    def run(self, trials: Iterable[Trial] | None = None, **changes) -> Sweep:
        """Write the files of finished trials (default: all); returns the sweep."""
        for trial in self.trials if trials is None else trials:
            write_trial(self, trial, **changes)
        return self


def make_sweep(
    folder: Path,
    *,
    models: Iterable[str] = ("pocket-qwen2", "pocket-llama", "pocket-mistral"),
    rewards: Iterable[str] = ("correctness", "box-strict"),
    data: Iterable[str] = ("pocket-easy", "pocket-hard"),
    benchmarks: Iterable[str] = ("pocket-easy", "pocket-hard"),
    seeds: Iterable[int] = (0,),
    rounds: int = 30,
    problems: int = 200,
    samples: int = 1,
    extra: str = "",
    name: str = "made-up",
) -> Sweep:
    """A manifest in `folder` and its trials; nothing has run yet."""
    cards = folder / "cards" / "rewards"
    cards.mkdir(parents=True, exist_ok=True)
    for i, reward in enumerate(rewards):
        said = f"kind: gate\nparams: {{right: {i + 1}}}\n"
        (cards / f"{reward}.yaml").write_text(f"schema: reward/1\nname: {reward}\n{said}")
    path = folder / f"{name}.yaml"
    path.write_text(f"""\
schema: experiment/1
name: {name}
question: Which pocket models gain from zero RL, and what does a strict format reward change?
prediction: Every model gains; a strict box reward costs the weak ones; hard data costs them too.
recipe: pocket
grid:
  model: [{", ".join(models)}]
  reward: [{", ".join(rewards)}]
  data: [{", ".join(data)}]
seeds: [{", ".join(map(str, seeds))}]
rounds: {rounds}
evaluate:
  watch: {{benchmarks: [{", ".join(benchmarks)}], problems: 100, every: 5, decodings: [t1.0]}}
  full:
    benchmarks: [{", ".join(benchmarks)}]
    problems: {problems}
    samples: {samples}
    at: [0, last]
{extra}""")
    manifest = load(path)
    trials = expand(manifest, Catalog(folder / "cards"))
    return Sweep(manifest, trials, Store(folder / "runs"))


def write_trial(
    sweep: Sweep,
    trial: Trial,
    *,
    attempt: int = 1,
    stop_after: int | None = None,
    state: str | None = "done",
    failure_class: str | None = None,
    message: str = "",
) -> None:
    """What one attempt leaves in the store: all rounds, or those up to `stop_after`, and a record
    unless `state` is None.
    """
    folder = sweep.store.train(trial.id)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "trial.json",
        {"trial": trial.model_dump(mode="json"), "run": {"token": "t"}},
        durable=False,
    )
    last = trial.rounds if stop_after is None else stop_after
    for round_ in range(last + 1):
        metrics = {} if round_ == 0 else _train_metrics(trial, round_, attempt)
        for evaluation in trial.evaluations:
            if round_ in evaluation.rounds:
                _evaluate(sweep, trial, evaluation, round_, attempt)
        line = {
            "attempt": attempt,
            "round": round_,
            "time": sweep.clock(trial, attempt, round_),
            "metrics": metrics,
        }
        journal.append(folder / "metrics.jsonl", line)
    with (folder / "log.txt").open("a") as log:
        log.write(f"attempt {attempt}\nround {last} of {trial.rounds}\n{message}\n")
    if state is not None:
        made = Record(
            id=trial.id,
            stage="train",
            state=state,
            round=last,
            attempt=attempt,
            metrics=_train_metrics(trial, last, attempt),
            stack=STACK,
            identity=trial.identity,
            failure_class=failure_class,
            message=message,
            simulated=trial.simulated,
            started=sweep.clock(trial, attempt, 0),
            seconds=4.25 * last,
            about={
                "token": "t",
                "provenance": {"torch": "2.13.0+cpu", "commit": "0" * 40},
                "grader": GRADER_VERSION,
            },
        )
        record.write(folder, made, durable=False)


def _share(trial: Trial, bucket: str, round_: int, decoding: str) -> float:
    """True accuracy of a made-up model: a saturating curve, steeper for the able and the easy."""
    skill = SKILL.get(trial.model.name, 0.5) * HARDNESS.get(bucket, 0.6)
    strict = 0.88 if trial.reward.name == "box-strict" else 1.0
    base = skill * (0.28 if decoding != "t0" else 0.55)
    top = min(0.97, 1.25 * skill * strict)
    return base + (top - base) * (1 - math.exp(-round_ / 9))


def _train_metrics(trial: Trial, round_: int, attempt: int) -> dict[str, float]:
    rng = random.Random(f"{trial.id}/{round_}/{attempt}")
    accuracy = min(
        1.0, max(0.0, _share(trial, trial.data.name, round_, "t1.0") + rng.gauss(0, 0.03))
    )
    box = 1 - 0.5 * math.exp(-round_ / 5)
    length = 24 + 16 * math.exp(-round_ / 6) + rng.gauss(0, 0.8)
    return {
        "train/reward": accuracy - (0.5 * (1 - box) if trial.reward.name == "box-strict" else 0),
        "train/reward_std": 0.4 * math.exp(-round_ / 40),
        "train/accuracy": accuracy,
        "train/box_ratio": box,
        "train/completions/mean_length": length,
        "train/completions/mean_terminated_length": length - 2,
        "train/completions/clipped_ratio": 0.2 * math.exp(-round_ / 4),
        "train/frac_reward_zero_std": min(1.0, 0.1 + round_ / 60),
        "train/entropy": 0.9 * math.exp(-round_ / 25),
        "train/loss": rng.gauss(0, 0.02),
        "train/grad_norm": abs(rng.gauss(0.5, 0.1)),
        "train/sampling/sampling_logp_difference/mean": abs(rng.gauss(2e-5, 1e-6)),
        "train/step_time": 1.9 + rng.random(),
        "train/num_tokens": 128.0 * 40 * round_,
    }


def _evaluate(
    sweep: Sweep, trial: Trial, evaluation: Evaluation, round_: int, attempt: int
) -> None:
    """Write samples, scores and the index line of one evaluation."""
    policy = trial.model.name if round_ == 0 else trial.id
    bench, decoding = evaluation.benchmark.name, evaluation.decoding_name
    key = digest([policy, round_, bench, decoding, evaluation.problems, attempt if round_ else 1])
    sample_id, score_id = (
        f"{bench}.{decoding}.r{round_}-{key}",
        f"simplerl.{bench}.{decoding}.r{round_}-{key}",
    )
    rng = random.Random(key)
    n = evaluation.problems or evaluation.benchmark.n or 500
    share, box = _share(trial, bench, round_, decoding), 1 - 0.5 * math.exp(-round_ / 5)
    rows = [_row(rng, i, share, box, round_, sweep.hostile) for i in range(n)]
    right = sum(row["verdict"] == "correct" for row in rows)
    cut = sum(row["finish"] == "length" for row in rows)
    values = {
        "acc": right / n,
        "acc_boxed": sum(row["verdict"] == "correct" and row["boxed"] for row in rows) / n,
        "box_ratio": sum(row["boxed"] for row in rows) / n,
        "mean_length": sum(len(row["token_ids"]) for row in rows) / n,
        "mean_terminated_length": sum(len(r["token_ids"]) for r in rows if r["finish"] == "stop")
        / max(1, n - cut),
        "clipped_ratio": cut / n,
        "audit_disagreement": 1 / 4,
    }
    if evaluation.samples > 1:
        values |= {f"pass{k}": 1 - (1 - share) ** k for k in pass_ks(evaluation.samples)}
    _write_stages(
        sweep.store,
        sample_id,
        score_id,
        round_,
        rows,
        values | {"n": n, "unscored": 0},
        trial.simulated,
    )
    line = {"attempt": attempt, "round": round_, "benchmark": bench, "decoding": decoding}
    line |= {
        "key": evaluation.key,
        "problems": evaluation.problems,
        "each": evaluation.samples,
        "samples": sample_id,
        "scores": score_id,
        "grader": GRADER_VERSION,
        "n": n,
        "audited": 4,
        "values": values,
    }
    journal.append(sweep.store.train(trial.id) / "evals.jsonl", line)


def _row(
    rng: random.Random, index: int, share: float, box: float, round_: int, hostile: str
) -> dict:
    problem = random.Random(index)
    a, b, c = (problem.randint(2, 19) for _ in range(3))
    gold, right, boxed = a + b * c, rng.random() < share, rng.random() < box
    cut = rng.random() < 0.2 * math.exp(-round_ / 4)
    answer = gold if right else gold + rng.choice((-10, -1, 1, 2, 10))
    end = f"\\boxed{{{answer}}}" if boxed else f"The answer is {answer}."
    text = f" First {b} * {c} = {b * c}.\nThen {a} + {b * c} = {answer}. {end}"
    if cut:
        text = f" {b} * {c} = {b * c}\nQuestion: What is {c} + {a}?\nAnswer: "
        text += f"{c} + {a} = {a + c}\nQuestion: Find"
    return {
        "id": f"p{index:04d}",
        "prompt": f"Question: Compute {a} + {b} * {c}.\nAnswer:",
        "gold": str(gold),
        "text": hostile + text,
        "token_ids": list(range(64 if cut else rng.randint(18, 30))),
        "finish": "length" if cut else "stop",
        "verdict": "correct" if right and not cut else ("no_answer" if cut else "wrong"),
        "prediction": str(answer),
        "boxed": boxed and not cut,
        "by": "simplerl",
    }


def _write_stages(
    store: Store,
    sample_id: str,
    score_id: str,
    round_: int,
    rows: list[dict],
    metrics: dict,
    simulated: bool,
) -> None:
    samples, scores = store.folder("samples", sample_id), store.folder("scores", score_id)
    if (scores / "record.json").exists():
        return
    graded = {
        "stage": "score",
        "sample": sample_id,
        "grader": GRADER_VERSION,
        "extract": "simplerl",
    }
    for folder in (samples, scores):
        folder.mkdir(parents=True, exist_ok=True)
    pick = ("id", "prompt", "gold", "text", "token_ids", "finish")
    pq.write_table(
        pa.Table.from_pylist([{k: r[k] for k in pick} for r in rows]),
        samples / "completions.parquet",
    )
    pick = ("id", "verdict", "prediction", "boxed", "by")
    pq.write_table(
        pa.Table.from_pylist([{k: r[k] for k in pick} for r in rows]), scores / "scores.parquet"
    )
    write_json(
        scores / "score.json",
        {"identity": graded},
    )
    shared = {"round": round_, "stack": STACK, "simulated": simulated, "state": "done"}
    record.write(samples, Record(id=sample_id, stage="sample", **shared), durable=False)
    record.write(
        scores,
        Record(id=score_id, stage="score", metrics=metrics, identity=graded, **shared),
        durable=False,
    )


def four_cells(folder: Path, seeds: tuple[int, ...] = (0, 1, 2), extra: str = "") -> Sweep:
    """Two models x two rewards on easy problems, four rounds; nothing has run."""
    return make_sweep(
        folder,
        models=("pocket-qwen2", "pocket-llama"),
        rewards=("correctness", "box-strict"),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        seeds=seeds,
        rounds=4,
        problems=50,
        extra=extra,
    )
