"""Shares of trials, and differences between them: exact at any number of trials.

A single share has Clopper and Pearson's interval, or Wilson's where thousands of responses make it
good enough. A difference is tested unconditionally by the score statistic of Farrington and
Manning, its p-value maximised over the unknown rate; the interval inverts that test. Fisher's test
of 3 against 3 trials can never decide, this one can (p = 0.031).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from zoo.stats.quantiles import normal
from zoo.stats.special import beta_share

Z95 = 1.959963984540054
GRID = 401
"""Rates at which the p-value is looked at."""
EXACT_UP_TO = 40
"""Trials a side up to which the power is that of the exact test."""


def wilson(share: float, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval of a binomial share: `share` of `n` trials, 95 % by default; both ends
    within [0, 1].
    """
    if n <= 0:
        return 0.0, 1.0
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def clopper_pearson(x: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of a share, `x` of `n` trials; (0, 1) for n = 0."""
    tail = (1 - level) / 2
    low = _beta_quantile(tail, x, n - x + 1) if x else 0.0
    high = _beta_quantile(1 - tail, x + 1, n - x) if x < n else 1.0
    return low, high


def _beta_quantile(p: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_share(middle, a, b) < p else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Difference:
    """The share of an event among the trials of one arm less that among another's, in percentage
    points: `x1` of `n1` less `x2` of `n2`; both arms have trials."""

    x1: int
    n1: int
    x2: int
    n2: int

    @property
    def value(self) -> float:
        """The difference of the shares, in points."""
        return 100 * (self.x1 / self.n1 - self.x2 / self.n2)

    def above(self, number: float) -> float:
        """One-sided p-value for a true difference above `number` points."""
        return exact_greater(self.x1, self.n1, self.x2, self.n2, number / 100)

    def below(self, number: float) -> float:
        """One-sided p-value for a true difference below `number` points."""
        return exact_greater(self.x2, self.n2, self.x1, self.n1, -number / 100)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The differences, in points, that the test does not reject on either side."""
        error = (1 - level) / 2
        low = _reach(self.x1, self.n1, self.x2, self.n2, error)
        high = -_reach(self.x2, self.n2, self.x1, self.n1, error)
        return 100 * low, 100 * high

    def detectable(self, error: float, miss: float) -> float | None:
        """The true difference that so many trials find, in points; see `detectable_rates`."""
        return detectable_rates(self.n1, self.n2, error, miss)


@lru_cache(maxsize=4096)
def exact_greater(x1: int, n1: int, x2: int, n2: int, difference: float) -> float:
    """One-sided exact p-value of p1 - p2 <= `difference` against more."""
    if difference <= -1 or difference >= 1:
        return 0.0 if difference < -1 else 1.0
    observed = _score(x1 / n1, x2 / n2, n1, n2, difference)
    tail = [_last(x, n1, n2, difference, observed) for x in range(n1 + 1)]
    low, high = max(0.0, -difference), min(1.0, 1 - difference)
    return min(
        1.0,
        max(
            _chance(tail, n1, n2, min(1.0, max(0.0, p2 + difference)), p2)
            for p2 in (low + (high - low) * i / (GRID - 1) for i in range(GRID))
        ),
    )


def _last(x: int, n1: int, n2: int, difference: float, observed: float) -> int:
    """The largest count of the second arm that is as extreme with `x` of the first; -1 for none.
    The statistic falls as the second arm's count rises."""
    low, high = -1, n2
    while low < high:
        middle = (low + high + 1) // 2
        if _score(x / n1, middle / n2, n1, n2, difference) >= observed - 1e-9:
            low = middle
        else:
            high = middle - 1
    return low


def _chance(tail: list[int], n1: int, n2: int, p1: float, p2: float) -> float:
    """Probability of the tables that are as extreme, at these rates."""
    one, up_to = _binomial(n1, p1), [0.0]
    for mass in _binomial(n2, p2):
        up_to.append(up_to[-1] + mass)
    return math.fsum(mass * up_to[last + 1] for mass, last in zip(one, tail, strict=True))


@lru_cache(maxsize=20_000)
def _binomial(n: int, p: float) -> tuple[float, ...]:
    """Probabilities of 0 ... n of n."""
    if p in (0.0, 1.0):
        return tuple(float(x == n * p) for x in range(n + 1))
    odds, log_none = math.log(p) - math.log1p(-p), n * math.log1p(-p)
    return tuple(math.comb(n, x) * math.exp(log_none + x * odds) for x in range(n + 1))


def _score(p1: float, p2: float, n1: int, n2: int, difference: float) -> float:
    """Farrington and Manning's statistic of p1 - p2 = `difference`."""
    gap = p1 - p2 - difference
    q1 = _restricted(p1, p2, n1, n2, difference)
    q2 = min(1.0, max(0.0, q1 - difference))
    variance = q1 * (1 - q1) / n1 + q2 * (1 - q2) / n2
    if variance < 1e-12:
        return 0.0 if abs(gap) < 1e-9 else math.copysign(1e3, gap)
    return gap / math.sqrt(variance)


def _restricted(p1: float, p2: float, n1: int, n2: int, difference: float) -> float:
    """The most likely rate of the first arm where the rates differ by `difference`."""
    ratio = n2 / n1
    a = 1 + ratio
    b = -(1 + ratio + p1 + ratio * p2 + difference * (ratio + 2))
    c = difference * difference + difference * (2 * p1 + ratio + 1) + p1 + ratio * p2
    d = -p1 * difference * (1 + difference)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v) or 1e-12
    angle = (math.pi + math.acos(max(-1.0, min(1.0, v / u**3)))) / 3
    return min(1.0, max(0.0, 2 * u * math.cos(angle) - b / (3 * a)))


@lru_cache(maxsize=1024)
def _reach(x1: int, n1: int, x2: int, n2: int, error: float) -> float:
    """The largest difference that is rejected as too low, to 1e-4; -1 where none is."""
    low, high = -1.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        rejected = exact_greater(x1, n1, x2, n2, middle) <= error
        low, high = (middle, high) if rejected else (low, middle)
    return low


# -- power ----------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def detectable_rates(n1: int, n2: int, error: float, miss: float) -> float | None:
    """The true difference, in points, that `n1` against `n2` trials miss with probability `miss` at
    two-sided `error`, for shares around one half, the worst case: by the exact test, above 40
    trials a side by the normal approximation. None where not even 0 against 100 % is detected."""
    if max(n1, n2) > EXACT_UP_TO:
        n = 2 / (1 / n1 + 1 / n2)
        found = (normal(1 - error / 2) + normal(1 - miss)) * math.sqrt(0.5 / n)
        return 100 * found if found <= 1 else None
    tail = _critical(n1, n2, error / 2)
    low, high = 0.0, 1.0
    if _chance(tail, n1, n2, 1.0, 0.0) < 1 - miss:
        return None
    while high - low > 1e-5:
        middle = (low + high) / 2
        found = _chance(tail, n1, n2, 0.5 + middle / 2, 0.5 - middle / 2)
        low, high = (middle, high) if found < 1 - miss else (low, middle)
    return 100 * high


def _critical(n1: int, n2: int, error: float) -> list[int]:
    """The tables that are rejected at difference 0: for each count of the first arm the largest of
    the second; -1 for none."""
    scores = sorted(
        ((_score(x / n1, y / n2, n1, n2, 0.0), x, y) for x in range(n1 + 1) for y in range(n2 + 1)),
        reverse=True,
    )
    rates = [i / (GRID - 1) for i in range(GRID)]
    one, two = [_binomial(n1, p) for p in rates], [_binomial(n2, p) for p in rates]
    tail, total, i = [-1] * (n1 + 1), [0.0] * GRID, 0
    while i < len(scores) and scores[i][0] > 0:
        same = [row for row in scores[i : i + n1 + n2 + 2] if row[0] > scores[i][0] - 1e-9]
        for _, x, y in same:
            total = [t + a[x] * b[y] for t, a, b in zip(total, one, two, strict=True)]
        if max(total) > error:
            break
        for _, x, y in same:
            tail[x] = max(tail[x], y)
        i += len(same)
    return tail
