"""GRPOTrainer that trains on scored completions alone: one without a reward is as if it were not in
the batch.

TRL leaves a completion whose reward is None out of its group's mean and gives it no advantage, but
counts its tokens in the normaliser of the loss, in KL and in entropy
(grpo_trainer.py:_generate_and_score_completions, 1.16). Here such rows are masked as TRL masks the
output of tools (`tool_mask`: read by attention, never trained on), in the order that the batch has
before TRL shuffles and splits it. What that does, by `loss_type`:

- dapo, cispo, vespo divide by `num_items_in_batch`, which is counted anew;
- bnpo divides by the unmasked tokens of a forward pass, so the mask is enough;
- grpo, sapo, dr_grpo, luspo divide by rows, masked or not, so their loss is multiplied by rows over
  scored rows of the whole batch (with it, a bonus for entropy or balance, where one is on).

A batch without any scored completion has a loss of zero.
"""

from __future__ import annotations

from typing import Any

import torch
from trl import GRPOTrainer

DIVIDED_BY_ROWS = ("grpo", "sapo", "dr_grpo", "luspo")


class ScoredOnlyTrainer(GRPOTrainer):
    """GRPOTrainer whose loss, KL and entropy do not see completions without a reward."""

    _scored: torch.Tensor  # (B,) bool: rows of all processes that have a reward

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

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        loss = super()._compute_loss(model, inputs)
        share = inputs.get("scored_share")
        if share is None or share == 0 or self.loss_type not in DIVIDED_BY_ROWS:
            return loss
        return loss / share


def masked(batch: dict[str, torch.Tensor], scored: torch.Tensor) -> dict[str, torch.Tensor]:
    """What changes in a batch of B rows and T tokens when only the `scored` rows (B,) are trained
    on: `tool_mask` (B, T), and `num_items_in_batch`, the tokens that are left.
    """
    tokens = batch["completion_mask"]
    trained = batch.get("tool_mask", torch.ones_like(tokens)) * scored.unsqueeze(1).to(tokens.dtype)
    return {"tool_mask": trained, "num_items_in_batch": (tokens * trained).sum()}
