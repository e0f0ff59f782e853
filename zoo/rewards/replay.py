"""Replaying a newer grader over the rollouts that an older one rewarded: which rewards change, and
from which round on.

No reward changed: the run is adopted under the new version. Else it is stale from the first round
that differs. The caller brings the rollouts, a round at a time, and groups them by prompt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from zoo.grading import GRADER_VERSION, Grader, Item, Verdict
from zoo.rewards.base import Completion, Values

RewardOfGroup = Callable[[Sequence[Verdict], Sequence[Completion], int], Values]
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Rollout:
    """One completion as it was kept: what was graded, what it got, and how it ended."""

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
    """What a replay found. `first_changed_round` is None where no reward changed: the run is
    adopted.
    """

    version: str
    rollouts: int
    verdicts_changed: int
    rewards_changed: int
    first_changed_round: int | None

    @property
    def adopted(self) -> bool:
        return self.first_changed_round is None

    def __str__(self) -> str:
        changed = f"{self.rewards_changed:,} of {self.rollouts:,} rewards change"
        if self.adopted:
            return f"{changed}: run adopted"
        return f"{changed}: stale from round {self.first_changed_round}"


def replay(
    groups: Iterable[RolloutGroup],
    reward: RewardOfGroup,
    policy: str,
    workers: int = 1,
    stop_at_first: bool = False,
) -> Replay:
    """Grades kept rollouts again and computes their rewards again.

    Args:
        groups: in the order of their rounds.
        reward: the run's reward with its parameters bound: `(verdicts_G, completions_G, seed) ->
            values_G`.
        policy: the extraction policy of the run.
        workers: how many symbolic workers may run at once.
        stop_at_first: whether to stop at the first group whose rewards differ, when only adoption
            is asked for.
    """
    seen = verdicts = rewards = 0
    first: int | None = None
    with Grader(policy, workers=workers) as grader:
        for group in groups:
            old = group.rollouts_G
            graded = grader.grade([Item(rollout.gold, rollout.text) for rollout in old])
            completions = [
                Completion(rollout.text, result.boxed, rollout.n_tokens, rollout.finish)
                for rollout, result in zip(old, graded, strict=True)
            ]
            values = reward([result.verdict for result in graded], completions, group.seed)
            seen += len(old)
            verdicts += sum(r.verdict != o.verdict for r, o in zip(graded, old, strict=True))
            changed = sum(not _same(v, o.reward) for v, o in zip(values, old, strict=True))
            rewards += changed
            if changed and first is None:
                first = group.round
                if stop_at_first:
                    break
    return Replay(GRADER_VERSION, seen, verdicts, rewards, first)


def _same(new: float | None, old: float | None) -> bool:
    if new is None or old is None or math.isnan(old):
        return new is None and (old is None or math.isnan(old))
    return abs(new - old) <= _SAME
