"""Scores by problem: of a trial's final number, and of its base model.

They give two values that a mean does not: its sampling noise, and its uncertainty for other
problems of the same kind. Reads the stored verdicts, only on
demand; a set of scores that several trials share is read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean, variance

from zoo.grading import Verdict
from zoo.runs.finals import measured_by
from zoo.runs.outcome import MeasuredEvaluation, Outcome
from zoo.stats.noise import sampling_variance
from zoo.stats.samples import pass_at
from zoo.store.parquet import read_known
from zoo.store.run_store import Store
from zoo.trials.metrics import Metric, final_rounds, last_k, measure_of

Counts = list[tuple[int, int]]
"""Of each problem: right responses, and those that count."""
Problems = list[list[float | None]] | None
"""Of each benchmark that a metric is a mean over: a value a problem, None for one without a scored
response. None = not stored."""
READ_AT_ONCE = 256
CORRECT = Verdict.CORRECT.value
SCORED = {verdict.value for verdict in Verdict if verdict.scored}
COLUMNS = {"acc_boxed": ("verdict", "box_verdict"), "box_ratio": ("boxed",)}


class ScoreReader:
    """Reads verdicts of a store; the last few sets are cached."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.counts = lru_cache(maxsize=READ_AT_ONCE)(self._counts)

    def _counts(self, score_id: str, each: int, measure: str) -> Counts | None:
        """The counts of a set of scores; None where the file is gone or older than the metric."""
        path = self.store.verdicts(score_id)
        if not path.is_file():
            return None
        names = COLUMNS.get(measure, ("verdict",))
        columns = read_known(path, names)
        if len(columns) < len(names):
            return None
        rows = list(zip(*(columns[name] for name in names), strict=True))
        found: Counts = []
        for start in range(0, len(rows), each):
            marks = [_mark(row, measure) for row in rows[start : start + each]]
            counted = [mark for mark in marks if mark is not None]
            found.append((sum(counted), len(counted)))
        return found


def _mark(row: tuple[object, ...], measure: str) -> bool | None:
    """Whether a response counts as right; None where it is not scored."""
    if measure == "box_ratio":
        return bool(row[0])
    return row[-1] == CORRECT if SCORED.issuperset(row) else None


@dataclass(frozen=True, slots=True)
class TrialProblems:
    """The scores of one trial by problem."""

    found: Outcome
    reader: ScoreReader = field(compare=False)

    def values(self, metric: Metric, *, base: bool = False) -> Problems:
        """Of each benchmark the value of each problem: the mean over the rounds of the final
        number, or that of the base model."""
        parts: list[list[float | None]] = []
        for counts in self._counts(metric, base=base) or ():
            by_round = [[_value(metric, *one) for one in counted] for counted in counts]
            if len({len(values) for values in by_round}) != 1:
                return None
            parts.append([_mean(values) for values in zip(*by_round, strict=True)])
        return parts or None

    def sampling_variance(self, metric: Metric, *, base: bool = False) -> float | None:
        """Variance of the metric's value, a share, that sampling alone gives; None where it is no
        mean over single responses, or a problem has fewer than two that count."""
        measured = self._counts(metric, base=base)
        if metric.at_once != 1 or measured is None:
            return None
        total = 0.0
        for counts in measured:
            if any(n < 2 for counted in counts for _, n in counted):
                return None
            found = [
                sampling_variance([right / n for right, n in counted], [n for _, n in counted])
                for counted in counts
            ]
            total += fmean(found) / len(found)
        return total / len(measured) ** 2

    def _counts(self, metric: Metric, *, base: bool) -> list[list[Counts]] | None:
        """Of each benchmark, of each round: the counts by problem."""
        if not _by_response(metric):
            return None
        trial = self.found.ended
        rounds: Sequence[int] = (0,)
        if not base:
            rounds = final_rounds(metric.series.rounds, trial.rounds, last_k(trial.final))
        parts: list[list[Counts]] = []
        for evaluation, name in zip(metric.evaluations, metric.parts, strict=True):
            by_round = measured_by(evaluation, self.found.measured)
            found = [self._read(by_round.get(round_), measure_of(name)) for round_ in rounds]
            there = [counts for counts in found if counts]
            if not there or len(there) < len(found):
                return None
            parts.append(there)
        return parts

    def _read(self, measured: MeasuredEvaluation | None, measure: str) -> Counts | None:
        if measured is None:
            return None
        measure = measure if measure in COLUMNS else "acc"
        return self.reader.counts(measured.score_id, measured.each, measure)


def _by_response(metric: Metric) -> bool:
    """Whether a metric follows from which responses are right: not lengths, and no votes."""
    measure = measure_of(metric.name)
    known = measure in ("acc", "acc_boxed", "box_ratio")
    return bool(metric.evaluations) and (known or measure.startswith(("avg", "pass")))


def _value(metric: Metric, right: int, n: int) -> float | None:
    if not n:
        return None
    if measure_of(metric.name).startswith("pass"):
        return pass_at(metric.at_once, n, right)
    return right / n


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def mean_by_problem(found: Sequence[Problems]) -> Problems:
    """The mean over trials of each problem of each benchmark; None where a trial has none stored,
    or another number of problems."""
    there = [parts for parts in found if parts is not None]
    sizes = {tuple(map(len, parts)) for parts in there}
    if len(there) < len(found) or len(sizes) != 1:
        return None
    return [[_mean(same) for same in zip(*part, strict=True)] for part in zip(*there, strict=True)]


def problem_variance(parts: Sequence[tuple[float, Problems]]) -> float | None:
    """Variance of a weighted sum of means over problems by the choice of these: s_d^2 / n of the
    sums d of each problem, of a mean over N benchmarks the sum of theirs over N^2. Problems that a
    side did not score are left out. None where a side has no scores by problem, or a
    benchmark fewer than two problems."""
    weights = [weight for weight, _ in parts]
    sides = [found for _, found in parts if found is not None]
    if not parts or len(sides) < len(parts) or len({tuple(map(len, side)) for side in sides}) != 1:
        return None
    total = 0.0
    for benchmark in zip(*sides, strict=True):
        whole = (values for values in zip(*benchmark, strict=True) if None not in values)
        sums = [
            sum(w * (v or 0.0) for w, v in zip(weights, values, strict=True)) for values in whole
        ]
        if len(sums) < 2:
            return None
        total += variance(sums) / len(sums)
    return total / len(sides[0]) ** 2
