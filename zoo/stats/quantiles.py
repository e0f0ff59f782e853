"""Normal, Student's and chi-square distributions, without scipy (planning imports none).

Degrees of freedom are real numbers, as Satterthwaite's are; infinitely many are the normal
distribution. Right to nine digits; tested against numbers of mpmath and published tables.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

from zoo.stats.special import beta_share, gamma_share

NORMAL_FROM = 1e7
"""Degrees of freedom from which Student's distribution is taken as the normal one."""


@cache
def normal(p: float) -> float:
    """The quantile of the standard normal distribution, 0 < p < 1."""
    from statistics import NormalDist  # a plan without claims need not pay for its imports

    return NormalDist().inv_cdf(p)


def normal_tail(x: float) -> float:
    """P(Z > x) of the standard normal distribution."""
    return math.erfc(x / math.sqrt(2)) / 2


def student_tail(x: float, df: float) -> float:
    """P(T > x) of Student's distribution with `df` > 0 degrees of freedom."""
    if df >= NORMAL_FROM:
        return normal_tail(x)
    if x < 0:
        return 1 - student_tail(-x, df)
    if math.isinf(x):
        return 0.0
    square = x * x
    if square < df:
        return 0.5 - beta_share(square / (df + square), 0.5, df / 2) / 2
    return beta_share(df / (df + square), df / 2, 0.5) / 2


@lru_cache(maxsize=4096)
def student(p: float, df: float) -> float:
    """The quantile of Student's distribution with `df` > 0 degrees of freedom, 0 < p < 1.

    Newton's method on the logarithm of the tail over the logarithm of x, in which the tail is
    concave, so that it converges from anywhere.
    """
    if p < 0.5:
        return -student(1 - p, df)
    if p == 0.5 or df >= NORMAL_FROM:
        return normal(p)
    z = normal(p)
    log_x = math.log(z) + (z * z + 1) / (4 * df) if z * z < 4 * df else math.log(z)
    log_front = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    for _ in range(200):
        x = math.exp(log_x)
        tail = student_tail(x, df)
        density = math.exp(log_front - (df + 1) / 2 * math.log1p(x * x / df))
        step = math.log(tail / (1 - p)) * tail / (x * density)
        log_x += max(-5.0, min(5.0, step))
        if abs(step) < 1e-11:
            break
    return math.exp(log_x)


def chi_square_share(x: float, df: float) -> float:
    """P(X <= x) of the chi-square distribution with `df` > 0 degrees of freedom."""
    return gamma_share(df / 2, x / 2)


@lru_cache(maxsize=1024)
def chi_square(p: float, df: float) -> float:
    """The quantile of the chi-square distribution with `df` > 0 degrees of freedom, 0 < p < 1."""
    low, high = 0.0, df
    while chi_square_share(high, df) < p:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if chi_square_share(middle, df) < p else (low, middle)
    return (low + high) / 2
