"""Verdicts from effects: every kind of region, Holm, and intervals that agree with them."""

from __future__ import annotations

import math
import random

import pytest

from zoo.stats.contrasts import Estimate, StudyCells
from zoo.stats.proportions import Difference
from zoo.stats.quantiles import student_tail
from zoo.stats.verdicts import Comparison, Judged, Region, holm, judge

MORE, EQUAL, NOT_WORSE = Region(low=2), Region(-1, 1), Region(low=-1)


def effect(value: float, se: float = 1.0, n: int = 5) -> Estimate:
    """A difference of two cells with that standard error; df = 2 (n - 1)."""
    shape = [math.sqrt(n / 2 * (n - 1)) * x for x in (-1 / math.sqrt(2), 1 / math.sqrt(2))]
    spread = [0.0] * (n - 2) + [se * x for x in shape]
    found = StudyCells({"a": [value + x for x in spread], "b": spread}).estimate({"a": 1, "b": -1})
    assert found is not None
    assert found.se == pytest.approx(se)
    assert found.df == pytest.approx(2 * (n - 1))
    return found


def one(region: Region, *values: float, se: float = 1.0) -> Judged:
    (found,) = judge([Comparison(region, tuple(effect(value, se) for value in values))])
    return found


@pytest.mark.parametrize(
    ("region", "value", "word"),
    [
        (Region(low=0), 3, "supported"),
        (Region(low=0), -3, "refuted"),
        (Region(low=0), 1, "undecided"),
        (Region(high=0), -3, "supported"),
        (MORE, 5, "supported"),
        (MORE, 3, "undecided"),
        (MORE, -1, "refuted"),
        (NOT_WORSE, 2, "supported"),
        (NOT_WORSE, 0, "undecided"),
        (NOT_WORSE, -4, "refuted"),
        (EQUAL, 0, "undecided"),
        (EQUAL, 4, "refuted"),
        (EQUAL, -4, "refuted"),
    ],
)
def test_a_region_is_supported_inside_and_refuted_outside(
    region: Region, value: float, word: str
) -> None:
    assert one(region, value).word == word


def test_equality_is_shown_by_two_one_sided_tests() -> None:
    assert one(EQUAL, 0.1, se=0.2).word == "supported"
    (found,) = (Comparison(EQUAL, (effect(0.5, se=0.2),)),)
    supports, refutes = found.p_values
    assert supports == pytest.approx(student_tail(0.5 / 0.2, 8))
    assert refutes == pytest.approx(student_tail(-0.5 / 0.2, 8))


def test_an_ordering_needs_all_its_steps_and_one_refutes_it() -> None:
    assert one(Region(low=0), 3, 4, 5).word == "supported"
    weak = one(Region(low=0), 3, 1, 5)
    assert (weak.word, weak.step, weak.effect) == ("undecided", 1, pytest.approx(1))
    worse = one(Region(low=0), 3, -4, 5)
    assert (worse.word, worse.step) == ("refuted", 1)
    assert worse.p == pytest.approx(2 * 3 * student_tail(4, 8))


def test_nothing_to_judge_by_counts_in_the_correction_and_stays_undecided() -> None:
    sure = Comparison(Region(low=0), (effect(2.6),))
    empty = Comparison(Region(low=0), ())
    assert judge([sure])[0].word == "supported"
    first, second = judge([sure, empty])
    assert (first.word, second.word) == ("undecided", "undecided")
    assert (second.effect, second.p, second.detects) == (None, 1, None)


def test_holm_rejects_in_order_and_stops() -> None:
    # Holm 1979; 0.01 <= .05/4, 0.013 <= .05/3, 0.03 > .05/2
    found = holm([0.03, 0.01, 0.04, 0.013])
    assert [rejected for rejected, _ in found] == [False, True, False, True]
    assert [error for _, error in found] == pytest.approx([0.025, 0.05 / 4, 0.025, 0.05 / 3])
    assert holm([]) == []


def agrees(found: Judged, region: Region) -> bool:
    low, high = found.interval
    inside = low > region.low and high < region.high
    outside = high < region.low or low > region.high
    return {"supported": inside, "refuted": outside, "undecided": not (inside or outside)}[
        found.word
    ]


def test_corrected_intervals_and_verdicts_agree() -> None:
    draw = random.Random(2)
    regions = [Region(low=0), Region(high=-1), MORE, Region(-5, 5), NOT_WORSE]
    seen = set()
    for _ in range(120):
        made = []
        for _ in range(6):
            steps = tuple(effect(draw.gauss(0, 4), draw.uniform(0.1, 2)) for _ in range(2))
            made.append(Comparison(draw.choice(regions), steps[: draw.randint(1, 2)]))
        share = draw.choice((1.0, 0.2))
        for comparison, found in zip(made, judge(made, share=share), strict=True):
            assert agrees(found, comparison.region), (comparison, found)
            seen.add((found.word, len(comparison.steps), comparison.region.two_sided))
    assert len(seen) == 12


def test_rates_and_their_exact_intervals_agree() -> None:
    made = [
        Comparison(Region(low=low), (Difference(x, n, y, m),))
        for n, m in ((3, 3), (5, 4))
        for x in range(0, n + 1, 2)
        for y in range(0, m + 1, 2)
        for low in (0, -20)
    ]
    for comparison in made:
        for share in (1.0, 0.1):
            (found,) = judge([comparison], share=share)
            assert agrees(found, comparison.region), (comparison, found)


def test_every_verdict_says_what_its_trials_detect_after_correction() -> None:
    made = [Comparison(Region(low=0), (effect(x),)) for x in (0.0, 9.0)]
    few, many = judge(made)[0], judge(made * 5)[0]
    assert few.detects is not None
    assert many.detects is not None
    assert many.detects > few.detects
    assert judge(made)[1].detects == pytest.approx(few.detects)  # whatever the effect
    assert few.plain[0] == few.interval[0]  # the last step of the correction
    assert many.plain[0] > many.interval[0]
