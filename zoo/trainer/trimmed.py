"""Forward passes as wide as their own longest completion.

TRL pads all completions of a round to the longest of them, once, before it splits them into forward
passes (grpo_trainer.py:_generate_and_score_completions, 1.16), so that one response of the maximum
length makes every pass of the round as wide as that. Columns that are padding for every row of a
pass add nothing to any loss, KL or entropy: all of them are sums under the mask. Here they are cut
off before the pass. Loss and gradient change only by the rounding of sums. Prompts, padded on the
left, keep their width: without it, positions would move.
"""

from __future__ import annotations

from typing import Any

import torch
from trl import GRPOTrainer


class TrimmedTrainer(GRPOTrainer):
    """GRPOTrainer that computes no columns that are only padding."""

    trim_padding: bool = True

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        inputs: dict[str, Any] = super()._prepare_inputs(generation_batch)
        model: Any = self.model
        return trimmed(inputs) if self.trim_padding and model.training else inputs


def trimmed(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch of B rows and T completion tokens without its trailing columns of padding; at least
    one column is kept. Tensors that are not (B, T) of completions are not changed."""
    mask: torch.Tensor = batch["completion_mask"]
    used = mask.any(dim=0).nonzero()
    width = int(used[-1]) + 1 if len(used) else 1
    return {
        name: value[:, :width] if _is_of_completions(name, value, mask) else value
        for name, value in batch.items()
    }


def _is_of_completions(name: str, value: Any, mask: torch.Tensor) -> bool:
    if not isinstance(value, torch.Tensor) or name.startswith("prompt"):
        return False
    return value.shape[:2] == mask.shape
