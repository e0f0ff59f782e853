"""A sweep's results: every trial of the plan with what became of it, and the contrasts that the
report shows.

Reads through `zoo.runs.outcome`; parquet is opened only where completions are asked for. A trial
that failed or never ran is in the results like any other: nothing is dropped on the way to a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from zoo.judging.answer import Answer, answer
from zoo.manifest.schema import Experiment
from zoo.runs import outcome
from zoo.runs.finals import FinalNumber, all_numbers, final_number, finals, measured_by, numbers
from zoo.runs.outcome import MeasuredEvaluation, Outcome
from zoo.store import record
from zoo.store.run_store import Store
from zoo.trials.metrics import TRAIN_METRICS, final_rounds, headline, last_k
from zoo.trials.trial import Evaluation, Trial

STATES = ("done", "stopped", "incomplete", "failed", "preempted", "unfinished", "missing", "void")
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
    sources: tuple[MeasuredEvaluation, ...]

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
    standing: Mapping[str, str] = field(default_factory=dict[str, str])
    """Claim id -> how it stands in the lock; none = exploratory."""

    @cached_property
    def answer(self) -> Answer:
        """The judged study, as `zoo compare` shows it."""
        said = self.experiment
        return answer(
            self.outcomes, said.claims, self.standing, looks=said.look_sizes, store=self.store
        )

    def contrast(self, found: Outcome, evaluation: Evaluation) -> Contrast:
        """Before and after of a trial on one of the headline's evaluations."""
        return self.contrasts[found.trial.id, evaluation.benchmark.name, evaluation.decoding_name]

    @property
    def axes(self) -> list[str]:
        """Names of the axes, in the manifest's order."""
        return list(dict.fromkeys(axis for o in self.outcomes for axis in o.trial.cell))

    @property
    def seeds(self) -> list[int]:
        """Seeds of the trials, in the manifest's order."""
        return list(dict.fromkeys(o.trial.seed for o in self.outcomes))

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of trials; only states that occur."""
        found = Counter(o.state for o in self.outcomes)
        return {state: found[state] for state in STATES if found[state]}

    @property
    def made_up(self) -> bool:
        """True where any number is simulated or from a rehearsal."""
        return any(o.made_up for o in self.outcomes)

    @property
    def random_weights(self) -> list[str]:
        """Models whose weights were drawn at random."""
        drawn = (o.trial.model.name for o in self.outcomes if o.trial.random_weights)
        return list(dict.fromkeys(drawn))

    def values(self, axis: str) -> list[Any]:
        """Values of an axis, in order of appearance."""
        return list(dict.fromkeys(o.trial.cell.get(axis) for o in self.outcomes))


def collect(
    experiment: Experiment,
    trials: Iterable[Trial],
    store: Store,
    standing: Mapping[str, str] | None = None,
) -> Results:
    """Read what became of the trials of a manifest.

    Args:
        standing: claim id -> how it stands in the lock as it is now.

    Raises:
        StateError: a journal or record that cannot be read.
    """
    trials = tuple(trials)
    outcomes = tuple(outcome.load(trial, store) for trial in trials)
    compared = headline(trials)
    contrasts = {
        (found.trial.id, e.benchmark.name, e.decoding_name): _contrast(found, e, store)
        for found in outcomes
        for e in compared
    }
    return Results(experiment, store, outcomes, compared, contrasts, standing or {})


def _contrast(found: Outcome, evaluation: Evaluation, store: Store) -> Contrast:
    """Base and final numbers of a trial; `final` of the manifest says how the latter are formed."""
    ended, last = found.ended, found.trial.rounds
    rounds = evaluation.ending_at(ended.rounds, last).rounds
    last = final_rounds(rounds, ended.rounds, last_k(ended.final))
    before, after = (_side(found, evaluation, rounds, store) for rounds in ((0,), last))
    return Contrast(evaluation, before, after)


def _side(
    found: Outcome, evaluation: Evaluation, rounds: tuple[int, ...], store: Store
) -> Side | None:
    """The mean over `rounds` of each measure that was measured at all of them."""
    by_round = measured_by(evaluation, found.measured)
    sources = tuple(by_round[round_] for round_ in rounds if round_ in by_round)
    if not sources or len(sources) < len(rounds):
        return None
    known = numbers([evaluation], sources)
    means = {m: final_number(known, evaluation.metric(m), rounds) for m in sources[0].values}
    values = {measure: final.value for measure, final in means.items() if final}
    n = min(m.n for m in sources)
    return Side(values, n, n - max(unscored(m, store) for m in sources), sources)


def unscored(measured: MeasuredEvaluation, store: Store) -> int:
    """Responses that the grader could not score, as its record says; 0 where that is gone."""
    found = record.read(store.folder("scores", measured.score_id))
    return int((found.metrics.get("unscored") if found else 0) or 0)


def rows(results: Results) -> Iterator[list[Any]]:
    """`results.csv`: a header, then tidy rows of every trial, round and metric. `role` says what a
    value counts as: `base`, or `final` of each round whose mean is the final number."""
    axes = results.axes
    yield ["trial", *axes, "seed", "round", "metric", "value", "n", "role"]
    for found in results.outcomes:
        trial = found.trial
        head = [trial.id, *(trial.cell.get(axis) for axis in axes), trial.seed]
        known = _known(found)
        final = finals(found.ended, known)
        for (round_, name), number in known.items():
            role = "base" if round_ == 0 else ""
            if name in final and round_ in final[name].rounds:
                role = "final"
            yield [*head, round_, name, number.value, number.n, role]


def _known(found: Outcome) -> dict[tuple[int, str], FinalNumber]:
    """All numbers of a trial: of training, then of evaluations and averages, by round."""
    trial, known = found.trial, {}
    for round_, metrics in found.rounds.items():
        for name in (name for name in TRAIN_METRICS if name in metrics):
            n = trial.batch.completions if name in PER_COMPLETION else None
            known[round_, name] = FinalNumber(metrics[name], n)
    measured = all_numbers(trial, found.measured)
    return known | dict(sorted(measured.items(), key=lambda item: item[0][0]))
