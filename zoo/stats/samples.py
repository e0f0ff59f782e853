"""pass@k from several responses to a problem."""

from __future__ import annotations

from math import comb


def pass_at(k: int, n: int, correct: int) -> float:
    """Chance that one of k responses, drawn without return from n of which `correct` are right, is
    right; k above n counts as n. Its variance is small enough to rely on up to k = n / 2."""
    k = min(k, n)
    return 1 - comb(n - correct, k) / comb(n, k)
