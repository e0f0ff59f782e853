"""The gradient of an update does not depend on how compute splits it into forward passes."""

from __future__ import annotations

from functools import cache
from itertools import chain
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch

from tests.support.pocket_trainer import pocket_trainer
from zoo.trainer.scored_only import EXTREMES, MEANS, ScoredOnlyTrainer
from zoo.trainer.trimmed import by_length

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


def gradient(
    trainer: ScoredOnlyTrainer, unscored: tuple[int, ...] = (), *, ordered: bool = False
) -> torch.Tensor:
    """The gradient of the second update, summed over its forward passes, in one row. `ordered`: the
    rows of each update by their length."""
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
    if ordered:
        trainer._buffered_inputs = by_length(trainer._buffered_inputs, each)
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


@pytest.mark.parametrize("unscored", [(), (1, 4)])
@pytest.mark.parametrize("loss", [*LOSSES, "luspo", "sapo"])
def test_order_of_rows_within_an_update_changes_no_gradient_and_no_log(
    tmp_path: Path, loss: str, unscored: tuple[int, ...]
) -> None:
    found: dict[tuple[int, bool], torch.Tensor] = {}
    logs: dict[tuple[int, bool], dict[str, float]] = {}
    losses: dict[tuple[int, bool], float] = {}
    for micro, ordered in ((8, False), (2, False), (2, True), (1, True)):
        trainer = trainer_of(tmp_path, loss, micro, beta=0.1)
        batch = rollouts(unscored)
        drawn = torch.Generator().manual_seed(1)
        for name in ("old_per_token_logps", "ref_per_token_logps"):
            batch[name] = -3 * torch.rand(16, 12, generator=drawn)
        found[micro, ordered] = gradient(trainer, unscored, ordered=ordered)
        known = trainer._metrics["train"]
        logs[micro, ordered] = {
            name: mean(values) for name, values in known.items() if name in (*MEANS, *EXTREMES)
        }
        losses[micro, ordered] = mean(known["policy_loss"])
    rollouts.cache_clear()
    assert {"entropy", "kl"} <= set(logs[8, False])
    assert losses[2, True] == pytest.approx(losses[2, False], rel=1e-5)
    for key in logs:
        assert off(found[key], found[8, False]) < 1e-5
        assert logs[key] == pytest.approx(logs[8, False], rel=1e-5, abs=1e-7), key


def test_measure_of_a_pass_is_logged_by_its_share_of_the_update(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, "dapo", 2)
    trainer._metrics["train"]["entropy"] = [1.0]
    with trainer._logged_over_update(0.5):
        trainer._metrics["train"]["entropy"].append(3.0)
        trainer._metrics["train"]["clip_ratio/low_min"] += [0.25, float("nan"), 0.5]
    assert trainer._metrics["train"]["entropy"] == [1.0, 1.5]
    assert trainer._metrics["train"]["clip_ratio/low_min"] == [0.25]
    assert "kl" not in trainer._metrics["train"]


def test_log_probabilities_before_the_update_are_the_same_trimmed_and_ordered(
    tmp_path: Path,
) -> None:
    trainer, batch = trainer_of(tmp_path, "dapo", 4), rollouts()
    ids, mask = (
        torch.cat([batch[f"prompt_{name}"], batch[f"completion_{name}"]], dim=1)
        for name in ("ids", "mask")
    )
    widths: list[int] = []
    trainer.model.register_forward_pre_hook(
        lambda _, __, given: widths.append(given["input_ids"].shape[1] - 4), with_kwargs=True
    )
    found = {}
    for trainer.trim_padding in (False, True):
        with torch.no_grad():
            logps, *_ = trainer._get_per_token_logps_and_entropies(
                trainer.model, ids, mask, 12, batch_size=4, num_images=None
            )
        found[trainer.trim_padding] = logps * batch["completion_mask"]
    assert widths == [12, 12, 12, 12, 12, 6, 3, 1]
    assert found[True].shape == (16, 12)
    torch.testing.assert_close(found[True], found[False], rtol=1e-5, atol=1e-6)


ORDERED = {
    "dapo": {"loss_type": "dapo"},
    "over-update": {"loss_type": "dapo", "entropy_coef": COEF},
    "two-passes": {"loss_type": "grpo", "num_iterations": 2},
}
BY_PASS = {
    "bnpo": {"loss_type": "bnpo"},
    "over-pass": {"loss_type": "dapo", "entropy_coef": COEF},
    "quantile": {"loss_type": "dapo", "top_entropy_quantile": 0.5},
}


def logs_of(folder: Path, trim: bool, name: str, **said: Any) -> tuple[list[dict], list[list[int]]]:
    """Log lines of two rounds of two updates, and lengths in the passes of the last round."""
    trainer: ScoredOnlyTrainer = pocket_trainer(
        ScoredOnlyTrainer,
        folder,
        reward=lambda completions, **_: [float(len(text) % 3) for text in completions],
        per_device_train_batch_size=2,
        gradient_accumulation_steps=4,
        steps_per_generation=8,
        max_steps=4 * said.get("num_iterations", 1),
        logging_steps=1,
        **said,
    )
    trainer.trim_padding = trim
    trainer.entropy_over_update = name != "over-pass"
    trainer.train()
    batches: Any = trainer._buffered_inputs
    lengths = [batch["completion_mask"].sum(dim=1).tolist() for batch in batches]
    return trainer.state.log_history[:-1], lengths


@pytest.mark.parametrize("name", [*ORDERED, *BY_PASS])
def test_rounds_with_ordered_rows_are_those_without(tmp_path: Path, name: str) -> None:
    said = ORDERED | BY_PASS
    plain, lengths = logs_of(tmp_path, False, name, **said[name])
    fast, ordered = logs_of(tmp_path, True, name, **said[name])
    halves = [[*chain(*half)] for half in (lengths[:4], lengths[4:])]
    assert len(set(halves[0])) > 2
    if name in BY_PASS:
        assert ordered == lengths
    else:
        assert ordered != lengths
        found = [[*chain(*half)] for half in (ordered[:4], ordered[4:])]
        assert found == [sorted(half, reverse=True) for half in halves]
    assert len(plain) == len(fast) == 4 * said[name].get("num_iterations", 1)
    timed = ("step_time", "runtime")
    for one, other in zip(plain, fast, strict=True):
        for key in one:
            if not key.endswith(timed):
                assert other[key] == pytest.approx(one[key], rel=1e-4, abs=1e-6), key
