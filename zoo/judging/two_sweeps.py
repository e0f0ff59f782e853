"""Two sweeps side by side: their cells as those of one study with an axis `sweep`, and the
differences that make their numbers incomparable.

Numbers under another software stack, decoding, grader, set of problems or rule for final numbers
differ for that reason alone, so the caller must allow it explicitly. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from zoo.judging.numbers import Numbers
from zoo.judging.problem_scores import ScoreReader
from zoo.judging.values import TrialValues, values_of
from zoo.runs.finals import measured_by
from zoo.runs.outcome import Outcome
from zoo.store.run_store import Store
from zoo.trials.metrics import Metric, metrics_of
from zoo.trials.trial import Evaluation, Trial

AXIS = "sweep"
Kind = Literal["stacks", "decodings", "graders", "problems", "finals"]


@dataclass(frozen=True)
class ComparedSweep:
    """A sweep of the two, with all its trials."""

    name: str
    outcomes: tuple[Outcome, ...]
    store: Store

    @property
    def trials(self) -> list[Trial]:
        """Its trials."""
        return [found.trial for found in self.outcomes]


@dataclass(frozen=True)
class SweepDifference:
    """What two sweeps differ in that numbers depend on; `one` and `other` as text."""

    kind: Kind
    one: str
    other: str


def common_metrics(sides: Sequence[ComparedSweep]) -> dict[str, Metric]:
    """The metrics that all sweeps have, as the first one defines them."""
    first, *others = [metrics_of(side.trials) for side in sides]
    return {name: m for name, m in first.items() if all(name in other for other in others)}


def differences(one: ComparedSweep, other: ComparedSweep, name: str) -> list[SweepDifference]:
    """Obstacles to comparing two sweeps by a metric that both have."""
    measured = [metrics_of(side.trials)[name].evaluations for side in (one, other)]
    found: list[SweepDifference] = []

    def add(kind: Kind, of: Callable[[ComparedSweep, Sequence[Evaluation]], Iterable[str]]) -> None:
        texts = [
            "; ".join(sorted(set(of(side, evaluations))))
            for side, evaluations in zip((one, other), measured, strict=True)
        ]
        if texts[0] != texts[1] and all(texts):
            found.append(SweepDifference(kind, *texts))

    add("stacks", lambda side, _: _stacks(side))
    add("decodings", lambda _, evaluations: map(_decoding, evaluations))
    add("graders", _graders)
    add("problems", lambda _, evaluations: map(_problems, evaluations))
    add("finals", lambda side, _: {trial.final for trial in side.trials})
    return found


def _stacks(side: ComparedSweep) -> list[str]:
    stacks = (o.record.stack for o in side.outcomes if o.record and o.record.stack)
    return [", ".join(f"{k} {v}" for k, v in sorted(stack.items())) for stack in stacks]


def _decoding(evaluation: Evaluation) -> str:
    said = evaluation.decoding
    text = f"{evaluation.decoding_name}: temperature {said.temperature:g}, top-p {said.top_p:g}"
    return text if said.max_tokens is None else f"{text}, at most {said.max_tokens} tokens"


def _graders(side: ComparedSweep, evaluations: Sequence[Evaluation]) -> set[str]:
    return {
        f"grader {measured.grader}"
        for outcome in side.outcomes
        for evaluation in evaluations
        for measured in measured_by(evaluation, outcome.measured).values()
    }


def _problems(evaluation: Evaluation) -> str:
    which = f"first {evaluation.problems}" if evaluation.problems else "all problems"
    samples = f"{evaluation.samples} sample{'s'[: evaluation.samples != 1]} each"
    return f"{evaluation.benchmark.name} ({evaluation.digest[:10]}), {which}, {samples}"


def joined(
    sides: Sequence[ComparedSweep], metrics: Mapping[str, Metric], *, paired: bool
) -> Numbers:
    """The numbers of several sweeps as those of one study. Cells gain the axis `sweep`; an axis
    that a sweep does not have is None there. `paired`: whether their problems are the same, so that
    scores by problem can be set against each other."""
    axes = dict.fromkeys(a for side in sides for trial in side.trials for a in trial.cell)
    found: list[TrialValues] = []
    for side in sides:
        own, scores = metrics_of(side.trials), ScoreReader(side.store)
        for outcome in side.outcomes:
            values = values_of(outcome, own, scores)
            cell = {AXIS: side.name} | {axis: outcome.trial.cell.get(axis) for axis in axes}
            trial = outcome.trial.model_copy(update={"cell": cell})
            problems = values.problems if paired else None
            found.append(replace(values, trial=trial, problems=problems))
    return Numbers(found, metrics)


def shared(one: ComparedSweep, other: ComparedSweep) -> int:
    """How many trials are the same in both, so that they cannot differ."""
    return len({t.id for t in one.trials} & {t.id for t in other.trials})
