"""Which columns of a batch are padding alone."""

from __future__ import annotations

import torch

from zoo.trainer.trimmed import by_length, trimmed


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


def test_rows_of_an_update_are_ordered_by_length_and_stay_in_their_update() -> None:
    lengths = [[2, 4], [1, 3], [4, 1], [2, 2]]  # of two passes of two updates
    batches = [
        batch([[1] * n + [0] * (4 - n) for n in each]) | {"advantages": torch.tensor(each) / 10}
        for each in lengths
    ]
    found = by_length(batches, 2)  # type: ignore[arg-type]
    rows = [one["completion_mask"].sum(dim=1).tolist() for one in found]
    assert rows == [[4, 3], [2, 1], [4, 2], [2, 1]]
    for one in found:
        assert torch.equal(one["advantages"] * 10, one["completion_mask"].sum(dim=1).float())
        assert one["num_items_in_batch"] == 7
        assert one["ref_per_token_logps"] is None
    assert by_length(batches[:1], 1)[0] is batches[0]  # type: ignore[arg-type]
