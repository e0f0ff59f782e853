"""Between TRL's reward callback (flat lists) and zoo's rewards (pure functions of one group).

Every process grades its own completions; the leader gathers them in the order of a single
process, computes the rewards of whole groups, stores every completion as a rollout, and sends
each process its rewards. Logged are the 2x2 of {right, wrong} x {boxed, plain} and how many groups
carry a signal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from zoo.evals.aggregate import measures
from zoo.grading import Item
from zoo.grading.verdict import Result
from zoo.rewards.base import Completion, group_seed
from zoo.rewards.guard import Guard
from zoo.rewards.stats import Ending, batch_stats, response_stats
from zoo.train.session import Session
from zoo.trainer.team import Team
from zoo.trials.trial import Trial

SHOWN = {"accuracy": "acc", "box_ratio": "box_ratio", "unscored": "unscored"}


@dataclass(frozen=True, slots=True)
class GradedRollouts:
    """Completions of a round, or a process's part of them, in their order; groups contiguous."""

    columns: dict[str, list[Any]]
    """`id`, `prompt`, `gold`, `level`, `token_ids`."""
    completions: list[Completion]
    results: list[Result]
    endings: list[Ending]

    @staticmethod
    def joined(parts: Sequence[GradedRollouts]) -> GradedRollouts:
        """The parts of all processes, by rank."""
        first, *others = parts
        if not others:
            return first
        return GradedRollouts(
            {name: [v for part in parts for v in part.columns[name]] for name in first.columns},
            [one for part in parts for one in part.completions],
            [one for part in parts for one in part.results],
            [one for part in parts for one in part.endings],
        )


@dataclass(frozen=True, slots=True)
class ScoredRound:
    """Rewards of all completions of a round, None for unscored ones, and their metrics."""

    rewards: list[float | None]
    stats: dict[str, float]


def score_round(graded: GradedRollouts, reward: Guard, trial: Trial, round_: int) -> ScoredRound:
    """The rewards of a round, a function of its completions, the trial and the round's number
    only."""
    size, faults = trial.batch.num_generations, reward.faults
    found, results = graded.completions, graded.results
    verdicts = [result.verdict for result in results]
    groups = [slice(start, start + size) for start in range(0, len(found), size)]
    rewards_P_G = [
        reward(verdicts[g], found[g], group_seed(trial.seed, round_, i), f"{round_}/{i}")
        for i, g in enumerate(groups)
    ]
    levels = [graded.columns["level"][g.start] or None for g in groups]
    stats = batch_stats([results[g] for g in groups], rewards_P_G, levels)
    lengths, finishes = [c.n_tokens for c in found], [c.finish for c in found]
    numbers = measures(verdicts, [r.boxed for r in results], lengths, finishes)
    stats |= {name: numbers[of] or 0.0 for name, of in SHOWN.items()}
    stats |= response_stats(verdicts, lengths, graded.endings)
    stats["grade/reward_faults"] = float(reward.faults - faults)
    return ScoredRound([one for group in rewards_P_G for one in group], stats)


class RewardBridge:
    """TRL's reward function. One call a round and process: P prompts x G completions over all
    processes, groups contiguous.
    """

    __name__ = "zoo_reward"  # TRL names its metric after the function

    def __init__(
        self,
        trial: Trial,
        team: Team,
        reward: Guard,
        grade: Callable[[list[Item]], list[Result]],
        end_ids: Callable[[], list[int]],
        text_of: Callable[[list[int]], str],
        end_token: int,
        session: Session | None,
    ) -> None:
        """`session`: of the leader, which stores the rollouts."""
        self.trial, self.team, self.reward, self.grade = trial, team, reward, grade
        self.end_ids, self.text_of, self.end_token = end_ids, text_of, end_token
        self.session = session
        self._updates = trial.batch.updates * int(trial.grpo.get("num_iterations", 1))

    def __call__(
        self,
        prompts: list[str],
        completions: list[str],
        completion_ids: list[list[int]],
        trainer_state: Any,
        log_metric: Callable[[str, float], None],
        **columns: list[Any],
    ) -> list[float | None]:
        """Rewards of this process's completions, None where one cannot be scored.

        Raises:
            TrialError: of class `reward`, after the round is stored, if the reward fails too often.
        """
        columns |= {"prompt": prompts, "token_ids": completion_ids}
        clock = self.session.phases.timed("grading") if self.session else nullcontext()
        with clock:
            graded = self._graded(columns)
            parts = self.team.gather(graded)
            round_ = trainer_state.global_step // self._updates + 1
            scored = self._scored(GradedRollouts.joined(parts), round_) if self.team.leads else None
            scored = self.team.share(scored)
        for name, value in scored.stats.items():
            log_metric(name, value)
        first = self.team.rank * len(completion_ids)
        return scored.rewards[first : first + len(completion_ids)]

    def _graded(self, columns: dict[str, list[Any]]) -> GradedRollouts:
        token_ids, ends = columns["token_ids"], set(self.end_ids())
        texts = [self.text_of(ids) for ids in token_ids]
        pairs = zip(columns["gold"], texts, strict=True)
        results = self.grade([Item(gold, text) for gold, text in pairs])
        endings = [self._ending(ids, ends) for ids in token_ids]
        found = [
            Completion(text, result.boxed, len(ids), "length" if end == "length" else "stop")
            for text, result, ids, end in zip(texts, results, token_ids, endings, strict=True)
        ]
        kept = {name: columns[name] for name in ("prompt", "gold", "level", "token_ids")}
        return GradedRollouts(kept | {"id": columns["problem_id"]}, found, results, endings)

    def _scored(self, graded: GradedRollouts, round_: int) -> ScoredRound:
        """Score a round and store it."""
        scored = score_round(graded, self.reward, self.trial, round_)
        size, found = self.trial.batch.num_generations, graded.completions
        rows = {name: graded.columns[name] for name in ("id", "prompt", "gold")} | {
            "text": [completion.text for completion in found],
            "token_ids": graded.columns["token_ids"],
            "verdict": [str(result.verdict.value) for result in graded.results],
            "reward": scored.rewards,
            "finish": [completion.finish for completion in found],
            "round": [round_] * len(found),
            "group": [i // size for i in range(len(found))],
        }
        assert self.session is not None
        self.session.write_rollouts(round_, rows)
        self.reward.check()
        return scored

    def _ending(self, ids: list[int], ends: set[int]) -> Ending:
        """How a response ended."""
        if not ids or ids[-1] not in ends:
            return "length"
        return "end_token" if ids[-1] == self.end_token else "stop_token"
