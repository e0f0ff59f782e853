"""Rewards: pure functions from the verdicts and completions of one group to numbers.

A reward sees the whole group of completions of one prompt, the numbers of its card, and a seed. It
reads no text of a problem, grades nothing, and keeps no state. An unscored verdict (`BAD_GOLD`,
`GRADER_FAULT`) gives None: the row is left out of the group, never counted as zero.
"""

from zoo.rewards.base import Completion, Reward, Values
from zoo.rewards.functions import REWARDS, compute
from zoo.rewards.guard import Guard
from zoo.rewards.replay import Replay, Rollout, RolloutGroup, replay
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
    "replay",
]
