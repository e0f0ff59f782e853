"""What happens beside the updates: re-seeding, rounds out of TRL's log lines, evaluation, and the
built-in guard.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from transformers import TrainerCallback, set_seed

from zoo.errors import TrialError
from zoo.train.session import SamplerFactory, Session

LOGP_LIMIT = 0.1  # nats; an engine with stale weights differs by 0.8 and more (measured)
LOGP_KEY = "train/sampling/sampling_logp_difference/mean"


class Reseed(TrainerCallback):
    """vLLM's start seeds python, numpy and torch with a constant; seed them from the trial again
    before training.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seed everything from the trial's seed."""
        set_seed(args.seed)


class Rounds(TrainerCallback):
    """Averages TRL's log lines of a round into one, evaluates where due, and hands both to the
    session.
    """

    def __init__(
        self, session: Session, updates_per_round: int, sampler: SamplerFactory, guard: bool
    ) -> None:
        self.session, self.updates, self.sampler, self.guard = (
            session,
            updates_per_round,
            sampler,
            guard,
        )
        self.lines: list[dict[str, float]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Take one log line (one update); at the last of a round, close the round."""
        if "train_runtime" in logs:  # the summary at the end of training
            return
        self.lines.append({k: v for k, v in logs.items() if isinstance(v, (int, float))})
        if len(self.lines) == self.updates:
            metrics = {f"train/{name}": value for name, value in average(self.lines).items()}
            self.lines = []
            self._close(state.global_step // self.updates, metrics)

    def _close(self, round_: int, metrics: dict[str, float]) -> None:
        difference = metrics.get(LOGP_KEY)
        if self.guard and difference is not None and not difference <= LOGP_LIMIT:
            self.session.log_round(round_, metrics)
            raise TrialError(
                "mismatch",
                f"round {round_}: engine and trainer differ by {difference:.3f} nats a token "
                f"(limit {LOGP_LIMIT}); the engine does not hold the trainer's weights, and "
                "nothing after this would mean anything",
            )
        self.session.log_round(round_, metrics | self.session.evaluate(round_, self.sampler))
        self.session.phase("training")


def average(lines: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each key over the lines that have it (NaN left out); the last value of `epoch` and
    `num_tokens`.
    """
    values: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        for name, value in line.items():
            if not (isinstance(value, float) and math.isnan(value)):
                values[name].append(value)
    return {
        k: v[-1] if k in ("epoch", "num_tokens") else sum(v) / len(v) for k, v in values.items()
    }
