"""Growth of a behaviour: apart from length where length explains it, and against brute force."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from zoo.behaviours.growth import Labelled, agreement, growth
from zoo.stats.quantiles import student


def drawn(seed: int, chance, lengths: tuple[int, int], n: int = 200) -> list[Labelled]:
    """Responses to 100 problems; `chance` of the behaviour by length."""
    rng = random.Random(seed)
    found = []
    for i in range(n):
        length = rng.randint(*lengths)
        found.append(Labelled(str(i % 100), rng.random() < chance(length), i % 3 == 0, length))
    return found


def test_behaviour_that_only_follows_length_grows_overall_and_not_within_lengths() -> None:
    def by_length(n: int) -> float:
        return 0.02 if n < 150 else 0.6

    found = growth(drawn(1, by_length, (100, 220)), drawn(2, by_length, (130, 400)))
    assert found.all.low is not None
    assert found.all.low > 0.05
    assert found.like_length.low is not None
    assert found.like_length.low < 0 < found.like_length.high
    assert not found.aha
    assert found.length_after > found.length_before


def test_behaviour_that_grows_at_every_length_from_rare_is_an_aha() -> None:
    found = growth(drawn(1, lambda n: 0.03, (100, 300)), drawn(2, lambda n: 0.5, (120, 320)))
    assert found.aha
    assert found.right.low > 0
    assert found.matched > 0.9


def test_growth_from_a_high_level_is_no_aha() -> None:
    found = growth(drawn(1, lambda n: 0.4, (100, 300)), drawn(2, lambda n: 0.9, (100, 300)))
    assert found.all.low > 0
    assert not found.aha


def test_intervals_equal_leaving_out_one_problem_at_a_time() -> None:
    before = drawn(3, lambda n: 0.2, (1, 2), n=40)
    after = drawn(4, lambda n: 0.4, (1, 2), n=40)
    found = growth(before, after).all
    gaps = []
    for out in {r.problem for r in before}:
        sets = [[r.shows for r in rs if r.problem != out] for rs in (before, after)]
        gaps.append(fmean(sets[1]) - fmean(sets[0]))
    m = len(gaps)
    variance = (m - 1) / m * sum((g - fmean(gaps)) ** 2 for g in gaps)
    assert found.high - found.value == pytest.approx(student(0.975, m - 1) * variance**0.5)


def test_lengths_without_overlap_match_nothing() -> None:
    found = growth(drawn(1, lambda n: 0.1, (10, 20)), drawn(2, lambda n: 0.9, (400, 500)))
    assert found.matched < 0.5
    assert growth([], []).all.value is None


def test_agreement_has_kappa_corrected_for_chance() -> None:
    one, two = [True] * 20 + [False] * 80, [True] * 10 + [False] * 90
    same, kappa = agreement(one, two)
    assert same == pytest.approx(0.9)
    assert kappa == pytest.approx((0.9 - 0.74) / 0.26)
    assert agreement([False], [False]) == (1.0, None)
