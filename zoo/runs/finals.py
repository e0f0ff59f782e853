"""Numbers by name: one for each round and metric of a trial, and which of them are final.

The one rule for all code that shows, sends, compares or pools numbers (report, `results.csv`,
MLflow mirror, seed noise). A name refers to one evaluation, so that each number is of the set of
problems and samples in its name; evaluations no longer in the manifest have no name. A final
number is the mean over the last rounds of its metric (`zoo.trials.metrics.final_rounds`), its
base the value at round 0. Reads no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from zoo.runs.outcome import MeasuredEvaluation
from zoo.trials.identity import UNPINNED
from zoo.trials.metrics import Metric, final_rounds, last_k, metrics_of
from zoo.trials.trial import Evaluation, Trial

Key = tuple[int, str]  # round, metric


@dataclass(frozen=True, slots=True)
class FinalNumber:
    """A value, and its number of responses; None where unknown."""

    value: float
    n: int | None


@dataclass(frozen=True, slots=True)
class Final:
    """A metric's final number."""

    value: float
    n: int | None
    """Responses at each of the rounds."""
    rounds: tuple[int, ...]
    """The values that it is the mean of."""


def measured_by(
    evaluation: Evaluation, measured: Iterable[MeasuredEvaluation]
) -> dict[int, MeasuredEvaluation]:
    """Round -> results of an evaluation: the same problems, samples and decoding. Old lines of an
    index have no key, and an unpinned benchmark does not have the key that it was evaluated
    under; there only the names match."""
    same = [m for m in measured if m.asked == evaluation.asked]
    if same and evaluation.digest != UNPINNED:
        key = evaluation.key
        same = [m for m in same if m.key in ("", key)]
    return {m.round: m for m in same}


def numbers(
    evaluations: Iterable[Evaluation], measured: Sequence[MeasuredEvaluation]
) -> dict[Key, FinalNumber]:
    """Results by round and metric, the rounds ascending."""
    found = {
        (round_, evaluation.metric(measure)): FinalNumber(value, m.rests_on(measure))
        for evaluation in evaluations
        for round_, m in measured_by(evaluation, measured).items()
        for measure, value in m.values.items()
    }
    return dict(sorted(found.items(), key=lambda item: item[0][0]))


def averages(known: Mapping[Key, FinalNumber], metrics: Iterable[Metric]) -> dict[Key, FinalNumber]:
    """Plain means over the benchmarks of a schedule (`eval/avgN/...`), at rounds at which all of
    them were evaluated; n is the sum of their responses."""
    rounds = dict.fromkeys(round_ for round_, _ in known)
    found: dict[Key, FinalNumber] = {}
    for metric in metrics:
        for round_ in rounds if len(metric.parts) > 1 else ():
            parts = [known.get((round_, part)) for part in metric.parts]
            there = [part for part in parts if part is not None]
            if len(there) == len(parts):
                n = sum(part.n or 0 for part in there)
                found[round_, metric.name] = FinalNumber(fmean(part.value for part in there), n)
    return found


def all_numbers(trial: Trial, measured: Sequence[MeasuredEvaluation]) -> dict[Key, FinalNumber]:
    """The results of a trial, and their averages over benchmarks."""
    known = numbers(trial.evaluations, measured)
    return known | averages(known, metrics_of([trial]).values())


def training_numbers(rounds: Mapping[int, Mapping[str, float]]) -> dict[Key, FinalNumber]:
    """Training metrics by round and metric."""
    return {
        (round_, name): FinalNumber(value, None)
        for round_, row in rounds.items()
        for name, value in row.items()
    }


def by_metric(known: Mapping[Key, FinalNumber]) -> dict[str, dict[int, float]]:
    """The same numbers as metric -> round -> value, the rounds ascending."""
    found: dict[str, dict[int, float]] = {}
    for (round_, name), number in sorted(known.items()):
        found.setdefault(name, {})[round_] = number.value
    return found


def final_number(
    known: Mapping[Key, FinalNumber], name: str, rounds: Sequence[int]
) -> Final | None:
    """The mean of a metric over `rounds` (`final_rounds`); None where there are none, or one of
    them was not evaluated."""
    found = [known[round_, name] for round_ in rounds if (round_, name) in known]
    if not rounds or len(found) < len(rounds):
        return None
    sizes = [number.n for number in found if number.n is not None]
    n = min(sizes) if len(sizes) == len(found) else None
    return Final(fmean(number.value for number in found), n, tuple(rounds))


def finals(trial: Trial, known: Mapping[Key, FinalNumber]) -> dict[str, Final]:
    """The available final numbers of a trial, by metric. `known` are its numbers."""
    made: dict[str, Final] = {}
    for metric in metrics_of([trial]).values():
        rounds = final_rounds(metric.series.rounds, trial.rounds, last_k(trial.final))
        if (final := final_number(known, metric.name, rounds)) is not None:
            made[metric.name] = final
    return made
