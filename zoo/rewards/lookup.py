"""From a reward's card to the function that is called: the same for training and for replaying a
newer grader over what was trained with.
"""

from __future__ import annotations

from zoo.catalog import RewardCard
from zoo.rewards.functions import REWARDS
from zoo.rewards.guard import MIN_SAMPLES, Guard
from zoo.rewards.parameters import filled
from zoo.rewards.user import load_code


def reward_of(card: RewardCard, round_size: int = MIN_SAMPLES) -> Guard:
    """The reward of a card with its parameters bound: `(verdicts_G, completions_G, seed) ->
    values_G`.

    Args:
        card: complete, as in a trial.
        round_size: completions of a round. Faults are judged from the first round on, also where a
            round is small.

    Raises:
        TrialError: of class `data`, where a user's function is missing or is not the planned
            one.
    """
    least = min(MIN_SAMPLES, round_size)
    if card.code is not None:
        return Guard(card.name, load_code(card.code), card.params, min_samples=least)
    params = filled(card.kind, card.params)
    return Guard(card.name, REWARDS[card.kind], params, min_samples=least)
