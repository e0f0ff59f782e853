"""Forward passes without needless padding: completions of like length share one, and none is wider
than its own longest completion.

TRL pads all completions of a round to the longest of them, once, and splits them at random into
updates and forward passes (grpo_trainer.py:_prepare_inputs, 1.16), so that one response of the
maximum length makes every pass of the round as wide as that. Here the completions of each update
are ordered by length before they are split into passes, and columns that are padding for every row
of a pass are cut off. The same for log-probabilities before the update, over the whole round.

The completions of an update stay the same, and sums under the mask depend neither on the order of
rows nor on padding: loss and gradient of the update change only by the rounding of sums. Where a
loss depends on which completions share a pass, the order stays as well. Prompts, padded on the
left, keep their width: without it, positions would move.
"""

from __future__ import annotations

from typing import Any

import torch
from trl import GRPOTrainer

Batch = dict[str, Any]


class TrimmedTrainer(GRPOTrainer):
    """GRPOTrainer that computes few columns that are padding."""

    args: Any  # typed as the settings of any trainer
    trim_padding: bool = True

    def _loss_is_by_pass(self) -> bool:
        """Whether the loss depends on which completions share a forward pass."""
        return (
            self.loss_type == "bnpo" or self.top_entropy_quantile < 1 or bool(self.aux_loss_enabled)
        )

    def _prepare_inputs(self, generation_batch: Any) -> Batch:
        before, model = self._buffered_inputs, self.model
        inputs: Any = super()._prepare_inputs(generation_batch)
        if not (self.trim_padding and model is not None and model.training):
            return inputs
        made: Any = self._buffered_inputs
        if made is not before and not self._loss_is_by_pass():
            made = by_length(made, self.args.gradient_accumulation_steps)
            self._buffered_inputs = made
            inputs = made[self._step % self.args.steps_per_generation]
        return trimmed(inputs)

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **more: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        whole = super()._get_per_token_logps_and_entropies
        given = model, input_ids, attention_mask, logits_to_keep, batch_size
        several = batch_size is not None and not torch.is_grad_enabled()
        if not (self.trim_padding and several) or any(v is not None for v in more.values()):
            return whole(*given, **more)
        mask = attention_mask[:, -logits_to_keep:]
        found = input_ids.new_zeros(mask.shape, dtype=torch.float32)
        for rows in order_of(mask).split(batch_size):
            width = used_columns(mask[rows])
            end = input_ids.shape[1] - logits_to_keep + width
            part = input_ids[rows, :end], attention_mask[rows, :end]
            logps, _, _ = whole(model, *part, width)
            found = found.to(logps.dtype)
            found[rows, :width] = logps
        return found, None, None


def order_of(mask: torch.Tensor) -> torch.Tensor:
    """The rows of a mask (B, T), the longest first, so that memory is at its peak at once; (B,)."""
    return mask.sum(dim=1).argsort(descending=True, stable=True)


def used_columns(mask: torch.Tensor) -> int:
    """Columns of a mask (B, T) up to the last one that any row has, 1 or more."""
    used = mask.any(dim=0).nonzero()
    return int(used[-1]) + 1 if len(used) else 1


def by_length(batches: list[Batch], passes: int) -> list[Batch]:
    """The batches of a round, with the completions of each update in the order of their length.

    Args:
        batches: of the forward passes, of equally many rows.
        passes: of an update.
    """
    found: list[Batch] = []
    for begin in range(0, len(batches), passes):
        found += _ordered(batches[begin : begin + passes])
    return found


def _ordered(batches: list[Batch]) -> list[Batch]:
    if len(batches) == 1:
        return batches
    order = order_of(torch.cat([batch["completion_mask"] for batch in batches]))
    found: list[Batch] = [{} for _ in batches]
    for name, first in batches[0].items():
        values = [batch[name] for batch in batches]
        if isinstance(first, torch.Tensor) and first.ndim:
            values = torch.cat(values)[order].split(len(first))
        for batch, value in zip(found, values, strict=True):
            batch[name] = value
    return found


def trimmed(batch: Batch) -> Batch:
    """A batch of B rows and T completion tokens without its trailing columns of padding; at least
    one column is kept. Tensors that are not (B, T) of completions are not changed."""
    mask: torch.Tensor = batch["completion_mask"]
    width = used_columns(mask)
    return {
        name: value[:, :width] if _is_of_completions(name, value, mask) else value
        for name, value in batch.items()
    }


def _is_of_completions(name: str, value: Any, mask: torch.Tensor) -> bool:
    if not isinstance(value, torch.Tensor) or name.startswith("prompt"):
        return False
    return value.shape[:2] == mask.shape
