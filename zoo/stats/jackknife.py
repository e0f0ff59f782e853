"""Intervals of means and ratios over problems, by leaving out one problem at a time.

Responses to one problem are alike, so the problem is the unit. Where the jackknife has nothing to
go by (one problem, or all problems alike) the interval is the exact one of a share of problems:
0 of 30 is not "0 for certain".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.stats.proportions import clopper_pearson
from zoo.stats.quantiles import student


@dataclass(frozen=True, slots=True)
class JackknifeEstimate:
    """A number over `n` problems, with the ends of its interval; None where there is none."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Problems."""

    def row(self) -> dict[str, float | int | None]:
        """As JSON."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


NOTHING = JackknifeEstimate(None, None, None, 0)


def ratio(
    above: Sequence[float],
    below: Sequence[float] | None = None,
    level: float = 0.95,
    *,
    share: bool = True,
) -> JackknifeEstimate:
    """sum(above) / sum(below) over n problems, with the delete-one jackknife's interval under
    Student's distribution of n - 1 degrees of freedom (Efron 1982, chapter 3). `below`: None = one
    each, which makes it a mean and the interval the usual one. `share`: the number is within
    [0, 1], and so is its interval.

    Problems with nothing below count as none.
    """
    bottom = [1.0] * len(above) if below is None else below
    pairs = [(a, b) for a, b in zip(above, bottom, strict=True) if b > 0]
    n, whole = len(pairs), math.fsum(b for _, b in pairs)
    if not n:
        return NOTHING
    top = math.fsum(a for a, _ in pairs)
    value = top / whole
    if n > 1:
        without = [(top - a) / (whole - b) for a, b in pairs]
        mean = math.fsum(without) / n
        variance = (n - 1) / n * math.fsum((x - mean) ** 2 for x in without)
        if variance > 1e-18:
            half = student(0.5 + level / 2, n - 1) * math.sqrt(variance)
            low, high = value - half, value + half
            return (
                JackknifeEstimate(value, max(0.0, low), min(1.0, high), n)
                if share
                else JackknifeEstimate(value, low, high, n)
            )
    if not share:
        return JackknifeEstimate(value, None, None, n)
    low, high = clopper_pearson(round(value * n), n, level)
    return JackknifeEstimate(value, min(low, value), max(high, value), n)
