"""Intervals of differences between cells."""

from __future__ import annotations

import math
import random
from statistics import fmean, variance

import pytest

from zoo.stats.contrasts import Cell, Estimate, StudyCells, cell_interval
from zoo.stats.quantiles import student

ONE, TWO = [10.0, 12.0, 14.0], [7.0, 8.0, 9.0]


def difference(study: StudyCells[str]) -> Estimate:
    found = study.estimate({"one": 1, "two": -1})
    assert found is not None
    return found


def test_a_difference_of_two_cells_is_welchs_t() -> None:
    """Sleep data of Student (1908), as R's t.test gives them: t = -1.8608, df = 17.776,
    p = 0.07939, interval -3.3654832 to 0.2054832."""
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = difference(StudyCells({"one": one, "two": two}))
    assert found.floored == 0
    assert found.df == pytest.approx(17.776, abs=5e-4)
    assert found.value / found.se == pytest.approx(-1.8608, abs=5e-5)
    assert 2 * found.below(0) == pytest.approx(0.07939, abs=5e-6)
    assert found.interval() == pytest.approx((-3.3654832, 0.2054832), abs=5e-7)


def test_no_variance_counts_as_less_than_half_the_typical_one() -> None:
    same = [5.0, 5.0, 5.0]
    others = {str(i): [0.0, 1.0, 2.0] for i in range(5)}  # variance 1
    study = StudyCells({"one": same, "two": ONE, **others})
    typical = 1 * 2 / (2 * math.log(2))  # chi-square(2) has the median 2 ln 2
    assert study.typical == pytest.approx(typical)
    found = difference(study)
    assert found.floored == 1
    assert found.se == pytest.approx(math.sqrt(typical / 2 / 3 + variance(ONE) / 3))


def test_two_cells_of_unequal_seeds_have_the_smaller_ones_degrees() -> None:
    found = difference(StudyCells({"one": [1.0, 2.0, 4.0], "two": [1.0, 3.0, 3.0, 5.0, 8.0]}))
    assert found.unequal
    assert found.df == 2
    equal = difference(StudyCells({"one": ONE, "two": TWO}))
    assert not equal.unequal
    assert 2 < equal.df < 4


def test_a_base_measured_once_adds_its_noise_and_degrees() -> None:
    study = StudyCells({"one": ONE})
    alone = study.estimate({"one": 1}, offset=-8)
    noisy = study.estimate({"one": 1}, offset=-8, base=2.0)
    assert alone is not None
    assert noisy is not None
    assert alone.value == noisy.value == 4
    assert alone.df == 2
    seeds = variance(ONE) / 3
    assert noisy.se == pytest.approx(math.sqrt(seeds + 4))
    assert noisy.df == pytest.approx(2 * ((seeds + 4) / seeds) ** 2)


def test_one_seed_has_an_estimate_and_no_verdict() -> None:
    found = difference(StudyCells({"one": [5.0], "two": TWO}))
    assert found.value == -3
    assert (found.judged, found.se, found.df) == (False, None, 0)
    assert found.interval() == (-math.inf, math.inf)
    assert found.above(-100) == found.below(100) == 1
    assert found.detectable(0.05, 0.2) is None


def test_trials_that_are_all_alike_show_no_spread_to_judge_by() -> None:
    for value in (1.0, 56.7, 100 * 17 / 30):  # whose means may be off by a last digit
        same = [value] * 2 + [value * (1 + 1e-15)]
        found = difference(StudyCells({"one": same, "two": [0.0, 0.0]}))
        assert not found.judged
        assert found.above(0) == 1


def test_a_known_variance_judges_a_single_sampling() -> None:
    found = difference(StudyCells({"one": [5.0], "two": [3.0]}, known=0.5))
    assert found.se == 1
    assert found.interval() == pytest.approx((2 - 1.959964, 2 + 1.959964), abs=1e-6)
    greedy = difference(StudyCells({"one": [5.0], "two": [3.0]}, known=0.0))
    assert (greedy.above(0), greedy.below(0), greedy.interval()) == (0, 1, (2, 2))


def test_a_cell_without_trials_leaves_no_estimate() -> None:
    study = StudyCells({"one": ONE, "two": []})
    assert study.estimate({"one": 1, "two": -1}) is None
    assert study.estimate({"one": 1, "two": 0}) is not None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Cell.of([1.0, bad])


def test_diagnostics_say_what_the_interval_rests_on() -> None:
    wide = [0.0, 40.0, 80.0]
    others = {str(i): [0.0, 10.0, 20.0] for i in range(5)}
    found = difference(StudyCells({"one": wide, "two": [5.0, 15.0, 25.0], **others}))
    assert found.n == 6
    assert found.spread_ratio == pytest.approx(4 * math.sqrt(math.log(2)))
    assert found.largest_share == pytest.approx(16 / 17)
    assert found.floored == 0


def test_a_cells_own_interval_is_students() -> None:
    study = StudyCells({"one": ONE, "alone": [3.0]})
    half = student(0.975, 2) * math.sqrt(variance(ONE) / 3)
    assert cell_interval(study, "one") == pytest.approx((12 - half, 12 + half))
    assert cell_interval(study, "alone") is None


def test_what_is_detected_follows_from_the_spread_and_not_from_the_effect() -> None:
    near = difference(StudyCells({"one": ONE, "two": TWO}))
    far = difference(StudyCells({"one": [x + 50 for x in ONE], "two": TWO}))
    assert near.detectable(0.05, 0.2) == pytest.approx(far.detectable(0.05, 0.2))
    double = difference(StudyCells({"one": [2 * x for x in ONE], "two": [2 * x for x in TWO]}))
    assert double.detectable(0.05, 0.2) == pytest.approx(2 * (near.detectable(0.05, 0.2) or 0))


def test_what_is_detected_after_is_on_average_what_was_promised_before() -> None:
    from zoo.stats.power import PowerPart, detectable

    draw = random.Random(4)
    before = detectable([PowerPart(1 / 5, 4)] * 2, 0.005, 0.2)
    after = []
    for _ in range(400):
        cells = {str(i): [draw.gauss(0, 1) for _ in range(5)] for i in range(12)}
        found = StudyCells(cells).estimate({"0": 1, "1": -1})
        assert found is not None
        after.append(found.detectable(0.005, 0.2) or 0)
    assert before is not None
    assert fmean(after) == pytest.approx(before, rel=0.08)
