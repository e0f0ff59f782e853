"""Completions without a reward are as if they were not there: TRL's own loss on a pocket model,
with the rows masked and with the rows taken out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from trl import GRPOTrainer

from tests.support.pocket_trainer import pocket_trainer
from zoo.trainer.scored_only import ScoredOnlyTrainer, masked

pytestmark = pytest.mark.usefixtures("one_thread")

UNSCORED = (1, 2, 6)
NONE_SCORED = tuple(range(8))


def trainer_of(folder: Path, unscored: tuple[int, ...]) -> ScoredOnlyTrainer:
    """Two problems of four completions a batch, two updates a batch; rows `unscored` get None."""

    def reward(completions: list[str], **columns: Any) -> list[float | None]:
        return [None if i in unscored else float(i % 3) for i in range(len(completions))]

    return pocket_trainer(
        ScoredOnlyTrainer,
        folder,
        prompts=2,
        reward=reward,
        per_device_train_batch_size=4,
        steps_per_generation=2,
        gradient_accumulation_steps=1,
        max_steps=2,
        beta=0.1,
        learning_rate=1e-3,
        weight_decay=0.0,
        logging_steps=1,
    )


def gradient(trainer: GRPOTrainer, batch: dict[str, Any], **said: Any) -> torch.Tensor:
    """The gradient of the loss of a batch, all parameters in one row."""
    trainer.model.zero_grad()
    for name, value in said.items():
        setattr(trainer, name, value)
    trainer._compute_loss(trainer.model, batch).backward()
    parts = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
    return torch.cat(parts).clone()


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScoredOnlyTrainer, dict[str, Any]]:
    """A trainer, and a batch that it sampled, with some divergence from the reference model."""
    trainer = trainer_of(tmp_path_factory.mktemp("scored"), UNSCORED)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1  # else set by `train`
    rows = [{"prompt": f"What is {i}+{i}?"} for i in range(2) for _ in range(4)]
    batch = trainer._generate_and_score_completions(rows)
    torch.manual_seed(0)
    batch["ref_per_token_logps"] = (
        batch["ref_per_token_logps"] + torch.randn_like(batch["ref_per_token_logps"]) / 3
    )
    return trainer, batch


def test_rows_without_a_reward_are_masked_and_their_tokens_not_counted(sampled: Any) -> None:
    _, batch = sampled
    kept = [row for row in range(8) if row not in UNSCORED]
    assert batch["tool_mask"].any(dim=1).nonzero().flatten().tolist() == kept
    assert batch["num_items_in_batch"] == batch["completion_mask"][kept].sum()
    assert all(batch["advantages"][row] == 0 for row in UNSCORED)


@pytest.mark.parametrize(
    ("loss", "level"),
    [
        *((loss, "token") for loss in ("dapo", "cispo", "vespo", "bnpo", "grpo", "sapo")),
        *(("dr_grpo", "token"), ("luspo", "sequence"), ("dapo", "sequence")),
    ],
)
def test_the_gradient_is_that_of_a_batch_without_those_rows(
    sampled: Any, loss: str, level: str
) -> None:
    trainer, batch = sampled
    said = {"loss_type": loss, "importance_sampling_level": level, "epsilon_high": 5.0}
    found = gradient(trainer, batch, **said)
    rows = torch.tensor([row for row in range(8) if row not in UNSCORED])
    left = {k: v[rows] if v.ndim else v for k, v in batch.items() if k != "scored_share"}
    expected = gradient(trainer, left, **said)
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    as_trl = {k: v for k, v in batch.items() if k not in ("tool_mask", "scored_share")}
    as_trl["num_items_in_batch"] = batch["completion_mask"].sum()
    assert not torch.allclose(gradient(trainer, as_trl, **said), expected, rtol=1e-2, atol=1e-4)


def test_a_round_without_any_reward_trains_nothing_and_goes_on(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, NONE_SCORED)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train()
    assert trainer.state.global_step == 2
    assert [line["loss"] for line in trainer.state.log_history if "loss" in line] == [0.0, 0.0]
    for name, parameter in trainer.model.named_parameters():
        assert torch.equal(parameter.detach().cpu(), before[name]), name


def test_a_round_with_some_rewards_trains_through_shuffling_and_splitting(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, UNSCORED)
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert len(losses) == 2
    assert all(loss == loss for loss in losses)


def test_tokens_of_tools_stay_masked() -> None:
    tokens = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0]])
    tools = torch.tensor([[1, 0, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]])
    scored = torch.tensor([True, False, True])
    found = masked({"completion_mask": tokens, "tool_mask": tools}, scored)
    assert found["num_items_in_batch"] == 3
    assert (tokens * found["tool_mask"]).tolist() == [[1, 0, 1, 0], [0] * 4, [0, 1, 0, 0]]
    plain = masked({"completion_mask": tokens}, scored)
    assert plain["num_items_in_batch"] == 5
