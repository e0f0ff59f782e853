"""Distributions against published tables and against numbers of mpmath (40 digits)."""

from __future__ import annotations

import math

import pytest

from zoo.stats.quantiles import (
    NORMAL_FROM,
    chi_square,
    chi_square_share,
    normal,
    student,
    student_tail,
)

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
REAL_COLUMNS = (0.55, 0.8, 0.975, 0.9975, 0.99975)
REAL = {
    0.7: (0.171703145996, 1.7588267314, 36.6114150316, 982.334121122, 26353.0421728),
    1: (0.158384440325, 1.37638192047, 12.7062047362, 127.321336469, 1273.23928294),
    1.5: (0.147626643461, 1.1533643783, 6.01666310443, 28.3167304045, 131.518314805),
    2.37: (0.139543892867, 1.0209331751, 3.7189208398, 10.3593832874, 27.5685654678),
    3.18: (0.135970958606, 0.96977834804, 3.08292592681, 6.97059257632, 14.6652508489),
    7.77: (0.129828473792, 0.890360935711, 2.31793992989, 3.87205317453, 5.70938175137),
    22.1: (0.12711357181, 0.858189347997, 2.07332912276, 3.11727532429, 4.07381720769),
    99.5: (0.125982489848, 0.845248635866, 1.98409361099, 2.87097790957, 3.59894768696),
    1234.5: (0.125687199311, 0.841912493627, 1.96188748333, 2.81208977813, 3.49002371611),
}
CHI_COLUMNS = (0.025, 0.5, 0.8, 0.999)
CHI = {
    0.5: (5.27320259126e-7, 0.0873476047057, 0.726170506236, 8.75288851577),
    1: (0.000982069117175, 0.45493642312, 1.64237441515, 10.8275661707),
    2: (0.0506356159686, 1.38629436112, 3.21887582487, 13.815510558),
    2.37: (0.0980280821429, 1.74651753882, 3.75722516368, 14.7619875347),
    7: (1.68986918068, 6.34581119552, 9.80324990024, 24.3218863479),
    30.5: (17.1642354601, 29.8359862406, 36.8048913998, 60.4014956893),
    400: (346.481765363, 399.333531225, 423.589506724, 493.13175874),
}


@pytest.mark.parametrize("df", TABLE)
def test_student_whole_degrees_agree_with_the_published_table(df: int) -> None:
    assert [round(student(p, df), 3) for p in COLUMNS] == list(TABLE[df])


@pytest.mark.parametrize("df", REAL)
def test_student_real_degrees_agree_with_mpmath(df: float) -> None:
    assert [student(p, df) for p in REAL_COLUMNS] == pytest.approx(REAL[df], rel=1e-9)


@pytest.mark.parametrize(
    ("x", "df", "tail"),
    [
        (0.1, 1.5, 0.466020726743),
        (2.5, 2.37, 0.0550513298028),
        (8, 3.18, 0.00164452335163),
        (40, 2, 0.000312207336092),
        (3, 250.5, 0.00148605180925),
        (12, 30.2, 2.53597952833e-13),
    ],
)
def test_student_tail_agrees_with_mpmath(x: float, df: float, tail: float) -> None:
    assert student_tail(x, df) == pytest.approx(tail, rel=1e-9)
    assert student_tail(-x, df) == pytest.approx(1 - tail, rel=1e-9)


@pytest.mark.parametrize("df", CHI)
def test_chi_square_real_degrees_agree_with_mpmath(df: float) -> None:
    assert [chi_square(p, df) for p in CHI_COLUMNS] == pytest.approx(CHI[df], rel=1e-9)
    assert [chi_square_share(x, df) for x in CHI[df]] == pytest.approx(CHI_COLUMNS, rel=1e-9)


def test_student_one_and_two_degrees_have_closed_forms() -> None:
    for p in (0.6, 0.8, 0.975, 0.9999):
        assert student(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-9)
        a = 2 * p - 1
        assert student(p, 2) == pytest.approx(a * math.sqrt(2 / (1 - a * a)), rel=1e-9)


def test_student_very_many_degrees_become_the_normal_distribution() -> None:
    for p in (0.8, 0.975, 0.99975):
        below = student(p, NORMAL_FROM * 0.99)
        assert below == pytest.approx(normal(p), rel=1e-6)
        assert student(p, math.inf) == normal(p)


def test_student_is_odd_around_the_middle() -> None:
    assert student(0.025, 7) == -student(0.975, 7)
    assert student(0.5, 7) == pytest.approx(0, abs=1e-9)
    assert student(0.5000001, 2.5) == pytest.approx(0, abs=1e-6)


def test_student_quantile_and_tail_are_inverse_at_any_degrees() -> None:
    for df in (0.5, 1.01, 2.9, 4, 17.3, 333.3, 5e6):
        for p in (0.500001, 0.51, 0.7, 0.99, 1 - 1e-7):
            assert student_tail(student(p, df), df) == pytest.approx(1 - p, rel=1e-8)
