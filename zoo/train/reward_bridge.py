"""Between TRL's reward callback (flat lists) and zoo's rewards (pure functions of one group).

Grades a whole generation batch, computes rewards group by group, keeps every completion as a
rollout, and logs the 2x2 of {right, wrong} x {boxed, plain} together with how many groups carry a
signal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zoo.evals.aggregate import measures
from zoo.grading import Item, Verdict
from zoo.rewards.base import Completion, group_seed
from zoo.rewards.guard import Guard
from zoo.rewards.stats import Ending, batch_stats, response_stats
from zoo.train.session import Session

SHOWN = {"accuracy": "acc", "box_ratio": "box_ratio", "unscored": "unscored"}


class RewardBridge:
    """TRL's reward function. One call a round and process: P prompts x G completions, groups
    contiguous.
    """

    __name__ = "zoo_reward"  # TRL names its metric after the function

    def __init__(
        self,
        session: Session,
        reward: Guard,
        end_ids: Callable[[], list[int]],
        text_of: Callable[[list[int]], str],
        updates_per_round: int,
        end_token: int,
    ) -> None:
        self.session, self.reward, self.text_of = session, reward, text_of
        self.end_token = end_token
        self.end_ids, self.updates_per_round = end_ids, updates_per_round

    def __call__(self, *args: Any, **columns: Any) -> list[float | None]:
        """Rewards of all completions, None where a completion cannot be scored.

        Raises:
            TrialError: of class `reward`, once the round is kept, where the reward fails too often.
        """
        with self.session.phases.timed("grading"):
            return self._rewards(*args, **columns)

    def _rewards(
        self,
        prompts: list[str],
        completions: list[str],
        completion_ids: list[list[int]],
        trainer_state: Any,
        log_metric: Callable[[str, float], None],
        **columns: list[Any],
    ) -> list[float | None]:
        trial = self.session.trial
        completions = [self.text_of(ids) for ids in completion_ids]
        ends = set(self.end_ids())
        endings = [self._ending(ids, ends) for ids in completion_ids]
        finishes = ["length" if ending == "length" else "stop" for ending in endings]
        items = [Item(gold, text) for gold, text in zip(columns["gold"], completions, strict=True)]
        results = self.session.bench.grader(trial.reward.extract).grade(items).results
        verdicts = [result.verdict for result in results]
        found = [
            Completion(text, result.boxed, len(ids), finish)
            for text, result, ids, finish in zip(
                completions, results, completion_ids, finishes, strict=True
            )
        ]
        round_ = trainer_state.global_step // self.updates_per_round + 1
        size, faults = trial.batch.num_generations, self.reward.faults
        groups = [slice(start, start + size) for start in range(0, len(found), size)]
        rewards_P_G = [
            self.reward(verdicts[g], found[g], group_seed(trial.seed, round_, i), f"{round_}/{i}")
            for i, g in enumerate(groups)
        ]
        rewards = [reward for group in rewards_P_G for reward in group]
        levels = [columns["level"][g.start] or None for g in groups]
        stats = batch_stats([results[g] for g in groups], rewards_P_G, levels)
        stats |= completion_stats(verdicts, found, endings)
        stats["grade/reward_faults"] = float(self.reward.faults - faults)
        for name, value in stats.items():
            log_metric(name, value)
        rows = {
            "id": columns["problem_id"],
            "prompt": prompts,
            "gold": columns["gold"],
            "text": completions,
            "token_ids": completion_ids,
            "verdict": [str(v.value) for v in verdicts],
            "reward": rewards,
            "finish": finishes,
            "round": [round_] * len(found),
            "group": [i // size for i in range(len(found))],
        }
        self.session.write_rollouts(round_, rows)
        self.reward.check()
        return rewards

    def _ending(self, ids: list[int], ends: set[int]) -> Ending:
        """How a response ended."""
        if not ids or ids[-1] not in ends:
            return "length"
        return "end_token" if ids[-1] == self.end_token else "stop_token"


def completion_stats(
    verdicts: Sequence[Verdict], found: Sequence[Completion], endings: Sequence[Ending]
) -> dict[str, float]:
    """Accuracy and box ratio, lengths and endings of a round's completions."""
    lengths = [completion.n_tokens for completion in found]
    boxed, finishes = [c.boxed for c in found], [c.finish for c in found]
    numbers = measures(verdicts, boxed, lengths, finishes)
    stats = {name: numbers[of] or 0.0 for name, of in SHOWN.items()}
    return stats | response_stats(verdicts, lengths, endings)
