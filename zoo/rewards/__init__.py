"""Rewards: pure functions from the verdicts and completions of one group to numbers.

A reward sees the whole group of completions of one prompt, the numbers of its card, and a seed. It
reads no text of a problem, grades nothing, and keeps no state. An unscored verdict (`BAD_GOLD`,
`GRADER_FAULT`) gives None: the row is left out of the group, never counted as zero.

Names are imported when they are asked for: planning reads `zoo.rewards.parameters`, and the rest
needs the grader.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.rewards.base import Completion, Reward, Values
    from zoo.rewards.functions import REWARDS, compute
    from zoo.rewards.guard import Guard
    from zoo.rewards.replay import Replay, Rollout, RolloutGroup
    from zoo.rewards.resolve import reward_of
    from zoo.rewards.stats import batch_stats
    from zoo.rewards.user import UserReward, load_user_reward

__all__ = [
    "REWARDS",
    "Completion",
    "Guard",
    "Replay",
    "Reward",
    "Rollout",
    "RolloutGroup",
    "UserReward",
    "Values",
    "batch_stats",
    "compute",
    "load_user_reward",
    "reward_of",
]
_HOMES = {
    "base": ("Completion", "Reward", "Values"),
    "functions": ("REWARDS", "compute"),
    "guard": ("Guard",),
    "replay": ("Replay", "Rollout", "RolloutGroup"),
    "resolve": ("reward_of",),
    "stats": ("batch_stats",),
    "user": ("UserReward", "load_user_reward"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
            return found
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
