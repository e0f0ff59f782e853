"""GRPOTrainer that trains on scored completions only: one without a reward has no effect on the
update.

TRL leaves a completion whose reward is None out of its group's mean and gives it no advantage, but
counts its tokens in the normaliser of the loss, in KL and in entropy
(grpo_trainer.py:_generate_and_score_completions, 1.16). Here such rows are masked as TRL masks the
output of tools (`tool_mask`: read by attention, never trained on), in the order that the batch has
before TRL shuffles and splits it. The effect, by `loss_type`:

- dapo, cispo, vespo divide by `num_items_in_batch`, which is counted again;
- bnpo divides by the unmasked tokens of a forward pass, so the mask is enough;
- grpo, sapo, dr_grpo, luspo divide by rows, masked or not, so their loss is multiplied by rows over
  scored rows of the whole batch (with it, a bonus for balance, where one is on).

A batch without any scored completion has a loss of zero.

The bonus for entropy is TRL's mean over the tokens of a forward pass, then a plain mean over the
passes of an update: it depends on how compute splits the update. `entropy_over_update` makes it the
mean over the tokens of the update, by the coefficient of each pass. What TRL logs of entropy, KL
and clipped ratios depends on the split likewise; here it is always over the update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from zoo.trainer.trimmed import TrimmedTrainer

DIVIDED_BY_ROWS = ("grpo", "sapo", "dr_grpo", "luspo")
MEANS = (
    *("entropy", "kl"),
    *(f"clip_ratio/{which}_mean" for which in ("low", "high", "region")),
    "cispo_clip_ratio",
)
"""What TRL logs as a mean over the tokens of a forward pass; all but the first two over its
responses where ratios are by sequence."""
EXTREMES: dict[str, Callable[[list[float]], float]] = {
    "clip_ratio/low_min": min,
    "clip_ratio/high_max": max,
}


class ScoredOnlyTrainer(TrimmedTrainer):
    """GRPOTrainer whose loss, KL and entropy do not see completions without a reward."""

    _scored: torch.Tensor  # (B,) bool: rows of all processes that have a reward
    _tokens: list[float] = []
    """Of each forward pass of the current update."""
    entropy_over_update: bool = True
    """Whether the entropy bonus is a mean over the update, else over each forward pass."""

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        rewards = super()._calculate_rewards(*args, **kwargs)
        self._scored = ~torch.isnan(rewards).all(dim=1)
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super()._generate_and_score_completions(inputs)
        if self._scored.all():
            return batch
        first = self.accelerator.process_index * len(inputs)
        batch |= masked(batch, self._scored[first : first + len(inputs)])
        tokens: Any = self.accelerator.gather(batch["num_items_in_batch"])
        batch["num_items_in_batch"] = tokens.sum()
        batch["scored_share"] = self._scored.float().mean()
        return batch

    def _loss_is_by_pass(self) -> bool:
        bonus = self._entropy_bonus_enabled and not self.entropy_over_update
        return bonus or super()._loss_is_by_pass()

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        inputs = super()._prepare_inputs(generation_batch)
        model: Any = self.model
        if model.training:
            passes = self.current_gradient_accumulation_steps
            at = self._step % self.args.steps_per_generation
            if at % passes == 0 or not self._tokens:
                self._tokens = self._tokens_by_pass(at - at % passes, passes)
            inputs["tokens_by_pass"] = self._tokens
        return inputs

    def _tokens_by_pass(self, begin: int, passes: int) -> list[float]:
        """Trained tokens of each forward pass of an update, of all processes."""
        batches: Any = self._buffered_inputs
        own = [trained_tokens(batch) for batch in batches[begin : begin + passes]]
        every: Any = self.accelerator.gather(torch.stack(own))
        return every.view(-1, passes).sum(dim=0).tolist()

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        share = inputs.get("scored_share")
        if share is None or share == 0 or self.loss_type not in DIVIDED_BY_ROWS:
            share = 1.0
        if (tokens := inputs.get("tokens_by_pass")) is None:
            return super()._compute_loss(model, inputs) / share
        every, passes = max(1.0, sum(tokens)), len(tokens)
        with self._logged_over_update(passes * tokens[self._step % passes] / every):
            if not (self._entropy_bonus_enabled and self.entropy_over_update):
                return super()._compute_loss(model, inputs) / share
            part = trained_tokens(inputs) / every
            with self._entropy_weighted(part * passes * self.accelerator.num_processes * share):
                return super()._compute_loss(model, inputs) / share

    @contextmanager
    def _logged_over_update(self, weight: float) -> Iterator[None]:
        """Log measures over the update. TRL averages what it logged of each forward pass: with a
        weight, means over a pass's tokens come to the mean over the update's; the extremes over
        responses stay extremes."""
        logged = self._metrics["train"]
        by_token = MEANS if self.importance_sampling_level == "token" else MEANS[:2]
        before = {name: len(logged.get(name, ())) for name in by_token}
        yield
        for name in filter(logged.get, by_token):
            new = logged[name][before[name] :]
            logged[name][before[name] :] = [weight * value for value in new]
        for name, extreme in EXTREMES.items():
            if known := [value for value in logged.get(name, ()) if not math.isnan(value)]:
                logged[name] = [extreme(known)]

    @contextmanager
    def _entropy_weighted(self, weight: torch.Tensor) -> Iterator[None]:
        """TRL's entropy bonus times a number. If TRL adapts its coefficient to an entropy target
        meanwhile, the change applies to the original coefficient."""
        before, logged = self.entropy_coef, self._metrics["train"]["entropy_coef"]
        lines = len(logged)
        self.entropy_coef = before * weight
        try:
            yield
        finally:
            self.entropy_coef = before
        if self.use_adaptive_entropy and self.accelerator.sync_gradients:
            said, low = self.args, self._last_world_entropy <= self.args.entropy_target
            if low:
                self.entropy_coef = min(before + said.entropy_coef_delta, said.entropy_coef_max)
            else:
                self.entropy_coef = max(before - said.entropy_coef_delta, said.entropy_coef_min)
        logged[lines:] = [self.entropy_coef] * (len(logged) - lines)


def trained_tokens(batch: dict[str, Any]) -> torch.Tensor:
    """How many tokens of a batch are trained on."""
    tokens = batch["completion_mask"]
    return (tokens * batch["tool_mask"] if "tool_mask" in batch else tokens).sum()


def masked(batch: dict[str, torch.Tensor], scored: torch.Tensor) -> dict[str, torch.Tensor]:
    """What changes in a batch of B rows and T tokens when only the `scored` rows (B,) are trained
    on: `tool_mask` (B, T), and `num_items_in_batch`, the tokens that are left.
    """
    tokens = batch["completion_mask"]
    trained = batch.get("tool_mask", torch.ones_like(tokens)) * scored.unsqueeze(1).to(tokens.dtype)
    return {"tool_mask": trained, "num_items_in_batch": (tokens * trained).sum()}
