"""What claims are judged by: the numbers of each trial by metric, in the unit of claims (percentage
points for shares), and whether the trial collapsed.

A trial collapsed where it crossed a tripwire that the manifest sets for it, or where it stopped
early for a reason that is an outcome (`diverged`): decided by what was fixed before, never by
looking at results. Reads `zoo.runs.outcome` and `zoo.runs.finals`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zoo.judging.problem_scores import ScoreReader, TrialProblems
from zoo.runs.finals import all_numbers, by_metric, finals, training_numbers
from zoo.runs.outcome import Outcome
from zoo.runs.tripwires import crossings
from zoo.trials.grid import Cell
from zoo.trials.metrics import Metric, is_accuracy
from zoo.trials.trial import Trial

Key = tuple[tuple[str, object], ...]
"""A cell by content."""


@dataclass(frozen=True)
class TrialValues:
    """The numbers of one trial."""

    trial: Trial
    ended: bool = True
    """Whether it is over, finished or stopped; nothing is judged before all trials are."""
    failed: bool = False
    """Whether its last launch failed: its number is missing, not 0, and the next sweep tries it
    again."""
    collapsed: bool = False
    void: bool = False
    """Whether a person set it aside: it is in no mean and no comparison."""
    voids: int = 0
    """How often that was so, with lineages that training again replaced."""
    final: Mapping[str, float] = field(default_factory=dict[str, float])
    """Metric -> final number, in the unit of claims."""
    series: Mapping[str, Mapping[int, float]] = field(
        default_factory=dict[str, Mapping[int, float]]
    )
    """Metric -> round -> value, in the metric's own unit; round 0 = the base model."""
    responses: Mapping[str, int] = field(default_factory=dict[str, int])
    """Metric -> responses of one measurement."""
    problems: TrialProblems | None = None
    """Its scores by problem, read on demand; None = not available."""

    @property
    def key(self) -> Key:
        """Its cell."""
        return key(self.trial.cell)


def key(cell: Cell) -> Key:
    """A cell by content, to look it up by."""
    return tuple(cell.items())


def scale(metric: Metric) -> float:
    """Factor from a metric's values to the unit of claims."""
    return 100.0 if metric.unit == "points" else 1.0


def values_of(
    found: Outcome, metrics: Mapping[str, Metric], scores: ScoreReader | None = None
) -> TrialValues:
    """The numbers of a trial, from what became of it. `scores`: of the store that it is in."""
    trial = found.trial
    known = training_numbers(found.rounds) | all_numbers(trial, found.measured)
    series = by_metric(known)
    responses = {name: n.n for (_, name), n in sorted(known.items()) if n.n is not None}
    final = {name: number.value for name, number in finals(found.ended, known).items()}
    if found.lost_its_weights:
        final |= dict.fromkeys(
            filter(is_accuracy, (m.name for m in metrics.values() if m.final)), 0.0
        )
    return TrialValues(
        trial=trial,
        ended=found.state in ("done", "stopped", "void"),
        failed=found.state == "failed",
        collapsed=found.state == "stopped" or bool(crossings(trial, series)),
        void=found.void is not None,
        voids=len(found.voids),
        final={
            name: scale(metrics[name]) * value for name, value in final.items() if name in metrics
        },
        series=series,
        responses=responses,
        problems=TrialProblems(found, scores) if scores else None,
    )


def rise(series: Mapping[int, float], rounds: Sequence[int]) -> float | None:
    """The straight line fitted to all rounds, its last value less its first; None where a round was
    not evaluated."""
    if any(round_ not in series for round_ in rounds):
        return None
    return sum(weight * series[at] for at, weight in rise_weights(rounds).items())


def rise_weights(rounds: Sequence[int]) -> dict[int, float]:
    """Round -> its weight in the rise of a fitted line."""
    mean = sum(rounds) / len(rounds)
    squares = sum((at - mean) ** 2 for at in rounds)
    return {at: (rounds[-1] - rounds[0]) * (at - mean) / squares for at in rounds}
