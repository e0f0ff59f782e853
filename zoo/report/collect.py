"""A sweep's results: every trial of the plan with what became of it, and the contrasts that the
report shows.

Reads through `zoo.track.outcome`; parquet is opened only where completions are asked for. A trial
that failed or never ran is in the results like any other: nothing is dropped on the way to a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from zoo.manifest.metrics import TRAIN_METRICS, headline, metrics_of
from zoo.manifest.schema import Experiment
from zoo.manifest.trial import Evaluation, Trial
from zoo.track import outcome, record
from zoo.track.averages import averages, numbers
from zoo.track.outcome import Measured, Outcome
from zoo.track.store import Store

STATES = ("done", "incomplete", "failed", "preempted", "unfinished", "missing")
PER_COMPLETION = (
    "train/reward",
    "train/accuracy",
    "train/box_ratio",
    "train/completions/mean_length",
    "train/completions/clipped_ratio",
)
"""Training metrics that are means over the completions of a round, so that their n is known."""


@dataclass(frozen=True)
class Side:
    """One side of a before-and-after: values by measure, and the evaluations that they were formed
    from.
    """

    values: dict[str, float]
    n: int
    """Responses of each evaluation."""
    scored: int
    """Those of them that the grader could score: the n of an accuracy."""
    sources: tuple[Measured, ...]

    @property
    def problems(self) -> int:
        """Scored problems: responses to one problem say little more than one of them, so an
        interval counts problems."""
        return self.scored // max(m.each for m in self.sources)

    def get(self, measure: str) -> float | None:
        """Value of a measure, or None."""
        return self.values.get(measure)


@dataclass(frozen=True)
class Contrast:
    """Before and after of one trial on one benchmark under one decoding, on the same problems."""

    evaluation: Evaluation
    before: Side | None
    after: Side | None

    @property
    def gain(self) -> float | None:
        """Final less base accuracy (a difference of shares), or None where one side is missing."""
        if self.before is None or self.after is None:
            return None
        before, after = self.before.get("acc"), self.after.get("acc")
        return None if before is None or after is None else after - before


@dataclass(frozen=True)
class Results:
    """All trials of a manifest, in its order."""

    experiment: Experiment
    store: Store
    outcomes: tuple[Outcome, ...]
    headline: tuple[Evaluation, ...]
    """The evaluations that are compared before and after: one a benchmark and decoding."""
    contrasts: dict[tuple[str, str, str], Contrast]
    """(trial id, benchmark, decoding) -> before and after."""

    def contrast(self, found: Outcome, evaluation: Evaluation) -> Contrast:
        """Before and after of a trial on one of the headline's evaluations."""
        return self.contrasts[found.trial.id, evaluation.benchmark.name, evaluation.decoding_name]

    @property
    def axes(self) -> list[str]:
        """Names of the axes, in the manifest's order."""
        return list(dict.fromkeys(axis for o in self.outcomes for axis in o.trial.cell))

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of trials; only states that occur."""
        found = Counter(o.state for o in self.outcomes)
        return {state: found[state] for state in STATES if found[state]}

    @property
    def made_up(self) -> bool:
        """True where any number is simulated or from a rehearsal."""
        return any(o.made_up for o in self.outcomes)

    def values(self, axis: str) -> list[Any]:
        """Values of an axis, in order of appearance."""
        return list(dict.fromkeys(o.trial.cell.get(axis) for o in self.outcomes))


def collect(experiment: Experiment, trials: Iterable[Trial], store: Store) -> Results:
    """Read what became of the trials of a manifest.

    Raises:
        StateError: a journal or record that cannot be read.
    """
    trials = tuple(trials)
    outcomes = tuple(outcome.load(trial, store) for trial in trials)
    compared = headline(experiment, trials)
    contrasts = {
        (found.trial.id, e.benchmark.name, e.decoding_name): _contrast(found, e, store)
        for found in outcomes
        for e in compared
    }
    return Results(experiment, store, outcomes, compared, contrasts)


def _contrast(found: Outcome, evaluation: Evaluation, store: Store) -> Contrast:
    """Base and final numbers of a trial; `final` of the manifest says how the latter are formed."""
    same = {m.round: m for m in found.measured if m.asked == evaluation.asked}
    base, horizon = same.get(0), found.trial.rounds
    last: list[Measured] = []
    if horizon in same:
        rounds = sorted(r for r in same if 0 < r <= horizon)
        last = [same[r] for r in rounds[-_last_k(found.trial.final) :]]
    return Contrast(evaluation, _side([base] if base else [], store), _side(last, store))


def _last_k(final: str) -> int:
    return 1 if final == "last" else int(final.rsplit("-", 1)[1])


def _side(sources: list[Measured], store: Store) -> Side | None:
    """The mean of each measure that all sources have."""
    if not sources:
        return None
    shared = [name for name in sources[0].values if all(name in m.values for m in sources)]
    values = {name: fmean(m.values[name] for m in sources) for name in shared}
    n = min(m.n for m in sources)
    return Side(values, n, n - max(_unscored(m, store) for m in sources), tuple(sources))


def _unscored(measured: Measured, store: Store) -> int:
    """Responses that the grader could not score, as its record says; 0 where that is gone."""
    found = record.read(store.folder("scores", measured.score_id))
    return int((found.metrics.get("unscored") if found else 0) or 0)


def rows(results: Results) -> Iterator[list[Any]]:
    """`results.csv`: a header, then tidy rows of every trial, round and metric."""
    axes, planned = results.axes, metrics_of([found.trial for found in results.outcomes])
    yield ["trial", *axes, "seed", "round", "metric", "value", "n"]
    for found in results.outcomes:
        trial = found.trial
        head = [trial.id, *(trial.cell.get(axis) for axis in axes), trial.seed]
        for round_, metrics in found.rounds.items():
            for name in TRAIN_METRICS:
                if name in metrics:
                    n = trial.batch.completions if name in PER_COMPLETION else None
                    yield [*head, round_, name, metrics[name], n]
        known = numbers(found.measured)
        known |= averages(known, planned)
        for (round_, name), number in sorted(known.items(), key=lambda item: item[0][0]):
            yield [*head, round_, name, number.value, number.n]
