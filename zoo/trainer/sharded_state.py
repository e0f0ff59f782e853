"""Gather and restore the full state of weights and optimiser that are sharded over several
processes (FSDP2).

A full state has the form of a single process: weights by name, the optimiser by the index of a
parameter in its groups. So training continues from a checkpoint on any number of processes.
Gathering is a collective: all processes call it, and the first gets the state.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
"""The first process gets everything, in its own memory; the others get nothing."""
EVERYWHERE = StateDictOptions(full_state_dict=True)
"""Every process has the full state and takes its shard."""


def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    """All weights of a model, on the CPU."""
    found: Any = get_model_state_dict(model, options=WHOLE)
    return found


def load_whole_weights(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load full weights into a sharded model."""
    set_model_state_dict(model, state, options=EVERYWHERE)


def whole_optimizer(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """The full state of an optimiser over a sharded model, in the form of `Optimizer.state_dict`;
    empty except in the first process."""
    found: Any = get_optimizer_state_dict(model, optimizer, options=WHOLE)
    if not found:
        return {}
    groups: list[dict[str, Any]] = []
    state: dict[int, Any] = {}
    for group in found["param_groups"]:
        names: list[str] = group["params"]
        numbers = range(len(state), len(state) + len(names))
        state |= {number: found["state"][name] for number, name in zip(numbers, names, strict=True)}
        groups.append({**group, "params": list(numbers)})
    return {"state": state, "param_groups": groups}


def load_whole_optimizer(model: nn.Module, optimizer: Optimizer, whole: dict[str, Any]) -> None:
    """Put what `whole_optimizer` or a single process's optimiser gave into one over a sharded
    model whose parameters are in the same order."""
    name_of = {parameter: name for name, parameter in model.named_parameters()}
    groups: list[dict[str, Any]] = []
    state: dict[str, Any] = {}
    for own, group in zip(optimizer.param_groups, whole["param_groups"], strict=True):
        names = [name_of[parameter] for parameter in own["params"]]
        for number, name in zip(group["params"], names, strict=True):
            if number in whole["state"]:
                state[name] = whole["state"][number]
        groups.append({**group, "params": names})
    found = {"state": state, "param_groups": groups}
    set_optimizer_state_dict(model, optimizer, found, options=EVERYWHERE)
