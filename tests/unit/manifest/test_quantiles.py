"""Quantiles against published tables."""

from __future__ import annotations

import math

import pytest

from zoo.manifest.quantiles import EXACT, normal, student

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2: upper critical values of Student's t
COLUMNS = (0.90, 0.95, 0.975, 0.99, 0.995, 0.999)
TABLE = {
    1: (3.078, 6.314, 12.706, 31.821, 63.657, 318.309),
    2: (1.886, 2.920, 4.303, 6.965, 9.925, 22.327),
    3: (1.638, 2.353, 3.182, 4.541, 5.841, 10.215),
    4: (1.533, 2.132, 2.776, 3.747, 4.604, 7.173),
    5: (1.476, 2.015, 2.571, 3.365, 4.032, 5.893),
    7: (1.415, 1.895, 2.365, 2.998, 3.499, 4.785),
    10: (1.372, 1.812, 2.228, 2.764, 3.169, 4.144),
    20: (1.325, 1.725, 2.086, 2.528, 2.845, 3.552),
    30: (1.310, 1.697, 2.042, 2.457, 2.750, 3.385),
    60: (1.296, 1.671, 2.000, 2.390, 2.660, 3.232),
    100: (1.290, 1.660, 1.984, 2.364, 2.626, 3.174),
}


@pytest.mark.parametrize("df", TABLE)
def test_student_is_as_in_the_table(df: int) -> None:
    assert [round(student(p, df), 3) for p in COLUMNS] == list(TABLE[df])


def test_one_and_two_degrees_of_freedom_have_closed_forms() -> None:
    for p in (0.6, 0.8, 0.975, 0.9999):
        assert student(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-9)
        a = 2 * p - 1
        assert student(p, 2) == pytest.approx(a * math.sqrt(2 / (1 - a * a)), rel=1e-9)


def test_the_expansion_takes_over_without_a_step() -> None:
    for p in (0.8, 0.975, 0.99975):
        below, at, above = (student(p, EXACT + i) for i in (-1, 0, 1))
        assert above - at == pytest.approx(at - below, rel=0.05)
    assert student(0.975, 10**7) == pytest.approx(normal(0.975), rel=1e-6)


def test_it_is_odd_around_the_middle() -> None:
    assert student(0.025, 7) == -student(0.975, 7)
    assert student(0.5, 7) == pytest.approx(0, abs=1e-9)
