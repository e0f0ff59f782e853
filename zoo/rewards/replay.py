"""Replay of the current grader over rollouts that an older one rewarded: which rewards change, and
from which round on.

No reward changed: the run is adopted. Else it is stale from the first round that differs. The
caller provides the rollouts, grouped by prompt, and owns the grader.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from zoo.grading import GRADER_VERSION, Grader, Item, Verdict
from zoo.rewards.base import Completion, Values

RewardOfGroup = Callable[[Sequence[Verdict], Sequence[Completion], int], Values]
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Rollout:
    """One stored completion: its text, its verdict and reward, and how it ended."""

    gold: str
    text: str
    verdict: Verdict
    reward: float | None
    n_tokens: int = 0
    finish: str = "stop"


@dataclass(frozen=True, slots=True)
class RolloutGroup:
    """The rollouts of one prompt in one round, and the seed that its reward had."""

    round: int
    seed: int
    rollouts_G: Sequence[Rollout]


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay up to and including `round`. `first_changed_round` is None where no
    reward changed: the run is adopted.
    """

    grader: str = GRADER_VERSION
    round: int = 0
    rollouts: int = 0
    verdicts_changed: int = 0
    rewards_changed: int = 0
    first_changed_round: int | None = None
    lineage: int = 1
    """Lineage of the policy whose rollouts they are."""

    @property
    def adopted(self) -> bool:
        """Whether no reward changes, so that the run is adopted."""
        return self.first_changed_round is None

    def __str__(self) -> str:
        changed = f"{self.rewards_changed:,} of {self.rollouts:,} rewards change"
        if self.adopted:
            return f"{changed}: run adopted"
        return f"{changed}: stale from round {self.first_changed_round}"


def replay(
    groups: Iterable[RolloutGroup],
    reward: RewardOfGroup,
    grader: Grader,
    before: Replay | None = None,
) -> Replay:
    """Grades stored rollouts again and computes their rewards again, a round at a time.

    Args:
        groups: in the order of their rounds.
        reward: the run's reward with its parameters bound: `(verdicts_G, completions_G, seed) ->
            values_G`.
        grader: of the run's extraction rule.
        before: the result of earlier rounds; it is included.
    """
    found = before or Replay()
    for round_, same in groupby(groups, key=lambda group: group.round):
        found = _one_round(round_, list(same), reward, grader, found)
    return found


def _one_round(
    round_: int,
    groups: Sequence[RolloutGroup],
    reward: RewardOfGroup,
    grader: Grader,
    before: Replay,
) -> Replay:
    items = [Item(old.gold, old.text) for group in groups for old in group.rollouts_G]
    graded = iter(grader.grade(items))
    verdicts = rewards = 0
    for group in groups:
        old_G = group.rollouts_G
        new_G = [next(graded) for _ in old_G]
        completions = [
            Completion(old.text, new.boxed, old.n_tokens, old.finish)
            for old, new in zip(old_G, new_G, strict=True)
        ]
        values = reward([new.verdict for new in new_G], completions, group.seed)
        verdicts += sum(n.verdict != o.verdict for n, o in zip(new_G, old_G, strict=True))
        rewards += sum(not _same(v, o.reward) for v, o in zip(values, old_G, strict=True))
    first = before.first_changed_round
    return Replay(
        grader=before.grader,
        lineage=before.lineage,
        round=round_,
        rollouts=before.rollouts + len(items),
        verdicts_changed=before.verdicts_changed + verdicts,
        rewards_changed=before.rewards_changed + rewards,
        first_changed_round=round_ if rewards and first is None else first,
    )


def _same(new: float | None, old: float | None) -> bool:
    if new is None or old is None or math.isnan(old):
        return new is None and (old is None or math.isnan(old))
    return abs(new - old) <= _SAME
