"""Noise of sampling, and the spread between seeds that is assumed before there are any.

Variances are those of shares (0 to 1) unless they say points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

SHARED_POINTS = 0.8
"""Assumed, not measured: standard deviation between seeds that all benchmarks share."""
OWN_POINTS = 10.0
"""Assumed, not measured: noise of a single benchmark, times 1 / sqrt(problems)."""


def sampling_variance(rates: Sequence[float], samples: Sequence[int]) -> float:
    """Variance of the share of right responses that sampling alone gives, on these problems: sum
    k^2 p (1 - p) / (k - 1) over (sum k)^2, which is (1/n^2) sum p (1 - p) / (k - 1) where all k are
    equal.

    Args:
        rates: share of right responses of each of n problems.
        samples: k of each problem, its responses that count; 2 or more.
    """
    if not rates or min(samples) < 2:
        raise ValueError("a variance within problems needs two samples of each problem")
    parts = (k * k * p * (1 - p) / (k - 1) for p, k in zip(rates, samples, strict=True))
    return sum(parts) / sum(samples) ** 2


def share_variance(share: float, responses: int, at_once: int = 1) -> float:
    """An upper bound of that from the mean alone: p (1 - p) / responses; of pass@k, where k
    responses are looked at once, k times that."""
    return at_once * share * (1 - share) / responses


def assumed_points(problems: Sequence[int], sampling: float = 0.0) -> float:
    """Assumed standard deviation between seeds while none is measured, in points: sd^2 = 0.8^2 +
    the mean benchmark's 10^2 / n + the noise of sampling. In a mean over benchmarks the shared part
    stays and the rest averages.

    Args:
        problems: of each benchmark that the metric is a mean over.
        sampling: standard error of the metric by sampling alone, in points.
    """
    own = sum(OWN_POINTS**2 / n for n in problems) / len(problems) ** 2
    return math.sqrt(SHARED_POINTS**2 + own + sampling**2)
