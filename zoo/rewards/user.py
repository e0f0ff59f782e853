"""A user's own reward: one Python file with one pure function, or an entry point of the
group `zoo.rewards`.

    PARAMS = {"bonus": 0.1}        # also NAME, VERSION, EXTRACT, NEEDS_BOX, where wanted

    def reward(verdicts, completions, params, seed):
        return [1.0 if v.correct else params["bonus"] * c.boxed
                for v, c in zip(verdicts, completions)]

Its name, version, parameters and the digest of its source enter a trial's identity; its path
does not. The digested text is the one that runs, and no file is written next to it. A plan checks
everything (`load_user_reward`); a trial runs it only if it is the planned one (`load_code`).
"""

from __future__ import annotations

import importlib.metadata
import inspect
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from zoo.catalog import RewardCard, RewardCode
from zoo.errors import FailureClass, Fault, InputError, TrialError, did_you_mean
from zoo.rewards.base import Reward
from zoo.rewards.source import SHAPE, Source, constants, one_function, placed
from zoo.rewards.trying import attended, try_out

GROUP = "zoo.rewards"


class UserReward(NamedTuple):
    """A loaded reward: the function, and its card, with the file's PARAMS."""

    function: Reward
    card: RewardCard


def load_user_reward(source: str | Path) -> UserReward:
    """Load a reward from a path ending in `.py`, else by its entry point's name, and test it on a
    synthetic group.

    Raises:
        InputError: the file or entry point does not exist, does not run, has not exactly one
            function of the expected signature, has invalid metadata, or fails when tested;
            with positions.
    """
    path = Path(source)
    if path.suffix == ".py":
        return _from_file(path)
    if (found := installed(str(source))) is not None:
        return found
    known = installed_names()
    hint = did_you_mean(str(source), known) or "name a file ending in .py or install a package"
    expected = ", ".join(known) or f"an entry point of the group {GROUP}"
    raise InputError(Fault("reward", f"unknown reward '{source}'", expected, hint))


def installed_names() -> list[str]:
    """Names of the rewards that installed packages provide. Reads package metadata: some
    milliseconds."""
    return sorted(importlib.metadata.entry_points(group=GROUP).names)


def installed(name: str) -> UserReward | None:
    """The reward that an installed package brings under a name, or None.

    Raises:
        InputError: as `load_user_reward`.
    """
    if name not in importlib.metadata.entry_points(group=GROUP).names:
        return None
    module, function, source = _entry(name)
    return _whole(module, function, source, RewardCode(digest=source.digest, entry=name), name)


def load_code(code: RewardCode) -> Reward:
    """The function that a card carries, if it is still the one that was planned.

    Raises:
        TrialError: of class `data`, where it is gone or another now.
    """
    try:
        return _planned(code.digest, code.file, code.entry)
    except InputError as error:
        raise TrialError(FailureClass.DATA, f"the reward cannot be loaded: {error}") from error


def try_card(card: RewardCard) -> None:
    """Try a user's reward with the parameters of a card.

    Raises:
        InputError: it fails with them; placed in its source.
    """
    assert card.code is not None
    file = card.code.file
    source = _entry(str(card.code.entry))[2] if file is None else Source.read(Path(file), file)
    try_out(load_code(card.code), card, source)


@cache
def _planned(digest: str, file: str | None, entry: str | None) -> Reward:
    if file is None:
        module, function, source = _entry(str(entry))
    else:
        module, function, source = None, None, Source.read(Path(file), file)
    if source.digest != digest:
        changed = f"{digest[:10]} -> {source.digest[:10]}"
        raise TrialError(
            FailureClass.DATA, f"{source.shown} changed since the plan ({changed}); plan again"
        )
    return function or one_function(module or _run(source), source)


def _from_file(path: Path) -> UserReward:
    source = Source.read(path, str(path))
    code = RewardCode(digest=source.digest, file=str(path.resolve()))
    return _whole(_run(source), None, source, code, path.stem)


def _run(source: Source) -> ModuleType:
    """Run a file as a new module: exactly the digested text. importlib would write a compiled file
    next to it, and could run an old one."""
    module = ModuleType(f"zoo_user_reward_{source.digest[:12]}")
    module.__file__ = str(source.path)
    sys.modules[module.__name__] = module  # dataclasses need it there
    try:
        with attended(source.shown):
            exec(compile(source.raw, str(source.path), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        told = error.msg if isinstance(error, SyntaxError) else error
        found = f"does not run: {type(error).__name__}: {told}"
        raise InputError(placed(source, error, found, SHAPE)) from error
    return module


def _entry(name: str) -> tuple[ModuleType, Reward | None, Source]:
    """The target of an entry point: its module, its function if it names one, and the module's
    source."""
    (entry,) = importlib.metadata.entry_points(group=GROUP, name=name)
    where = f"reward {name} ({entry.value})"
    try:
        with attended(name):
            found = entry.load()
    except (Exception, SystemExit) as error:
        text = f"does not load: {type(error).__name__}: {error}"
        hint = "fix or remove the package that brings it"
        raise InputError(Fault(where, text, hint=hint)) from error
    function: Reward | None = found if inspect.isfunction(found) else None
    module = sys.modules.get(function.__module__) if function else found
    file = inspect.getsourcefile(module) if inspect.ismodule(module) else None
    if not inspect.ismodule(module) or file is None:
        raise InputError(Fault(where, f"a {type(found).__name__}", "a function or a module"))
    return module, function, Source.read(Path(file), file)


def _whole(
    module: ModuleType, function: Reward | None, source: Source, code: RewardCode, name: str
) -> UserReward:
    """A reward whose module ran, with everything checked."""
    said = constants(module, source, name, named=code.file is not None)
    function = function or one_function(module, source)
    card = RewardCard.model_validate(
        {"schema": "reward/1", "kind": said["name"], "code": code, **said}
    )
    try_out(function, card, source)
    return UserReward(function, card)
