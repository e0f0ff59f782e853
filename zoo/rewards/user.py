"""A reward of the user's own: one Python file with one pure function, or an entry point of the
group `zoo.rewards`.

    PARAMS = {"bonus": 0.1}

    def reward(verdicts, completions, params, seed):
        return [1.0 if v.correct else params["bonus"] * c.boxed for v, c in zip(verdicts,
        completions)]

Its name, parameters and the digest of its source enter a trial's identity. The file is run once,
when it is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from zoo.errors import Fault, InputError, did_you_mean
from zoo.rewards.base import Reward

GROUP = "zoo.rewards"
_PARAMETERS = ("verdicts", "completions", "params", "seed")
_SHAPE = "one function (verdicts, completions, params, seed) -> [float or None] of a group"


class UserReward(NamedTuple):
    """A loaded reward: the function, its default parameters, the SHA-256 of its source, and its
    name.
    """

    function: Reward
    params: Mapping[str, Any]
    digest: str
    name: str


def load_user_reward(source: str | Path) -> UserReward:
    """Loads a reward from a path ending in `.py`, else by its entry point's name.

    Raises:
        InputError: where there is no such file or entry point, it does not run, or it has not
            exactly one function of the expected signature.
    """
    path = Path(source)
    if path.suffix == ".py":
        return _from_module(_run_file(path), path.stem, path)
    entries = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    if str(source) not in entries:
        known = sorted(entries)
        hint = did_you_mean(str(source), known) or "name a file ending in .py or install a package"
        expected = ", ".join(known) or f"an entry point of the group {GROUP}"
        raise InputError(Fault("reward", f"unknown reward '{source}'", expected, hint))
    function = entries[str(source)].load()
    module = sys.modules[function.__module__]
    return UserReward(
        function, _params(module), _digest(Path(inspect.getfile(module))), str(source)
    )


def _run_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(Fault(str(path), "no such file", "a Python file", _SHAPE))
    spec = importlib.util.spec_from_file_location(f"zoo_user_reward_{_digest(path)[:12]}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(
            Fault(str(path), f"does not run: {type(error).__name__}: {error}", _SHAPE)
        ) from error
    return module


def _from_module(module: ModuleType, name: str, path: Path) -> UserReward:
    found = [
        function
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and tuple(inspect.signature(function).parameters) == _PARAMETERS
    ]
    if len(found) != 1:
        names = ", ".join(function.__name__ for function in found) or "none"
        raise InputError(Fault(str(path), f"reward functions found: {names}", _SHAPE))
    return UserReward(found[0], _params(module), _digest(path), name)


def _params(module: ModuleType) -> Mapping[str, Any]:
    params = getattr(module, "PARAMS", {})
    if not isinstance(params, Mapping):
        raise InputError(
            Fault(f"{module.__file__}: PARAMS", f"a {type(params).__name__}", "a dict")
        )
    return dict(params)


def _digest(path: Path) -> str:
    """SHA-256 of the source with newlines normalised, so that a checkout's line ends rename
    nothing.
    """
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
