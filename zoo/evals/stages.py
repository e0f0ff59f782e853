"""Sample and grade as stages: each has an id from its own inputs, is done once, and is shared by
all that need it.

The base model's samples (round 0) belong to (model, prompt, stop ids, max response length,
benchmark and subset, decoding, stack), not to a trial: the first trial that needs them samples,
others wait for its lock or reuse them. Samples of a trained policy belong to (train id, lineage,
round, ...); their seed follows from their content and from nothing else, so that equal weights
always get equal samples. Scores belong to (samples, extraction rule, grader version). Where the
responses come from is the caller's: a live engine, a checkpoint, or a simulation.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from zoo.catalog import BenchmarkCard
from zoo.data import Problem, load, render
from zoo.evals.aggregate import measures, repeated
from zoo.evals.cross_check import Auditor, audit_rows, audit_values, box_verdicts
from zoo.evals.depth import response_measures, responses_of
from zoo.grading import GRADER_VERSION, Grader, Item, Result
from zoo.manifest.schema import Decoding
from zoo.store import record as records
from zoo.store.parquet import Columns, read_parquet, write_parquet
from zoo.store.record import Record
from zoo.store.run_store import Store, claim, write_json
from zoo.trials import identity
from zoo.trials.metrics import measure_names
from zoo.trials.trial import Evaluation, Trial


@dataclass(frozen=True, slots=True)
class Generation:
    """One response. `finish` is `stop` (a stop id) or `length` (the max response length)."""

    text: str
    token_ids: list[int]
    finish: str


class Sampler(Protocol):
    """Answers N prompts, one response each, in order; the same seed gives the same responses."""

    def __call__(
        self,
        prompts: list[str],
        problems: list[Problem],
        decoding: Decoding,
        max_tokens: int,
        seed: int,
    ) -> list[Generation]:
        """N responses of at most `max_tokens` tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Measurement:
    """One evaluation at one round: ids of its stages and its numbers, by measure."""

    samples: str
    scores: str
    n: int
    values: dict[str, float | None]
    audited: int = 0
    """Answers that the rate `audit_disagreement` is over."""
    seed_rule: str | None = None
    """How the seed of the samples was derived; None where the samples were not read."""

    def row(self) -> dict[str, Any]:
        """Its fields in a line of a trial's index."""
        ids = {"samples": self.samples, "scores": self.scores, "grader": GRADER_VERSION}
        rule = {} if self.seed_rule is None else {"seed_rule": self.seed_rule}
        return ids | rule | {"n": self.n, "audited": self.audited, "values": self.values}


class Graders:
    """One grader per extraction rule, created at its first use, and the audit of their verdicts.
    Their workers live as long as this.
    """

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self.audit = Auditor()
        self._made: dict[str, Grader] = {}

    def __call__(self, rule: str) -> Grader:
        """The grader of an extraction rule."""
        if rule not in self._made:
            self._made[rule] = Grader(rule, workers=self.workers)
        return self._made[rule]

    def close(self) -> None:
        """End the workers of graders and audit."""
        self.audit.close()
        for grader in self._made.values():
            grader.close()


class Evaluator:
    """Runs a trial's evaluations and stores them. Owns its graders, unless the caller passes some
    (and closes them), and caches the problems that it has read.
    """

    def __init__(
        self,
        store: Store,
        trial: Trial,
        stack: dict[str, str],
        *,
        durable: bool = True,
        graders: Graders | None = None,
    ) -> None:
        self.store, self.trial, self.stack, self.durable = store, trial, stack, durable
        self.lineage = 1
        """The lineage of training that the samples come from."""
        self.launch = 0
        """The launch that continued that lineage; 0 = the one that began it."""
        self.grader, self._own = graders or Graders(), graders is None
        self._problems: dict[str, list[Problem]] = {}

    def close(self) -> None:
        """End the workers of the graders that it owns."""
        if self._own:
            self.grader.close()

    def measure(
        self, evaluation: Evaluation, round_: int, sampler: Callable[[], Sampler]
    ) -> Measurement:
        """Measure one evaluation at one round, or find it measured. `sampler` is called only if
        samples are missing.
        """
        born = self.store.train(self.trial.id).name
        sample_id, payload = sample_identity(
            self.trial, evaluation, round_, self.stack, self.lineage, born, self.launch
        )
        samples, responses = self.store.folder("samples", sample_id), None
        found = _done(samples, round_)
        if found is None:
            with claim(samples):  # another process may have written them meanwhile
                found = _done(samples, round_)
                if found is None:
                    found, responses = self._sample(
                        samples, sample_id, payload, evaluation, round_, sampler()
                    )
        rule, each = evaluation.benchmark.extract, evaluation.samples
        scored = self.score(sample_id, rule, each, round_, responses)
        return replace(scored, seed_rule=found.about.get("seed_rule", ""))

    def score(
        self,
        sample_id: str,
        rule: str,
        each: int,
        round_: int,
        responses: Columns | None = None,
    ) -> Measurement:
        """Grade stored samples (`each` a problem) under an extraction rule, or find them graded.

        Args:
            responses: the samples as stored, by a caller that has just written them; None = read
                them.
        """
        payload = identity.score_payload(sample_id, rule, GRADER_VERSION)
        score_id = f"{sample_id.rsplit('-', 1)[0]}-{identity.digest(payload)}"
        scores = self.store.folder("scores", score_id)
        found = _done(scores, round_)
        if found is None:
            with claim(scores):
                found = _done(scores, round_) or self._grade(
                    scores, score_id, sample_id, payload, each, round_, responses
                )
        values = {name: found.metrics.get(name) for name in measure_names(each)}
        n, audited = (int(found.metrics.get(name) or 0) for name in ("n", "audited"))
        return Measurement(sample_id, score_id, n, values, audited)

    def grade(self, sample_id: str, rule: str) -> list[Result]:
        """Verdicts of stored samples, in their order. Writes nothing.

        Raises:
            StateError: the samples are gone or cannot be read.
        """
        rows = read_parquet(self.store.completions(sample_id), ["gold", "text"])
        return self.grader(rule).grade(_items(rows)).results

    def _sample(
        self,
        folder: Any,
        id_: str,
        payload: dict[str, Any],
        evaluation: Evaluation,
        round_: int,
        sampler: Sampler,
    ) -> tuple[Record, Columns]:
        """Make and store samples; returns their record and the columns that grading reads."""
        started, clock = time.time(), time.monotonic()
        chosen = self._benchmark(evaluation.benchmark)[: evaluation.problems]
        problems = [problem for problem in chosen for _ in range(evaluation.samples)]
        prompts = [render(self.trial.prompt, problem) for problem in problems]
        seed = sampling_seed(payload)
        found = sampler(prompts, problems, evaluation.decoding, payload["max_tokens"], seed)
        rows = {
            "id": [p.id for p in problems],
            "prompt": prompts,
            "gold": [p.answer for p in problems],
            "text": [g.text for g in found],
            "token_ids": [g.token_ids for g in found],
            "finish": [g.finish for g in found],
        }
        about = {
            "policy": self.trial.id if round_ else self.trial.model.name,
            "benchmark": evaluation.benchmark.name,
            "decoding": evaluation.decoding_name,
            "problems": evaluation.problems,
            "samples": evaluation.samples,
            "sampling_seed": seed,
            "seed_rule": SEED_RULE,
        }
        write_json(
            folder / "sample.json", {"identity": payload, "about": about}, durable=self.durable
        )
        stored = write_parquet(self.store.completions(id_), rows)
        record = self._record(
            id_, "sample", round_, payload, {"n": float(len(problems))}, about, started, clock
        )
        records.write(folder, record, durable=self.durable)
        return record, stored

    def _grade(
        self,
        folder: Any,
        id_: str,
        sample_id: str,
        payload: dict[str, Any],
        each: int,
        round_: int,
        rows: Columns | None,
    ) -> Record:
        started, clock = time.time(), time.monotonic()
        if rows is None:
            path = self.store.completions(sample_id)
            rows = read_parquet(path, ["id", "gold", "text", "token_ids", "finish"])
        items = _items(rows)
        results = self.grader(payload["extract"]).grade(items).results
        in_box = box_verdicts(items, results, lambda: self.grader("boxed"))
        table = {
            "id": rows["id"],
            "verdict": [str(r.verdict.value) for r in results],
            "box_verdict": [str(verdict.value) for verdict in in_box],
            "prediction": [r.prediction for r in results],
            "boxed": [r.boxed for r in results],
            "by": [r.by for r in results],
        }
        verdicts = [r.verdict for r in results]
        responses = responses_of(rows, verdicts, table["prediction"])
        lengths = [response.length for response in responses]
        values = measures(verdicts, table["boxed"], lengths, rows["finish"], in_box)
        values |= repeated(verdicts, table["prediction"], each)
        values |= response_measures(responses)
        audited = None if self.trial.simulated else self.grader.audit(results, _seed(payload))
        values |= audit_values(audited)
        about = {"samples": sample_id, "extract": payload["extract"], "grader": GRADER_VERSION}
        write_json(
            folder / "score.json", {"identity": payload, "about": about}, durable=self.durable
        )
        write_parquet(self.store.verdicts(id_), table)
        if audited is not None:
            told = audit_rows(audited, rows["id"])
            write_json(folder / "audit.json", told, durable=self.durable)
        record = self._record(id_, "score", round_, payload, values, about, started, clock)
        records.write(folder, record, durable=self.durable)
        return record

    def _record(
        self,
        id_: str,
        stage: Any,
        round_: int,
        payload: dict[str, Any],
        metrics: dict[str, float | None],
        about: dict[str, Any],
        started: float,
        clock: float,
    ) -> Record:
        return Record(
            form=records.FORM,
            id=id_,
            stage=stage,
            state="done",
            round=round_,
            metrics=metrics,
            stack=self.stack,
            identity=payload,
            simulated=self.trial.simulated,
            rehearsal=self.trial.rehearsal,
            started=started,
            seconds=round(time.monotonic() - clock, 3),
            about=about,
        )

    def _benchmark(self, card: BenchmarkCard) -> list[Problem]:
        if card.name not in self._problems:
            self._problems[card.name] = load(card, self.store.cache)
        return self._problems[card.name]


def _done(folder: Path, round_: int) -> Record | None:
    """The record of a stage that is done; records are written atomically, so it takes no lock."""
    found = records.read(folder)
    return found if found is not None and found.done(round_) else None


def _items(rows: Columns) -> list[Item]:
    return [Item(gold, text) for gold, text in zip(rows["gold"], rows["text"], strict=True)]


def sample_identity(
    trial: Trial,
    evaluation: Evaluation,
    round_: int,
    stack: dict[str, str],
    lineage: int = 1,
    born: str | None = None,
    launch: int = 0,
) -> tuple[str, dict[str, Any]]:
    """Id and payload of the samples of an evaluation at a round. `born`: name of the trial's folder
    (default: its id); `launch`: the launch that continued training after a crash, 0 = none.

    Training again gives another policy (the same bit for bit only on a CPU), so samples of a later
    lineage have other ids than those of the first, and so have samples that a dead launch took
    after the last checkpoint and those of the launch that continued from it.
    """
    born = born or trial.id
    policy: dict[str, Any] = {"train": born} | ({"lineage": lineage} if lineage > 1 else {})
    policy |= {"launch": launch} if launch else {}
    if round_ == 0:
        policy = identity.model_payload(trial.start, trial.base_digest or trial.model_digest)
        policy |= {"simulated": True} if trial.simulated else {}
        policy |= {"rehearsal": True} if trial.rehearsal else {}
    payload = identity.sample_payload(
        policy=policy,
        round_=round_,
        prompt=trial.prompt,
        stop_ids=trial.model.stop_ids,
        max_tokens=evaluation.decoding.max_tokens or trial.cap,
        benchmark_digest=evaluation.digest,
        problems=evaluation.problems,
        samples=evaluation.samples,
        decoding=evaluation.decoding,
        stack=stack,
    )
    mark = "rehearsal." if trial.rehearsal else ""
    who = born.rsplit("-", 1)[0] if round_ else f"{mark}{trial.start.name}"
    slug = f"{who}.r{round_}.{evaluation.benchmark.name}.{evaluation.decoding_name}"
    return f"{slug}-{identity.digest(payload)}", payload


SEED_RULE = "content"
"""How sampling seeds are derived from a payload: rows and samples without this word are older, and
there the seed of a trained policy also depends on lineage, stack and the trial's name."""


def sampling_seed(payload: dict[str, Any]) -> int:
    """The seed of a set of samples: a hash of their payload without the software, the lineage and
    the name of the trial. At round 0 of the whole payload."""
    train = payload["policy"].get("train")
    if train is None:
        return _seed(payload)
    content = {key: value for key, value in payload.items() if key not in ("stack", "policy")}
    return _seed(content | {"train": train.rpartition("-")[2]})


def _seed(payload: dict[str, Any]) -> int:
    """The seed of a stage, from the inputs of its id."""
    return int(identity.digest(payload, 8), 16) % 2**31
