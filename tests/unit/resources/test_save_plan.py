"""How often checkpoints are saved, and what they take."""

from __future__ import annotations

import pytest

from tests.support.study_models import profile, trial
from zoo.resources import trial_cost
from zoo.resources.save_plan import SavePlan, default_every, is_due


@pytest.mark.parametrize(
    ("elapsed_s", "round_s", "save_s", "due"),
    [
        (1, 1, 0, True),  # nothing is known of a save yet
        (100, 10, 10, False),
        (190, 10, 10, True),  # 10 s in 200 are 5 %
        (1500, 200, 100, False),
        (1700, 200, 100, True),  # another round, and more than half an hour would be lost
        (4000, 4000, 300, True),  # a round is longer than that
    ],
)
def test_default_rule_saves_at_five_per_cent_or_half_an_hour(
    elapsed_s: float, round_s: float, save_s: float, due: bool
) -> None:
    assert is_due(elapsed_s, round_s, save_s) == due


@pytest.mark.parametrize(
    ("round_s", "save_s", "rounds"), [(10, 10, 19), (200, 100, 9), (4000, 300, 1), (60, 0, 1)]
)
def test_plan_of_the_default_rule(round_s: float, save_s: float, rounds: int) -> None:
    assert default_every(round_s, save_s) == rounds


def of(**settings: object) -> SavePlan:
    made = profile(8).model_copy(update=settings)
    return trial_cost(trial("qwen2.5-1.5b"), made).saves


def test_retention_is_priced_while_a_trial_runs_and_after_it() -> None:
    size, rounds = 1_543_714_304, trial("qwen2.5-1.5b").rounds
    assert (of().running, of().left) == (2 * 12 * size, 0)
    kept = len(range(10, rounds, 10))
    every = of(save_every=10, keep="all")
    assert (every.running, every.left) == ((2 + kept) * 12 * size, kept * 4 * size)
    some = of(save_every=10, keep="every:20")
    assert some.left == len(range(20, rounds, 20)) * 4 * size
    assert of(keep_extendable=True).left == 12 * size


def test_what_a_crash_loses_shrinks_with_the_rounds_between_saves() -> None:
    often, seldom = (of(save_every=n) for n in (5, 50))
    assert often.at_stake == seldom.at_stake / 10
    assert often.share > seldom.share
    assert of().share <= 0.05


def test_loss_is_the_start_and_the_rounds_between_saves() -> None:
    whole = trial_cost(trial("qwen2.5-1.5b"), profile(8))
    assert whole.loss.mid < whole.hours.mid
    assert whole.loss.mid == pytest.approx(
        whole.start.mid + whole.saves.at_stake * (whole.train.mid + whole.evaluation.mid)
    )
