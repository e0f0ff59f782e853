"""Everything around the updates: re-seeding, rounds out of TRL's log lines, evaluation, and the
built-in guards against an engine with other weights and against weights that are not finite.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, set_seed

from zoo.errors import FailureClass, TrialError
from zoo.train.base_divergence import BaseDivergence
from zoo.train.endings import Followed, Stopped
from zoo.train.session import Session
from zoo.trainer.phases import peak_memory
from zoo.trials.metrics import KL_BASE_POLICY

if TYPE_CHECKING:
    from zoo.train.assembly import Assembly

LOGP_LIMIT = 0.1  # nats; an engine with stale weights differs by 0.8 and more (measured)
LOGP_KEY = "train/sampling/sampling_logp_difference/mean"


class Reseed(TrainerCallback):
    """vLLM's start seeds python, numpy and torch with a constant; seed them from the trial again
    before training. Where training continues, the Trainer loads the generators' states after this.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seed everything from the trial's seed."""
        set_seed(args.seed)


class Begin(TrainerCallback):
    """Does something once training begins."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self.begin = begin

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Do it."""
        self.begin()


class FollowRounds(TrainerCallback):
    """At the end of each round, performs what the leader of the trial requests."""

    def __init__(self, made: Assembly) -> None:
        self.made = made

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Follow, after the last update of a round."""
        ends = state.global_step % self.made.updates == 0
        if "train_runtime" not in logs and ends and self.made.team.follow():
            raise Followed


class Rounds(TrainerCallback):
    """Averages TRL's log lines of a round into one and closes the round in the session."""

    def __init__(self, session: Session, made: Assembly) -> None:
        self.session, self.made = session, made
        self.divergence: BaseDivergence | None = None
        self.lines: list[dict[str, float]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Take one log line (one update); at the last of a round, close the round."""
        if "train_runtime" in logs:  # the summary at the end of training
            return
        must_be_finite(logs, state.global_step, self.made.updates)
        self.lines.append({k: v for k, v in logs.items() if isinstance(v, (int, float))})
        if len(self.lines) == self.made.updates:
            metrics = {f"train/{name}": value for name, value in average(self.lines).items()}
            self.lines = []
            round_ = state.global_step // self.made.updates
            if not self.made.is_alive():
                raise Stopped("diverged", f"round {round_}: the policy computes no finite numbers")
            self._close(round_, metrics)

    def _close(self, round_: int, metrics: dict[str, float]) -> None:
        difference = metrics.get(LOGP_KEY)
        if (
            self.made.profile.device == "cpu"
            and difference is not None
            and not difference <= LOGP_LIMIT
        ):
            self.session.log_round(round_, metrics)
            raise TrialError(
                FailureClass.MISMATCH,
                f"round {round_}: engine and trainer differ by {difference:.3f} nats a token "
                f"(limit {LOGP_LIMIT}); the engine does not have the trainer's weights, so "
                "later rounds would be invalid",
            )
        metrics |= self._measured(round_) | self._costs(metrics)
        made = self.made
        ending = self.session.close_round(round_, metrics, made.sampler, made.keep, made.save)
        made.team.over(ended=ending is not None)
        if ending is not None:
            raise ending

    def _measured(self, round_: int) -> dict[str, float]:
        """Metrics of the policy itself, where `watch` evaluates."""
        if self.divergence is None or round_ not in self.divergence.rounds:
            return {}
        with self.session.phases.timed("evaluation"):
            return {KL_BASE_POLICY: self.divergence.measure()}

    def _costs(self, metrics: dict[str, float]) -> dict[str, float]:
        """Times and memory of a round, the only metrics in which equal runs differ."""
        trial, profile = self.session.trial, self.session.job.profile
        tokens = metrics.get("train/completions/mean_length", 0.0) * trial.batch.completions
        costs = self.session.phases.take(tokens)
        return costs | {"train/peak_memory": peak_memory(profile.device)}


def must_be_finite(logs: dict[str, Any], step: int, updates: int) -> None:
    """End training at the first update whose loss or gradient is no finite number.

    Args:
        step: updates so far, this one included. updates: updates a round.

    Raises:
        Stopped: it is not; what comes after it would be no measurement of anything.
    """
    for name in ("loss", "grad_norm"):
        value = logs.get(name)
        if isinstance(value, (int, float)) and not math.isfinite(value):
            round_, update = (step - 1) // updates + 1, (step - 1) % updates + 1
            where = f"round {round_}, update {update} of {updates}"
            raise Stopped("diverged", f"{where}: {name} is {value}")


@torch.no_grad()
def is_alive(model: Any) -> bool:
    """Whether a policy still computes finite logits, on a prompt of two tokens. Weights that are
    finite may be too large for that."""
    ids = torch.zeros((1, 2), dtype=torch.long, device=model.device)
    training = model.training
    model.eval()  # draws nothing at random
    finite = torch.isfinite(model(input_ids=ids).logits).all()
    model.train(training)
    return bool(finite)


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
