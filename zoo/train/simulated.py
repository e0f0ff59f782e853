"""The simulated trainer: the same trial.json, files, order and exit states as the real one, no
torch; its numbers are synthetic, from the trial's seed and cell.

For tests of orchestration and reports, and to rehearse a manifest. The trainer is part of a trial's
id and every record says `simulated`, so its numbers cannot be mistaken for real ones.

`ZOO_SIMULATE` makes trials misbehave, for tests: a comma-separated list of `sleep:SECONDS` (each
round takes that long), `fail:ROUND` (raises), `config:ROUND`, `data:ROUND`, `reward:ROUND` (raise
with that failure class), `diverge:ROUND` (its loss is no number), `hang:ROUND`
(waits for ever), `deaf:ROUND` (waits for ever and ignores SIGTERM), `kill:ROUND` (SIGKILLs itself),
`lose:RANK` (another process than the first SIGKILLs itself, of a trial that has several),
`oom:MICRO` (no memory in round 2 for forward passes of more than MICRO completions), each with an
optional `@TEXT`: only trials whose id contains TEXT. `fail:3@pocket-llama,sleep:0.01`.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from zoo.data import Problem, load, render
from zoo.errors import FailureClass, InputError, TrialError
from zoo.evals.stages import Generation, Sampler
from zoo.grading import Result, Verdict
from zoo.manifest.schema import Decoding
from zoo.resources import place
from zoo.rewards.base import Completion, group_seed
from zoo.rewards.guard import Guard
from zoo.rewards.lookup import reward_of
from zoo.rewards.stats import Ending, batch_stats, response_stats
from zoo.runs.due import Due
from zoo.train.endings import Stopped
from zoo.train.session import Session
from zoo.trials.identity import digest
from zoo.trials.metrics import KL_BASE_POLICY, PHASES, watched_rounds
from zoo.trials.trial import Trial

VARIABLE = "ZOO_SIMULATE"
STATE = "simulated.json"
WORDS = ("sleep", "diverge", "hang", "deaf", "kill", "lose", "oom")
FAILURES = {
    "fail": FailureClass.ERROR,
    "config": FailureClass.CONFIG,
    "data": FailureClass.DATA,
    "reward": FailureClass.REWARD,
}
"""Words that raise, and with which failure class."""
HARDNESS = {"easy": 0.0, "medium": 0.25, "hard": 0.6}


def train(session: Session) -> None:
    """Run a trial without training anything."""
    session.phase("loading")
    resumed = session.begin()
    misbehave = Misbehaviour(os.environ.get(VARIABLE, ""), session.trial.id)
    micro = place(session.trial, session.job.profile).micro_batch
    problems = load(session.trial.data, session.job.store.cache)
    order = random.Random(session.trial.seed)
    reward = reward_of(session.trial.reward, session.trial.batch.completions)
    session.saves.account(reward)
    tokens = 0.0
    if resumed is None:
        session.log_round(0, {})
        session.evaluate(0, lambda: _policy(session, 0))
    else:
        tokens = _restore(resumed.folder, order)
    first = resumed.round + 1 if resumed else 1
    session.train_rounds()
    for round_ in range(first, session.trial.rounds + 1):
        misbehave.at(round_, micro)
        chosen = order.choices(problems, k=session.trial.batch.prompts)
        metrics = _round(session, reward, round_, chosen)
        tokens = metrics["train/num_tokens"] = tokens + metrics["train/num_tokens"]
        ending = session.close_round(
            round_,
            metrics,
            lambda at=round_: _policy(session, at),
            _keep,
            partial(_save, order=order, tokens=tokens),
        )
        if ending is not None:
            raise ending


def follow(trial: Trial, rank: int) -> None:
    """What another process than the first does: nothing, until it is ended."""
    misbehave = Misbehaviour(os.environ.get(VARIABLE, ""), trial.id)
    if ("lose", rank) in misbehave.wanted:
        print(f"process {rank} exits, as set in {VARIABLE}", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def measure(session: Session, missing: list[Due]) -> None:
    """Run evaluations that were added after training, where a real trial would have weights."""
    for evaluation, round_ in missing:
        session.evaluate_one(evaluation, round_, lambda at=round_: _policy(session, at))


def _keep(folder: Path) -> None:
    (folder / "SIMULATED").write_text("No weights: this trial was simulated.\n")


def _save(folder: Path, *, order: random.Random, tokens: float) -> None:
    """The training state of a simulated trial: its generator and a running sum."""
    _keep(folder)
    state = {"order": order.getstate(), "tokens": tokens}
    (folder / STATE).write_text(json.dumps(state), encoding="utf-8")


def _restore(folder: Path, order: random.Random) -> float:
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    version, numbers, gauss = state["order"]
    order.setstate((version, tuple(numbers), gauss))
    return state["tokens"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A synthetic policy at one round: chances of a right, a boxed and a cut answer, and a mean
    length in tokens."""

    right: float
    boxed: float
    cut: float
    length: float

    def answer(self, problem: Problem, cap: int, sharpen: float, rng: random.Random) -> Generation:
        """One response; `sharpen` (0 to 1) is how much of the chance of an error greedy decoding
        takes away."""
        if rng.random() < self.cut * (1 - sharpen / 2):
            text = " Let us go on and on: " + "and then again, " * 3
            return Generation(text, [7] * cap, "length")
        hardness = HARDNESS.get(problem.level, 0.3)
        right = self.right * (1 - hardness)
        right += sharpen * 0.5 * right * (1 - right)
        value = problem.answer if rng.random() < right else _wrong(problem.answer, rng)
        tokens = max(4, min(cap - 1, round(rng.gauss(self.length, self.length / 6))))
        end = f"\\boxed{{{value}}}" if rng.random() < self.boxed else f"The answer is {value}."
        return Generation(f" Step by step, this is {value}. {end}", [7] * tokens, "stop")


def policy_at(trial: Trial, round_: int) -> Policy:
    """The synthetic policy of a trial after `round_` rounds. At round 0 it is a function of the
    model alone."""
    skill = _unit("skill", trial.model.name)
    base = Policy(
        right=0.08 + 0.2 * skill,
        boxed=0.35 + 0.3 * _unit("box", trial.model.name),
        cut=0.1 + 0.15 * _unit("cut", trial.model.name),
        length=0.35 * trial.cap,
    )
    if round_ == 0:
        return base
    label, box = _pull(trial)
    level = trial.data.pocket.level if trial.data.pocket else "medium"
    luck = random.Random(digest(trial.identity)).gauss(0, 0.02)
    speed = (3 + 4 * (1 - skill)) * (1 + HARDNESS[level])
    done = 1 - math.exp(-round_ / speed)
    top = 0.55 + 0.4 * skill - 0.3 * HARDNESS[level] + luck
    return Policy(
        right=_share(base.right + label * (top - base.right) * done),
        boxed=_share(base.boxed + box * (0.99 - base.boxed) * (1 - math.exp(-round_ / 4))),
        cut=_share(base.cut * (1 - 0.95 * done * max(label, box))),
        length=base.length * (1 + 0.35 * done * (label + HARDNESS[level])),
    )


def _pull(trial: Trial) -> tuple[float, float]:
    """How strongly a reward pulls towards right answers and towards boxes, about 0 to 1."""
    p = trial.reward.params
    if trial.reward.kind == "matrix":
        right, plain = p.get("right_boxed", 1.0), p.get("right_plain", 1.0)
        wrong = p.get("wrong_boxed", 0.0)
        rigid = max(0.0, right - plain) / 2
        return min(1.0, (right - wrong) * (1 - 0.25 * rigid)), 0.3 + 0.7 * min(1.0, rigid * 2)
    kinds = {"inverted": (-0.5, 0.1), "format_only": (0.1, 1.0), "majority": (0.7, 0.3)}
    return kinds.get(trial.reward.kind, (0.05, 0.1))


def _policy(session: Session, round_: int) -> Sampler:
    return sampler_at(session.trial, round_)


def sampler_at(trial: Trial, round_: int) -> Sampler:
    """A sampler of a trial's policy after `round_`."""
    policy = policy_at(trial, round_)

    def sample(
        prompts: list[str],
        problems: list[Problem],
        decoding: Decoding,
        max_tokens: int,
        seed: int,
    ) -> list[Generation]:
        rng = random.Random(seed)
        sharpen = max(0.0, 1 - decoding.temperature)
        return [policy.answer(problem, max_tokens, sharpen, rng) for problem in problems]

    return sample


def _round(
    session: Session, reward: Guard, round_: int, problems: list[Problem]
) -> dict[str, float]:
    """One round of P prompts x G completions: rewards by the real function, rollouts stored,
    metrics under TRL's names."""
    trial = session.trial
    seed = f"{trial.id.rpartition('-')[2]}/{round_}"
    rng, policy = random.Random(seed), policy_at(trial, round_ - 1)
    rows: dict[str, list[Any]] = {name: [] for name in ROLLOUT_COLUMNS}
    flat, faults = 0, reward.faults
    results: list[list[Result]] = []
    rewards: list[list[float | None]] = []
    for group, problem in enumerate(problems):
        size = trial.batch.num_generations
        made = [policy.answer(problem, trial.cap, 0.0, rng) for _ in range(size)]
        verdicts = [_verdict(problem, generation) for generation in made]
        completions = [
            Completion(g.text, "\\boxed" in g.text, len(g.token_ids), g.finish) for g in made
        ]
        drawn = group_seed(trial.seed, round_, group)
        values = reward(verdicts, completions, drawn, f"{round_}/{group}")
        flat += len(set(values)) == 1
        results.append([_result(problem, *pair) for pair in zip(made, verdicts, strict=True)])
        rewards.append(values)
        rows["id"] += [problem.id] * size
        rows["prompt"] += [render(trial.prompt, problem)] * size
        rows["gold"] += [problem.answer] * size
        rows["text"] += [g.text for g in made]
        rows["token_ids"] += [g.token_ids for g in made]
        rows["verdict"] += [str(v.value) for v in verdicts]
        rows["reward"] += values
        rows["finish"] += [g.finish for g in made]
        rows["round"] += [round_] * size
        rows["group"] += [group] * size
    session.write_rollouts(round_, rows)
    reward.check()
    metrics = _metrics(rows, round_, flat / len(problems), rng)
    graded = batch_stats(results, rewards, [problem.level or None for problem in problems])
    endings = [_ENDINGS[finish] for finish in rows["finish"]]
    lengths = [len(ids) for ids in rows["token_ids"]]
    graded |= response_stats([r.verdict for group in results for r in group], lengths, endings)
    metrics |= {f"train/{name}": value for name, value in graded.items()}
    if round_ in watched_rounds(trial.evaluations):
        metrics[KL_BASE_POLICY] = 0.4 * (1 - math.exp(-round_ / 20)) + abs(rng.gauss(0, 0.002))
    return metrics | {"train/grade/reward_faults": float(reward.faults - faults)}


_ENDINGS: dict[str, Ending] = {"stop": "end_token", "length": "length"}


def _result(problem: Problem, generation: Generation, verdict: Verdict) -> Result:
    """A verdict as the grader would give it."""
    boxed = "\\boxed" in generation.text
    return Result(verdict, problem.answer, None, boxed, "text", 0.0)


ROLLOUT_COLUMNS = (
    *("id", "prompt", "gold", "text", "token_ids"),
    *("verdict", "reward", "finish", "round", "group"),
)


def _metrics(
    rows: dict[str, list[Any]], round_: int, flat: float, rng: random.Random
) -> dict[str, float]:
    """Metrics of a round under TRL's names and ours."""
    rewards = [reward for reward in rows["reward"] if reward is not None]
    lengths = [len(ids) for ids in rows["token_ids"]]
    ended = [n for n, end in zip(lengths, rows["finish"], strict=True) if end == "stop"]
    n = len(lengths)
    mean = sum(rewards) / max(len(rewards), 1)
    return {
        "train/reward": mean,
        "train/reward_std": math.sqrt(sum((r - mean) ** 2 for r in rewards) / max(len(rewards), 1)),
        "train/accuracy": rows["verdict"].count(Verdict.CORRECT.value) / n,
        "train/box_ratio": sum("\\boxed" in text for text in rows["text"]) / n,
        "train/completions/mean_length": sum(lengths) / n,
        "train/completions/clipped_ratio": 1 - len(ended) / n,
        "train/completions/mean_terminated_length": sum(ended) / max(len(ended), 1),
        "train/frac_reward_zero_std": flat,
        "train/entropy": 1.2 * math.exp(-round_ / 40),
        "train/loss": rng.gauss(0.0, 0.01),
        "train/grad_norm": abs(rng.gauss(0.5, 0.1)),
        "train/sampling/sampling_logp_difference/mean": abs(rng.gauss(2e-5, 1e-6)),
        "train/sampling/importance_sampling_ratio/frac_clipped": abs(rng.gauss(0.02, 0.005)),
        "train/sampling/importance_sampling_ratio/frac_masked": 0.0,
        "train/step_time": 0.001,
        "train/tokens_per_second": sum(lengths) / 0.001,
        "train/peak_memory": 0.0,
        **{f"train/{phase}_time": 0.0 for phase in PHASES},
        "train/num_tokens": float(sum(lengths)),
    }


class Misbehaviour:
    """The faults that `ZOO_SIMULATE` sets for one trial."""

    def __init__(self, text: str, trial_id: str) -> None:
        self.wanted: list[tuple[str, float]] = []
        for entry in filter(None, text.split(",")):
            what, _, only = entry.partition("@")
            word, _, value = what.partition(":")
            if word not in (*FAILURES, *WORDS):
                raise InputError(f"{VARIABLE}: unknown word '{word}' in '{text}'")
            if only in trial_id:
                self.wanted.append((word, float(value)))

    def at(self, round_: int, micro: int) -> None:
        """Inject the requested faults at the start of a round with forward passes of `micro`
        completions."""
        for word, value in self.wanted:
            if word == "sleep":
                time.sleep(value)
            elif word == "oom" and round_ == 2 and micro > value:
                raise MemoryError(f"round 2: no memory for {micro} completions")
            elif value != round_ or word in ("lose", "oom"):
                continue
            elif word in FAILURES:
                raise TrialError(FAILURES[word], f"round {round_}: failed, as set in {VARIABLE}")
            elif word == "diverge":
                raise Stopped("diverged", f"round {round_}, update 1 of 1: loss is nan")
            elif word == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                if word == "deaf":
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    time.sleep(60)


def _verdict(problem: Problem, generation: Generation) -> Verdict:
    if generation.finish == "length":
        return Verdict.NO_ANSWER
    right = f" this is {problem.answer}. " in generation.text
    return Verdict.CORRECT if right else Verdict.WRONG


def _wrong(answer: str, rng: random.Random) -> str:
    """A wrong answer of the same kind."""
    try:
        return str(int(answer) + rng.choice((-10, -2, -1, 1, 2, 10)))
    except ValueError:
        return "-17" if answer != "-17" else "17"


def _unit(*parts: str) -> float:
    """A number from 0 to 1 that follows from a name."""
    return int(digest(list(parts), 8), 16) / 16**8


def _share(value: float) -> float:
    return min(0.99, max(0.01, value))
