"""Shares of clipped and masked importance-sampling weights, as TRL makes these weights."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch

from zoo.trainer.sampling_correction import NAME, correction_shares

RATIOS = torch.tensor([[2.0, 4.0, 1.0, 9.0], [1.0, 0.5, 8.0, 8.0], [1.0, 1.0, 2.0, 8.0]])
TOKENS = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]])


def batch(**more: Any) -> dict[str, Any]:
    """Three responses of 3, 2 and 4 tokens; what lies beyond them counts for nothing."""
    engine = torch.full((3, 4), -2.0)
    return {
        "completion_mask": TOKENS,
        "old_per_token_logps": engine + torch.log(RATIOS),
        "sampling_per_token_logps": engine,
    } | more


@pytest.mark.parametrize(
    ("mode", "low", "high", "clipped", "masked"),
    [
        ("token_truncate", None, 3.0, 2 / 9, 0),
        ("token_truncate", 0.6, 3.0, 3 / 9, 0),
        ("token_mask", None, 3.0, 0, 2 / 9),
        ("sequence_truncate", None, 3.0, 7 / 9, 0),  # products 8, 0.5, 16
        ("sequence_mask", None, 10.0, 0, 4 / 9),
        ("sequence_mask", 0.6, None, 0, 2 / 9),
        ("token_truncate", None, None, 0, 0),
    ],
)
def test_shares_are_of_trained_tokens_outside_the_limits(
    mode: str, low: float | None, high: float | None, clipped: float, masked: float
) -> None:
    found = correction_shares(batch(), mode, low, high)
    assert found[f"{NAME}/frac_clipped"] == pytest.approx(clipped)
    assert found[f"{NAME}/frac_masked"] == pytest.approx(masked)


def test_rows_that_are_not_trained_on_and_missing_probabilities_count_for_nothing() -> None:
    scored = torch.tensor([[1], [1], [0]]).expand(3, 4)
    engine = torch.full((3, 4), -2.0)
    engine[0, 1] = math.nan
    given = batch(tool_mask=scored, sampling_per_token_logps=engine)
    found = correction_shares(given, "token_truncate", 0.6, 3.0)
    assert found[f"{NAME}/frac_clipped"] == pytest.approx(1 / 5)  # 0.5 of the second response
    none = batch(tool_mask=torch.zeros_like(scored))
    assert set(correction_shares(none, "token_mask", None, 3.0).values()) == {0.0}


def test_trl_has_the_modes_and_the_limits_that_are_counted() -> None:
    from trl import GRPOTrainer

    source = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    assert "(vllm_importance_sampling_ratio < min_val)" in source
    assert "vllm_importance_sampling_ratio > max_val" in source
    assert "max=self.vllm_importance_sampling_clip_max" in source
    assert "per_token_logps_diff.sum(dim=-1, keepdim=True)" in source
