"""Estimates of differences between cells, with intervals that hold at 3 to 9 seeds a cell.

Welch's t with a variance floor. A cell is the values of its trials. With v_c the sample variance of
cell c, n_c trials, d_c = n_c - 1:

    T    = median over all cells of the study with n_c >= 2 of v_c d_c / median of chi-square(d_c)
    u_c  = max(v_c, T / 2)
    a_c  = w_c^2 u_c / n_c,  SE^2 = sum a_c + B^2
    df   = SE^4 / sum(a_c^2 / d_c)   (Satterthwaite; B^2 is taken as known)
           two cells of unequal n: the smaller d_c in place of Satterthwaite's

So each cell counts with its own variance, but with a floor, since 3 seeds may agree by chance. B^2
is the noise of base models that were evaluated once (`zoo.stats.noise`). The variance between seeds
contains the noise of sampling, so none is added. The caller passes the trials of a cell (and those
that collapsed, which are excluded); they are never inferred from the values.
`tests/bench/statistics.py` measures coverage and error rates.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median
from typing import Generic, TypeVar

from zoo.stats.power import FLOOR, PowerPart, detectable, floored_moments
from zoo.stats.quantiles import chi_square, student, student_tail

K = TypeVar("K", bound=Hashable)
ROUNDING = 1e-9
"""Values that differ by less than this share of their mean are alike: it is no spread."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Mean, sample variance (None for fewer than two trials) and number of the trials of a cell."""

    mean: float
    variance: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Cell:
        """The cell of these values.

        Raises:
            ValueError: no value, or one that is not finite.
        """
        if not values or not all(map(math.isfinite, values)):
            raise ValueError("a cell needs values, all of them finite")
        mean = fmean(values)
        if len(values) < 2:
            return cls(mean, None, 1)
        if max(values) - min(values) <= ROUNDING * abs(mean):
            return cls(mean, 0.0, len(values))
        squares = sum((value - mean) ** 2 for value in values)
        return cls(mean, squares / (len(values) - 1), len(values))


@dataclass(frozen=True)
class Estimate:
    """A weighted sum of cell means. All numbers are in the unit of the values."""

    value: float
    cells: tuple[tuple[float, Cell], ...]
    """(weight, cell) of each cell that has a weight."""
    typical: float | None
    """T, the typical variance between trials of a cell in the study; None = no cell has two."""
    base: float = 0.0
    """B, the standard error of the base models' measurements."""
    known: float | None = None
    """Variance of a single trial where that is known and not estimated (checkpoints from elsewhere,
    which are only sampled again)."""
    problems: float | None = None
    """Standard error by the choice of problems; None = not known. No verdict rests on it."""

    @cached_property
    def judged(self) -> bool:
        """Whether there is a spread to judge it by: two trials or more in each of its cells, and
        not most cells of the study without any."""
        if self.known is not None:
            return True
        return bool(self.typical) and all(cell.n >= 2 for _, cell in self.cells)

    @cached_property
    def _parts(self) -> list[tuple[float, int]]:
        """(a_c, d_c) of each cell."""
        if self.known is not None:
            return [(w * w * self.known / cell.n, 0) for w, cell in self.cells]
        return [(w * w * self._floored(cell) / cell.n, cell.n - 1) for w, cell in self.cells]

    def _floored(self, cell: Cell) -> float:
        assert cell.variance is not None
        assert self.typical is not None
        return max(cell.variance, FLOOR * self.typical)

    @cached_property
    def se(self) -> float | None:
        """Standard error; None where it cannot be judged."""
        if not self.judged:
            return None
        return math.sqrt(sum(a for a, _ in self._parts) + self.base**2)

    @cached_property
    def df(self) -> float:
        """Degrees of freedom; infinite where the variance is known, 0 where it cannot be judged."""
        if not self.judged:
            return 0.0
        seeds = sum(a for a, _ in self._parts)
        if self.known is not None or not seeds:
            return math.inf
        if len(self._parts) == 2 and self.unequal:
            own = float(min(d for _, d in self._parts))
        else:
            own = seeds**2 / sum(a * a / d for a, d in self._parts)
        return own * ((seeds + self.base**2) / seeds) ** 2

    def above(self, number: float) -> float:
        """One-sided p-value for a true effect above `number`; 1 where it cannot be judged."""
        if self.se is None:
            return 1.0
        distance = self.value - number
        if not self.se:
            return 0.0 if distance > 0 else 1.0
        return student_tail(distance / self.se, self.df)

    def below(self, number: float) -> float:
        """One-sided p-value for a true effect below `number`; 1 where it cannot be judged."""
        if self.se is None:
            return 1.0
        distance = number - self.value
        if not self.se:
            return 0.0 if distance > 0 else 1.0
        return student_tail(distance / self.se, self.df)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided confidence interval; the whole line where it cannot be judged."""
        if self.se is None:
            return -math.inf, math.inf
        half = student((1 + level) / 2, self.df) * self.se if self.se else 0.0
        return self.value - half, self.value + half

    def over_problems(self, level: float = 0.95) -> tuple[float, float] | None:
        """The interval for problems in general, of which these are a sample: SE^2 gains s_d^2 / n
        over the paired problems, at the degrees of freedom that the seeds give, so that it is never
        the narrower one. None where it cannot be judged or is not known."""
        if self.problems is None or self.se is None:
            return None
        half = student((1 + level) / 2, self.df) * math.hypot(self.se, self.problems)
        return self.value - half, self.value + half

    def detectable(self, error: float, miss: float) -> float | None:
        """The effect that so many trials detect, from the observed spread and never from the
        observed effect; see `zoo.stats.power`. None where it cannot be judged."""
        if self.se is None:
            return None
        seeds = self.se**2 - self.base**2
        if self.known is not None or seeds <= 0:
            return detectable([], error, miss, known=self.se)
        shape = [PowerPart(w * w / cell.n, cell.n - 1) for w, cell in self.cells]
        raised = sum(part.variance * floored_moments(part.df)[0] for part in shape)
        square = seeds / raised  # a variance between trials that gives this standard error
        parts = [PowerPart(part.variance * square, part.df) for part in shape]
        return detectable(parts, error, miss, known=self.base)

    # -- beside every verdict ---------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Trials that it rests on."""
        return sum(cell.n for _, cell in self.cells)

    @property
    def unequal(self) -> bool:
        """Whether its cells have unequal numbers of trials."""
        return len({cell.n for _, cell in self.cells}) > 1

    @property
    def floored(self) -> int:
        """Cells whose variance was raised to the floor."""
        if not self.judged or self.known is not None:
            return 0
        return sum(self._floored(cell) > (cell.variance or 0.0) for _, cell in self.cells)

    @property
    def spread_ratio(self) -> float | None:
        """Largest standard deviation of its cells over the typical one of the study."""
        if not self.judged or not self.typical:
            return None
        return math.sqrt(max(cell.variance or 0.0 for _, cell in self.cells) / self.typical)

    @property
    def largest_share(self) -> float | None:
        """Share of the squared standard error that the noisiest cell brings in."""
        if not self.se:
            return None
        return max(a for a, _ in self._parts) / self.se**2


class StudyCells(Generic[K]):
    """All cells of a study: the values of the trials that count, by cell. `known`: the variance of
    a trial where it is known (see `Estimate.known`)."""

    def __init__(self, values: Mapping[K, Sequence[float]], known: float | None = None) -> None:
        self.cells = {key: Cell.of(found) for key, found in values.items() if found}
        self.known = known

    @cached_property
    def typical(self) -> float | None:
        """Median over cells of their variances, each corrected to be median-unbiased for normal
        values."""
        found = [
            cell.variance * (cell.n - 1) / chi_square(0.5, cell.n - 1)
            for cell in self.cells.values()
            if cell.variance is not None
        ]
        return median(found) if found else None

    def estimate(
        self,
        weights: Mapping[K, float],
        *,
        offset: float = 0.0,
        base: float = 0.0,
        problems: float | None = None,
    ) -> Estimate | None:
        """`sum(weight x cell mean) + offset`; None where a cell has no trial that counts.

        Args:
            offset: added to the sum, such as the base models' weighted values.
            base: standard error of that.
            problems: standard error by the choice of problems, if known.
        """
        if any(key not in self.cells for key, weight in weights.items() if weight):
            return None
        used = tuple((weight, self.cells[key]) for key, weight in weights.items() if weight)
        value = sum(weight * cell.mean for weight, cell in used) + offset
        return Estimate(value, used, self.typical, base, self.known, problems)


def cell_interval(study: StudyCells[K], key: K, level: float = 0.95) -> tuple[float, float] | None:
    """Confidence interval of a single cell's mean; None where it cannot be judged."""
    found = study.estimate({key: 1.0})
    return found.interval(level) if found is not None and found.judged else None
