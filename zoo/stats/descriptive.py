"""Descriptions that go with no verdict: interquartile mean, probability of improvement."""

from __future__ import annotations

import math
from collections.abc import Sequence


def interquartile_mean(values: Sequence[float]) -> float:
    """The mean of the middle half of the values; the values at its edges count in part, so that it
    is the middle half of any number of them."""
    if not values:
        raise ValueError("no values")
    ordered, n = sorted(values), len(values)
    low, high = n / 4, 3 * n / 4
    weights = [max(0.0, min(i + 1, high) - max(i, low)) for i in range(n)]
    return math.fsum(w * v for w, v in zip(weights, ordered, strict=True)) / (n / 2)


def probability_of_improvement(one: Sequence[float], other: Sequence[float]) -> float:
    """The share of pairs of trials, one of each arm, in which the first is larger; ties count
    half."""
    if not one or not other:
        raise ValueError("no values")
    wins = sum((a > b) + (a == b) / 2 for a in one for b in other)
    return wins / (len(one) * len(other))
