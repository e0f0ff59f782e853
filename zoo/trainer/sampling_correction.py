"""How many importance-sampling weights TRL clipped or masked: it logs the weights after that only
(grpo_trainer.py:_generate_and_score_completions, 1.16)."""

from __future__ import annotations

import math
from typing import Any

import torch

NAME = "sampling/importance_sampling_ratio"


def correction_shares(
    batch: dict[str, Any], mode: str, low: float | None, high: float | None
) -> dict[str, float]:
    """Shares of the trained tokens of a batch of B rows and T tokens whose weight was clipped to
    the limits (`..._truncate`), and whose weight was set to 0 (`..._mask`); the other share is 0.
    With the weight of a response (`sequence_...`), all of its tokens count.

    Args:
        batch: `old_per_token_logps` and `sampling_per_token_logps` (B, T), in nats; NaN where the
            engine gave none: the weight is then 1.
        mode: TRL's `vllm_importance_sampling_mode`.
        low: `vllm_importance_sampling_clip_min`; None = no limit. high: `..._clip_max`, the same.
    """
    trained = batch["completion_mask"]
    if "tool_mask" in batch:
        trained = trained * batch["tool_mask"]
    difference = batch["old_per_token_logps"] - batch["sampling_per_token_logps"]
    difference = torch.nan_to_num(difference * trained, nan=0.0)
    if mode.startswith("sequence"):
        difference = difference.sum(dim=-1, keepdim=True)
    ratio = torch.exp(difference)
    outside = (ratio < (-math.inf if low is None else low)) | (
        ratio > (math.inf if high is None else high)
    )
    share = float((outside & trained.bool()).sum() / trained.sum().clamp(min=1))
    masks = mode.endswith("_mask")
    return {
        f"{NAME}/frac_clipped": 0.0 if masks else share,
        f"{NAME}/frac_masked": share if masks else 0.0,
    }
