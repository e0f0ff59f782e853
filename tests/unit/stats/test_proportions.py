"""Shares of trials: exact intervals, the exact test of two of them, and its power."""

from __future__ import annotations

from itertools import product
from math import comb

import pytest

from zoo.stats.proportions import (
    EXACT_UP_TO,
    Difference,
    _score,
    clopper_pearson,
    detectable_rates,
    exact_greater,
    wilson,
)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilsons_interval_agrees_with_published_values(
    right: int, n: int, low: float, high: float
) -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I (81/263), and the closed form for 0 and n
    assert wilson(right / n, n) == pytest.approx((low, high), abs=5e-5)


def test_no_trials_give_the_whole_range() -> None:
    assert wilson(0.0, 0) == clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("n", "upper"), [(3, 71), (5, 52), (8, 37), (9, 34), (27, 13)])
def test_none_of_n_trials_leaves_high_rates_possible(n: int, upper: int) -> None:
    assert clopper_pearson(0, n) == (0.0, pytest.approx(1 - 0.025 ** (1 / n)))
    assert round(100 * clopper_pearson(0, n)[1]) == upper


def test_clopper_pearson_agrees_with_published_values() -> None:
    # Newcombe 1998, as above, method 5: 81/263, 15/148, 1/29
    assert clopper_pearson(81, 263) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert clopper_pearson(15, 148) == pytest.approx((0.0578, 0.1617), abs=5e-5)
    assert clopper_pearson(1, 29) == pytest.approx((0.0009, 0.1776), abs=5e-5)


def test_three_against_none_of_three_is_enough_and_two_are_not() -> None:
    assert 2 * exact_greater(3, 3, 0, 3, 0) == pytest.approx(0.03125)
    assert 2 * exact_greater(2, 3, 0, 3, 0) > 0.05


def brute(x1: int, n1: int, x2: int, n2: int, difference: float) -> float:
    """The p-value from all tables, without any order among them."""
    tables = list(product(range(n1 + 1), range(n2 + 1)))
    z = {t: _score(t[0] / n1, t[1] / n2, n1, n2, difference) for t in tables}
    tail = [t for t in tables if z[t] >= z[x1, x2] - 1e-9]

    def mass(x: int, n: int, p: float) -> float:
        return comb(n, x) * p**x * (1 - p) ** (n - x)

    low, high = max(0.0, -difference), min(1.0, 1 - difference)
    found = 0.0
    for i in range(401):
        p2 = low + (high - low) * i / 400
        p1 = min(1.0, max(0.0, p2 + difference))
        found = max(found, sum(mass(a, n1, p1) * mass(b, n2, p2) for a, b in tail))
    return found


@pytest.mark.parametrize("difference", [-0.5, -0.1, 0.0, 0.2, 0.7])
def test_the_exact_test_is_that_over_all_tables(difference: float) -> None:
    for x1, n1, x2, n2 in ((3, 3, 0, 3), (2, 5, 3, 4), (0, 4, 6, 7), (5, 6, 5, 6)):
        found = exact_greater(x1, n1, x2, n2, difference)
        assert found == pytest.approx(brute(x1, n1, x2, n2, difference), abs=1e-9)


@pytest.mark.parametrize("n", [3, 5, 9])
def test_the_exact_test_holds_its_level_at_any_rate(n: int) -> None:
    p = {(x, y): exact_greater(x, n, y, n, 0) for x in range(n + 1) for y in range(n + 1)}
    for rate in (i / 20 for i in range(21)):
        mass = [comb(n, x) * rate**x * (1 - rate) ** (n - x) for x in range(n + 1)]
        for level in (0.025, 0.0025):
            size = sum(mass[x] * mass[y] for (x, y), found in p.items() if found <= level)
            assert size <= level + 1e-12


def test_the_interval_holds_the_differences_that_are_not_rejected() -> None:
    found = Difference(4, 5, 1, 5)
    low, high = found.interval()
    assert low < found.value < high
    assert found.above(low - 0.05) < 0.025 < found.above(low + 0.05)
    assert found.below(high + 0.05) < 0.025 < found.below(high - 0.05)
    mirrored = Difference(1, 5, 4, 5).interval()
    assert mirrored == pytest.approx((-high, -low))


def test_the_power_of_rates_is_that_of_the_exact_test() -> None:
    assert detectable_rates(1, 1, 0.05, 0.2) is None  # not even 0 against 1
    assert detectable_rates(3, 3, 0.005, 0.2) is None
    found = detectable_rates(9, 9, 0.05, 0.2)
    assert found is not None
    p1, p2 = 0.5 + found / 200, 0.5 - found / 200
    power = sum(
        comb(9, x) * p1**x * (1 - p1) ** (9 - x) * comb(9, y) * p2**y * (1 - p2) ** (9 - y)
        for x in range(10)
        for y in range(10)
        if exact_greater(x, 9, y, 9, 0) <= 0.025
    )
    assert power == pytest.approx(0.8, abs=1e-3)


def test_the_normal_approximation_takes_over_without_a_step() -> None:
    exact = detectable_rates(EXACT_UP_TO, EXACT_UP_TO, 0.05, 0.2)
    normal = detectable_rates(EXACT_UP_TO + 1, EXACT_UP_TO + 1, 0.05, 0.2)
    assert exact == pytest.approx(normal, rel=0.05)
