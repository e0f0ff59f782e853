"""Which columns of a batch are padding alone."""

from __future__ import annotations

import torch

from zoo.trainer.trimmed import trimmed


def batch(mask: list[list[int]]) -> dict[str, object]:
    rows = torch.tensor(mask)
    return {
        "prompt_ids": torch.ones_like(rows),
        "completion_ids": torch.ones_like(rows),
        "completion_mask": rows,
        "old_per_token_logps": torch.rand(rows.shape),
        "importance_sampling_ratio": torch.ones(len(rows), 1),
        "advantages": torch.ones(len(rows)),
        "num_items_in_batch": torch.tensor(7),
        "ref_per_token_logps": None,
    }


def test_trimmed_batch_is_as_wide_as_its_longest_completion() -> None:
    made = batch([[1, 1, 0, 0], [1, 1, 1, 0]])
    found = trimmed(made)
    for name in ("completion_ids", "completion_mask", "old_per_token_logps"):
        assert torch.equal(found[name], made[name][:, :3])  # type: ignore[index]
    for name in ("prompt_ids", "importance_sampling_ratio", "advantages", "num_items_in_batch"):
        assert found[name] is made[name]
    assert found["ref_per_token_logps"] is None


def test_trimmed_batch_keeps_a_column_where_every_completion_is_masked() -> None:
    assert trimmed(batch([[0, 0], [0, 0]]))["completion_ids"].shape == (2, 1)
    whole = batch([[1, 1], [1, 0]])
    assert trimmed(whole)["completion_ids"].shape == (2, 2)
