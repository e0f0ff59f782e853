"""Quantiles of the normal and of Student's distribution, without scipy (planning imports none).

Student's: up to 100 degrees of freedom by inverting the finite sums for whole degrees (Abramowitz
and Stegun 26.7.3 and 26.7.4), above by the expansion around the normal quantile (26.7.5). Right to
at least six digits; tested against published tables.
"""

from __future__ import annotations

import math
from functools import cache

EXACT = 100


@cache
def normal(p: float) -> float:
    """The quantile of the standard normal distribution."""
    from statistics import NormalDist  # a plan without claims need not pay for its imports

    return NormalDist().inv_cdf(p)


@cache
def student(p: float, df: int) -> float:
    """The quantile of Student's distribution with `df` degrees of freedom, 0 < p < 1."""
    if p < 0.5:
        return -student(1 - p, df)
    if df > EXACT:
        return _expansion(normal(p), df)
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # the angle to the last bit
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, df) < 2 * p - 1 else (low, middle)
    return math.tan(low) * math.sqrt(df)


def _inside(angle: float, df: int) -> float:
    """P(|T| <= sqrt(df) tan(angle))."""
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = df % 2
    term, total = (cosine if odd else 1.0), 0.0
    for i in range(df // 2):  # one term a power of the cosine: odd powers, or even ones
        total += term
        term *= (
            cosine**2 * (2 * i + 2) / (2 * i + 3) if odd else cosine**2 * (2 * i + 1) / (2 * i + 2)
        )
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def _expansion(z: float, df: int) -> float:
    return (
        z
        + (z**3 + z) / (4 * df)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
    )
