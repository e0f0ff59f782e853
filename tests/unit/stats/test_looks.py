"""Seeds bought in looks."""

from __future__ import annotations

import pytest

from tests.unit.stats.test_verdicts import effect
from zoo.stats.looks import in_words, judge_looks, shares, sizes
from zoo.stats.verdicts import Comparison, Region


def at(*values: float) -> list[Comparison]:
    return [Comparison(Region(low=0), (effect(value),)) for value in values]


def test_looks_are_fixed_before_and_their_shares_add_up() -> None:
    assert sizes(3, 2, 9) == [3, 5, 7, 9]
    assert shares(4) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert shares(1) == [1]
    for wrong in ((1, 2, 9), (3, 0, 9), (3, 2, 8), (3, 2, 2)):
        with pytest.raises(ValueError):
            sizes(*wrong)


def test_a_verdict_stands_from_the_look_that_reached_it() -> None:
    found = judge_looks([at(3.0, 0.5), at(8.0, 1.0), at(0.0, 9.0)], 4)
    first, second = found
    assert (first.word, first.look, first.effect) == ("supported", 1, pytest.approx(8))
    assert (second.word, second.look) == ("supported", 2)
    assert in_words(first.look, sizes(3, 2, 9), decided=True) == "decided at look 2 of 4 (5 seeds)"


def test_an_early_look_asks_for_more() -> None:
    """p = 0.017 at two of four looks: decided where there is one look, not where it has a tenth."""
    (fixed,) = judge_looks([at(3.0)], 1)
    (early,) = judge_looks([at(3.0)], 4)
    assert (fixed.word, early.word) == ("supported", "undecided")
    assert early.p == pytest.approx(10 * fixed.p)
    assert early.level == pytest.approx(0.995)
    assert early.interval[0] < 0 < fixed.interval[0]
    assert in_words(early.look, sizes(3, 2, 9), decided=False) == "open at look 1 of 4 (3 seeds)"


def test_what_is_decided_gives_its_share_to_the_others() -> None:
    """Holm over kept and present p-values: 0.03 is enough for the last open claim of two."""
    decided = at(30.0, 0.5)
    (_, alone) = judge_looks([decided, at(0.0, 3.4)], 2)
    assert alone.word == "supported"
    (_, beside) = judge_looks([at(0.5, 0.5), at(0.5, 2.9)], 2)
    assert beside.word == "undecided"


def test_more_looks_than_were_fixed_are_refused() -> None:
    with pytest.raises(ValueError, match="2 looks, where 1"):
        judge_looks([at(1.0), at(1.0)], 1)
