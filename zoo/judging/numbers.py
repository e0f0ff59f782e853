"""The numbers of a study by cell: means with their standard deviation, base models, and the
variance from the choice of problems. Pure, except for scores by problem, which
`zoo.judging.problem_scores` reads on demand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

from zoo.claims.comparisons import TrialOf, cells_of
from zoo.judging.problem_scores import Problems, mean_by_problem, problem_variance
from zoo.judging.values import Key, TrialValues, rise, scale
from zoo.stats.contrasts import StudyCells
from zoo.stats.noise import share_variance
from zoo.trials.metrics import Metric, metrics_of


class Numbers:
    """The numbers of all trials of a study, by cell."""

    def __init__(
        self, results: Sequence[TrialValues], metrics: Mapping[str, Metric] | None = None
    ) -> None:
        self.results = tuple(results)
        self.trials = [found.trial for found in results]
        self.metrics = metrics_of(self.trials) if metrics is None else metrics
        self.cells = cells_of(self.trials)
        self.by_cell: dict[Key, list[TrialValues]] = {}
        """Cell -> its trials, without those that a person set aside."""
        for found in results:
            own = self.by_cell.setdefault(found.key, [])
            if not found.void:
                own.append(found)
        self._studies: dict[tuple[str, bool], StudyCells[Key]] = {}
        self._problems: dict[tuple[Key, str, bool], Problems] = {}

    @cached_property
    def trial_of(self) -> TrialOf:
        """A trial of each cell."""
        return TrialOf(self.trials)

    def looks(self, sizes: Sequence[int]) -> list[Numbers]:
        """The numbers at each look that has trials, the last one included; seeds in ascending
        order."""
        most = 1 + max(trial.seed for trial in self.trials)
        begun = [n for k, n in enumerate(sizes) if k == 0 or sizes[k - 1] < most]
        return [self._seeds_below(n) if n < most else self for n in begun]

    def _seeds_below(self, n: int) -> Numbers:
        kept = [found for found in self.results if found.trial.seed < n]
        return Numbers(kept, self.metrics)

    def counted(self, cell: Key) -> list[TrialValues]:
        """Trials of a cell that a mean is about: those that neither failed nor collapsed."""
        trials = self.by_cell.get(cell, [])
        return [found for found in trials if not (found.failed or found.collapsed)]

    def study(self, name: str, *, trend: bool = False) -> StudyCells[Key]:
        """The cells by a metric: final numbers, or rises of a fitted line."""
        if (name, trend) not in self._studies:
            self._studies[name, trend] = self._study(self.metrics[name], trend)
        return self._studies[name, trend]

    def _study(self, metric: Metric, trend: bool) -> StudyCells[Key]:
        values = {
            cell: [
                value
                for found in self.counted(cell)
                if (value := number(found, metric, trend=trend)) is not None
            ]
            for cell in self.by_cell
        }
        return StudyCells(values, self._known(metric))

    def _known(self, metric: Metric) -> float | None:
        """The variance of a trial where it is known: of checkpoints from elsewhere, which are only
        sampled again; None where trials are trained or it is unknown."""
        if any(trial.trainer != "external" for trial in self.trials):
            return None
        if not metric.series.sampled:
            return 0.0
        if metric.unit != "points":
            return None
        found = [
            variance
            for r in self.results
            if metric.name in r.final
            and (variance := _sampling(r, metric, r.final[metric.name] / 100)) is not None
        ]
        return 100**2 * sum(found) / len(found) if found else None

    def base(self, cell: Key, metric: Metric) -> tuple[float, float | None] | None:
        """The base model's value before a cell's training, and the variance of its measurement
        (None = unknown); None where it was not evaluated."""
        for found in self.by_cell.get(cell, []):
            value = found.series.get(metric.name, {}).get(0)
            if value is None:
                continue
            if not metric.series.sampled:
                return scale(metric) * value, 0.0
            variance = None
            if metric.unit == "points":
                variance = _sampling(found, metric, value, base=True)
            return scale(metric) * value, None if variance is None else 100**2 * variance
        return None

    def over_problems(
        self, weights: Mapping[Key, float], bases: Mapping[Key, float], metric: Metric
    ) -> float | None:
        """Standard error of a sum of cell means, less base models, by the choice of problems: s_d /
        sqrt(n) of each benchmark, d the same sum of a single problem. In the unit of claims; None
        where scores by problem are not stored.

        Args:
            weights: of the cells. bases: of the base models of these cells.
        """
        parts: list[tuple[float, Problems]] = []
        for cell, weight in weights.items():
            parts.append((weight, self._by_problem(cell, metric)))
        for cell, weight in bases.items():
            parts.append((weight, self._by_problem(cell, metric, base=True)))
        square = problem_variance(parts)
        return None if square is None else scale(metric) * math.sqrt(square)

    def _by_problem(self, cell: Key, metric: Metric, *, base: bool = False) -> Problems:
        """The mean of a cell's trials, or of its base model, by problem."""
        at = (cell, metric.name, base)
        if at not in self._problems:
            if base:
                there = (r for r in self.by_cell[cell] if 0 in r.series.get(metric.name, {}))
                counted = list(there)[:1]
            else:
                counted = [r for r in self.counted(cell) if metric.name in r.final]
            found = [r.problems.values(metric, base=base) if r.problems else None for r in counted]
            self._problems[at] = mean_by_problem(found)
        return self._problems[at]


def _sampling(
    found: TrialValues, metric: Metric, share: float, *, base: bool = False
) -> float | None:
    """Variance of a share that sampling alone gives: by its problems where each was sampled several
    times and its scores are stored, else an upper bound from the share; None = unknown."""
    if found.problems is not None:
        variance = found.problems.sampling_variance(metric, base=base)
        if variance is not None:
            return variance
    n = found.responses.get(metric.name)
    return share_variance(share, n, metric.at_once) if n else None


def number(found: TrialValues, metric: Metric, *, trend: bool = False) -> float | None:
    """The number of a trial that a mean is formed of, in the unit of claims."""
    if not trend:
        return found.final.get(metric.name)
    fitted = rise(found.series.get(metric.name, {}), metric.series.rounds)
    return None if fitted is None else scale(metric) * fitted
