"""Noise of sampling, and the spread between seeds that is assumed before there are any.

Variances are those of shares (0 to 1) unless they say points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

SHARED_POINTS = 0.8
"""Assumed, not measured: standard deviation between seeds that all benchmarks share."""
OWN_POINTS = 10.0
"""Assumed, not measured: times 1 / sqrt(problems), what a benchmark has of its own beside that."""


def sampling_variance(rates: Sequence[float], samples: int) -> float:
    """Variance of a mean over problems that sampling alone gives, on these problems: (1/n^2) sum
    p (1 - p) / (k - 1).

    Args:
        rates: share of right responses of each of n problems, from k `samples` each; k >= 2.
    """
    if samples < 2 or not rates:
        raise ValueError("a variance within problems needs two samples of one problem")
    return sum(p * (1 - p) for p in rates) / (samples - 1) / len(rates) ** 2


def share_variance(share: float, responses: int, at_once: int = 1) -> float:
    """An upper bound of that from the mean alone: p (1 - p) / responses; of pass@k, where k
    responses are looked at once, k times that."""
    return at_once * share * (1 - share) / responses


def assumed_points(problems: Sequence[int], sampling: float = 0.0) -> float:
    """The spread between seeds to plan with while nothing is measured, in points: sd^2 = 0.8^2 +
    the mean benchmark's 10^2 / n + the noise of sampling. Of a mean over benchmarks, what is shared
    stays and the rest averages.

    Args:
        problems: of each benchmark that the metric is a mean over.
        sampling: standard error of the metric by sampling alone, in points.
    """
    own = sum(OWN_POINTS**2 / n for n in problems) / len(problems) ** 2
    return math.sqrt(SHARED_POINTS**2 + own + sampling**2)
