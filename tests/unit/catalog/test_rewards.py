"""A reward card says whether a missing box costs."""

from __future__ import annotations

import pytest

from zoo.catalog import Catalog, RewardCard
from zoo.grading import Verdict
from zoo.rewards.base import Completion
from zoo.rewards.functions import compute

CATALOG = Catalog()


@pytest.mark.parametrize("name", CATALOG.names(RewardCard))
def test_a_reward_needs_a_box_where_a_missing_one_costs(name: str) -> None:
    card = CATALOG.get(RewardCard, name)

    def values(*, boxed: bool) -> list[float | None]:
        texts = [r"It is \boxed{7}." if boxed else "It is 7."] * 2
        group = [Completion(text, boxed, n_tokens=9) for text in texts]
        return compute(card.kind, [Verdict.CORRECT, Verdict.WRONG], group, card.params, seed=0)

    pairs = zip(values(boxed=False), values(boxed=True), strict=True)
    costs = any(plain < full for plain, full in pairs if plain is not None and full is not None)
    assert card.needs_box == costs
