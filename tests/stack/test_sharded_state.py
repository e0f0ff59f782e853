"""State of a model that torch shards over processes (gloo), saved whole and read by another number
of them. accelerate's own wrapping is left out on a CPU, so torch's `fully_shard` stands for it."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from zoo.launching.ranks import free_port
from zoo.trainer.sharded_state import (
    load_whole_optimizer,
    load_whole_weights,
    whole_optimizer,
    whole_weights,
)

BATCH = torch.arange(48.0).view(8, 6) / 48


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 3, bias=False))


def optimizer_of(made: nn.Module) -> torch.optim.AdamW:
    """Two groups, as transformers makes them."""
    named = dict(made.named_parameters())
    decays = [p for name, p in named.items() if not name.endswith("bias")]
    others = [p for name, p in named.items() if name.endswith("bias")]
    groups = [{"params": decays, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.01)


def step(made: nn.Module, optimizer: torch.optim.Optimizer, rows: torch.Tensor) -> None:
    optimizer.zero_grad()
    made(rows).square().mean().backward()
    optimizer.step()


def one_process(steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    made = model()
    optimizer = optimizer_of(made)
    for _ in range(steps):
        step(made, optimizer, BATCH)
    return copy.deepcopy(made.state_dict()), copy.deepcopy(optimizer.state_dict())


def of_process(rank: int, size: int, port: int, folder: str, read: bool) -> None:
    """Two steps over all processes, or two more of what is read; written whole by the first."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
    made, mesh = model(), init_device_mesh("cpu", (size,))
    for layer in (made[0], made[2], made):
        fully_shard(layer, mesh=mesh)
    optimizer = optimizer_of(made)
    if read:
        weights, state = torch.load(f"{folder}/read.pt", weights_only=True)
        load_whole_weights(made, weights)
        load_whole_optimizer(made, optimizer, state)
    part = BATCH.view(size, -1, 6)[rank]
    for _ in range(2):
        step(made, optimizer, part)
    found = whole_weights(made), whole_optimizer(made, optimizer)
    if rank == 0:
        torch.save(found, f"{folder}/written.pt")
    else:
        assert found == ({}, {})
    dist.barrier()
    os._exit(0)  # as trials end: gloo's threads now and then abort an interpreter that shuts down


def over(size: int, folder: Path, *, read: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    mp.spawn(of_process, (size, free_port(), str(folder), read), nprocs=size)
    return torch.load(folder / "written.pt", weights_only=True)


def assert_same(found: Any, wanted: Any) -> None:
    if isinstance(wanted, torch.Tensor):
        torch.testing.assert_close(found, wanted)
    elif isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for name in wanted:
            assert_same(found[name], wanted[name])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    else:
        assert found == wanted


@pytest.fixture(scope="module")
def two_steps(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return over(2, tmp_path_factory.mktemp("two"))


def test_state_that_is_gathered_is_that_of_one_process(two_steps: Any) -> None:
    weights, optimizer = two_steps
    wanted, wanted_optimizer = one_process(2)
    assert_same(weights, wanted)
    assert_same(optimizer["state"], wanted_optimizer["state"])
    for found, group in zip(
        optimizer["param_groups"], wanted_optimizer["param_groups"], strict=True
    ):
        assert found["params"] == group["params"]
        assert found["weight_decay"] == group["weight_decay"]


def test_state_of_two_processes_continues_in_one(two_steps: Any) -> None:
    weights, state = two_steps
    made = model()
    made.load_state_dict(weights)
    optimizer = optimizer_of(made)
    optimizer.load_state_dict(state)
    for _ in range(2):
        step(made, optimizer, BATCH)
    assert_same(made.state_dict(), one_process(4)[0])


def test_state_of_one_process_continues_in_two(tmp_path: Path) -> None:
    torch.save(one_process(2), tmp_path / "read.pt")
    weights, optimizer = over(2, tmp_path, read=True)
    wanted, wanted_optimizer = one_process(4)
    assert_same(weights, wanted)
    assert_same(optimizer["state"], wanted_optimizer["state"])
