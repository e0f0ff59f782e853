"""The gradient of an update does not depend on how compute splits it into forward passes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.pocket_trainer import pocket_trainer
from zoo.trainer.scored_only import ScoredOnlyTrainer

pytestmark = pytest.mark.usefixtures("one_thread")

COEF = 0.1
PER_UPDATE = 8
LENGTHS = (12, 3, 7, 1, 9, 12, 2, 5)  # tokens of the responses of an update
LOSSES = ("grpo", "dr_grpo", "dapo", "cispo")


def trainer_of(folder: Path, loss: str, micro: int, **said: Any) -> ScoredOnlyTrainer:
    """Two updates of eight responses a round, split into forward passes of `micro` responses."""
    made: ScoredOnlyTrainer = pocket_trainer(
        ScoredOnlyTrainer,
        folder,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=PER_UPDATE // micro,
        steps_per_generation=2 * PER_UPDATE // micro,
        loss_type=loss,
        epsilon_high=5.0,
        entropy_coef=COEF,
        **said,
    )
    made.model.train()
    made.current_gradient_accumulation_steps = PER_UPDATE // micro  # else set by `train`
    return made


@cache
def rollouts(unscored: tuple[int, ...] = ()) -> dict[str, torch.Tensor]:
    """Two updates of responses of unlike lengths, the second one shorter; the same every time.
    Rows of `unscored` are trained on in neither."""
    drawn = torch.Generator().manual_seed(0)
    lengths = torch.tensor(LENGTHS + tuple(max(1, n // 2) for n in LENGTHS))
    mask = (torch.arange(12) < lengths.unsqueeze(1)).int()
    scored = torch.tensor([row % PER_UPDATE not in unscored for row in range(len(lengths))])
    batch = {
        "prompt_ids": torch.randint(5, 20, (16, 4), generator=drawn),
        "prompt_mask": torch.ones(16, 4, dtype=torch.int),
        "completion_ids": torch.randint(5, 20, (16, 12), generator=drawn),
        "completion_mask": mask,
        "tool_mask": scored.unsqueeze(1).int().expand(16, 12),
        "advantages": torch.randn(16, generator=drawn),
    }
    return batch


def gradient(trainer: ScoredOnlyTrainer, unscored: tuple[int, ...] = ()) -> torch.Tensor:
    """The gradient of the second update, summed over its forward passes, in one row."""
    batch = rollouts(unscored)
    micro = trainer.args.per_device_train_batch_size
    tokens = (batch["completion_mask"] * batch["tool_mask"]).sum()
    more: dict[str, Any] = {"num_items_in_batch": tokens}
    if unscored:
        more["scored_share"] = torch.tensor(1 - len(unscored) / PER_UPDATE)
    passes = range(0, 2 * PER_UPDATE, micro)
    trainer._buffered_inputs = [
        {name: rows[at : at + micro] for name, rows in batch.items()} | more for at in passes
    ]
    trainer.model.zero_grad()
    each = PER_UPDATE // micro
    for trainer._step in range(each, 2 * each):
        trainer.accelerator.gradient_state._set_sync_gradients(trainer._step == 2 * each - 1)
        trainer._compute_loss(trainer.model, trainer._prepare_inputs({})).backward()
    parts = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
    return torch.cat(parts).clone()


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    """How far a gradient is from another, as a share of it."""
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("unscored", [(), (1, 4)])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_of_an_update_is_the_same_for_every_micro_batch(
    tmp_path: Path, loss: str, unscored: tuple[int, ...]
) -> None:
    found = {m: gradient(trainer_of(tmp_path, loss, m), unscored) for m in (8, 4, 2, 1)}
    assert found[8].abs().max() > 0
    assert max(off(found[m], found[8]) for m in (4, 2, 1)) < 1e-5


def test_entropy_bonus_of_an_update_is_the_mean_over_its_tokens(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, "dapo", 8)
    ours = gradient(trainer)
    trainer.entropy_over_update = False
    assert off(gradient(trainer), ours) < 1e-6  # of one forward pass both are the same


def test_entropy_bonus_over_micro_batches_is_as_trl_has_it(tmp_path: Path) -> None:
    found = {}
    for micro in (8, 1):
        trainer = trainer_of(tmp_path, "dapo", micro)
        trainer.entropy_over_update = False
        found[micro] = gradient(trainer)
    assert off(found[1], found[8]) > 1e-2


def test_loss_that_depends_on_the_micro_batch_still_does(tmp_path: Path) -> None:
    found = {m: gradient(trainer_of(tmp_path, "bnpo", m)) for m in (8, 1)}
    assert off(found[1], found[8]) > 1e-2


@pytest.mark.parametrize(("target", "expected"), [(0.0, COEF - 0.01), (100.0, COEF + 0.01)])
def test_adaptive_coefficient_moves_from_what_it_was(
    tmp_path: Path, target: float, expected: float
) -> None:
    said = {"use_adaptive_entropy": True, "entropy_target": target, "entropy_coef_delta": 0.01}
    coefficients = {}
    for micro in (8, 1):
        trainer = trainer_of(tmp_path, "dapo", micro, **said)
        trainer._last_world_entropy = 0.0  # as after a first update
        gradient(trainer)
        coefficients[micro] = trainer.entropy_coef
        assert trainer._metrics["train"]["entropy_coef"] == [pytest.approx(expected)]
    assert coefficients == {8: pytest.approx(expected), 1: pytest.approx(expected)}


@pytest.mark.parametrize("loss", [*LOSSES, "bnpo"])
def test_trimmed_padding_changes_no_gradient(tmp_path: Path, loss: str) -> None:
    trainer = trainer_of(tmp_path, loss, 2, beta=0.0)
    widths: list[int] = []
    whole = trainer._get_per_token_logps_and_entropies

    def seen(model: Any, ids: torch.Tensor, *args: Any, **more: Any) -> Any:
        widths.append(ids.shape[1] - 4)
        return whole(model, ids, *args, **more)

    trainer._get_per_token_logps_and_entropies = seen
    found = gradient(trainer)
    assert widths == [6, 3, 6, 2]  # the longest of each two of the second update
    trainer.trim_padding = False
    assert off(gradient(trainer), found) < 1e-5
    assert widths[4:] == [12, 12, 12, 12]
