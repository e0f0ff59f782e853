"""Optimiser, schedule and generators as safetensors and JSON: the same values again, no pickles."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from zoo.errors import TrialError  # noqa: E402
from zoo.trainer import plain_state  # noqa: E402


def trained() -> tuple[torch.nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6 / 3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 7))
    for _ in range(3):
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()
        schedule.step()
    return model, optimizer, schedule


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        assert isinstance(other, dict)
        return list(one) == list(other) and all(same(v, other[k]) for k, v in one.items())
    if isinstance(one, (list, tuple)):
        assert isinstance(other, (list, tuple))
        return type(one) is type(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and one == other


def test_optimizer_and_schedule_written_and_read_are_the_same_bit_for_bit(tmp_path: Path) -> None:
    _, optimizer, schedule = trained()
    state = {"optimizer": optimizer.state_dict(), "scheduler": schedule.state_dict()}
    plain_state.write(tmp_path, state)
    found = plain_state.read(tmp_path)
    assert same(found, state)
    _, other, again = trained()
    other.load_state_dict(found["optimizer"])
    again.load_state_dict(found["scheduler"])
    assert same(other.state_dict(), state["optimizer"])


def test_state_is_two_files_and_no_pickle(tmp_path: Path) -> None:
    _, optimizer, _ = trained()
    plain_state.write(tmp_path, {"optimizer": optimizer.state_dict()})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "training_state.json",
        "training_state.safetensors",
    ]


def test_generators_restored_draw_the_same_numbers(tmp_path: Path) -> None:
    random.gauss(0, 1)
    np.random.standard_normal()
    plain_state.write(tmp_path, plain_state.generators())

    def draw() -> tuple[float, float, float, float]:
        one, two = random.gauss(0, 1), random.random()
        return one, two, float(np.random.standard_normal()), float(torch.randn(()))

    once = draw()
    plain_state.restore_generators(plain_state.read(tmp_path))
    assert draw() == once


def test_object_without_plain_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Path has no plain form"):
        plain_state.write(tmp_path, {"optimizer": tmp_path})


def test_checkpoint_with_pickles_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "optimizer.pt").write_bytes(b"pickle")
    with pytest.raises(TrialError, match="checkpoints of earlier versions, with pickles"):
        plain_state.read(tmp_path)
