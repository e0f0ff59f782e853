"""States of optimiser, schedule and random generators as safetensors and JSON, without pickles.

`training_state.safetensors` holds every tensor, `training_state.json` all else, with `{"tensor":
NAME}` in a tensor's place. Tuples and dictionaries with keys that are not strings keep their type;
numbers are exact.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from zoo.errors import FailureClass, TrialError

TENSORS, REST = "training_state.safetensors", "training_state.json"


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write a nested state of tensors, numbers, texts, lists, tuples and dictionaries.

    Raises:
        TypeError: a value of another kind.
    """
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_plain(state, tensors))
    save_file(tensors, folder / TENSORS)
    (folder / REST).write_text(text, encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """The state that `write` wrote, its tensors on the CPU.

    Raises:
        TrialError: there is none; checkpoints of earlier versions pickled it.
    """
    if not (folder / REST).is_file():
        text = f"{folder}: no {REST}; checkpoints of earlier versions, with pickles, do not "
        text += "continue: go back to that version, or remove the folder to begin at round 0"
        raise TrialError(FailureClass.CONFIG, text)
    rest = json.loads((folder / REST).read_text(encoding="utf-8"))
    return _whole(rest, load_file(folder / TENSORS))


def _plain(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """A value as JSON; its tensors go into `tensors`."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _plain(inside, tensors)] for key, inside in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_plain(inside, tensors) for inside in value]}
    if isinstance(value, list):
        return [_plain(inside, tensors) for inside in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a training state with {type(value).__name__} has no plain form")


def _whole(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Convert a plain value back."""
    if isinstance(value, list):
        return [_whole(inside, tensors) for inside in value]
    if not isinstance(value, dict):
        return value
    ((kind, inside),) = value.items()
    if kind == "tensor":
        return tensors[inside]
    if kind == "tuple":
        return tuple(_whole(one, tensors) for one in inside)
    return {key: _whole(one, tensors) for key, one in inside}


def generators() -> dict[str, Any]:
    """The states of all random generators that training draws from."""
    name, keys, *rest = np.random.get_state()
    found: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (name, np.asarray(keys).tolist(), *rest),
        "cpu": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        found["cuda"] = torch.cuda.get_rng_state_all()
    return found


def restore_generators(state: dict[str, Any]) -> None:
    """Put the random generators where they were."""
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
