"""Regularised incomplete beta and gamma functions, to some twelve digits.

Series and continued fractions (Lentz's method) as in Abramowitz and Stegun 6.5 and 26.5. Tested
against mpmath.
"""

from __future__ import annotations

import math
from collections.abc import Callable

EPSILON, TINY, MOST_TERMS = 1e-15, 1e-300, 100_000


def beta_share(x: float, a: float, b: float) -> float:
    """I_x(a, b), the distribution function of the beta distribution; 0 <= x <= 1, a, b > 0."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log1p(-x))
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on one side only
        return 1 - front * _beta_fraction(1 - x, b, a) / b
    return front * _beta_fraction(x, a, b) / a


def _beta_fraction(x: float, a: float, b: float) -> float:
    def term(i: int) -> float:
        m, odd = divmod(i, 2)
        if odd:
            return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))

    return 1 / _fraction(1.0, lambda i: (term(i), 1.0))


def gamma_share(a: float, x: float) -> float:
    """P(a, x), the distribution function of the gamma distribution with shape a > 0."""
    if x <= 0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while abs(term) > abs(total) * EPSILON:
            n += 1
            term *= x / n
            total += term
        return front * total
    fraction = _fraction(x + 1 - a, lambda i: (-i * (i - a), x + 2 * i + 1 - a))
    return 1 - front / fraction


def _fraction(first: float, terms: Callable[[int], tuple[float, float]]) -> float:
    """`first + a1 / (b1 + a2 / (b2 + ...))` of `terms(i) = (ai, bi)`."""
    value = c = first or TINY
    d = 0.0
    for i in range(1, MOST_TERMS):
        a, b = terms(i)
        d = b + a * d or TINY
        c = b + a / c or TINY
        d = 1 / d
        value *= c * d
        if abs(c * d - 1) < EPSILON:
            break
    return value
