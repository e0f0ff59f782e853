"""The options that select a plan, from the command line and from the sweep's last start."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from zoo.errors import Fault, InputError, StateError
from zoo.store.run_store import Store, read_json
from zoo.trials import rehearsal


@dataclass(frozen=True)
class PlanOptions:
    """The options of a command line that select a plan."""

    cards: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    rehearse: bool = False
    rewards: tuple[str, ...] = ()
    look: int | None = None
    """The look of a manifest that adds seeds in looks; None = the current one."""

    def __str__(self) -> str:
        """The same words again, for a command that is suggested."""
        said = ["--rehearse"] if self.rehearse else []
        options = {"set": self.sets, "only": self.only, "cards": self.cards}
        for option, values in (options | {"reward": self.rewards}).items():
            said += [f"--{option} {shlex.quote(value)}" for value in values]
        said += [] if self.look is None else [f"--look {self.look}"]
        return "".join(f" {word}" for word in said)

    def without_rounds(self) -> PlanOptions:
        """The same without `--set rounds=N`."""
        return replace(self, sets=tuple(s for s in self.sets if not s.startswith("rounds=")))

    def with_cards(self, text: str) -> str:
        """A text whose `zoo models ...` and `zoo data ...` commands have these `--cards`."""
        more = "".join(f" --cards {shlex.quote(folder)}" for folder in self.cards)
        return re.sub(r"`zoo (models|data) [^`]*", lambda command: command[0] + more, text)


def last_words(words: PlanOptions, path: Path, store: Store) -> PlanOptions:
    """`--set`, `--cards` and `--reward` of the sweep's last start, each where `words` has none."""
    name = path.stem + (rehearsal.SUFFIX if words.rehearse else "")
    told = last_start(store, name)
    if told is None or Path(told["manifest"]) != path.resolve():
        return PlanOptions()
    gone: list[Fault] = []

    def last(said: tuple[str, ...], key: str, option: str, value: str) -> tuple[str, ...]:
        before = () if said else tuple(told.get(key, ()))
        for path in before:
            if not Path(path).exists():
                found = f"it started with {option} {path}, which is gone"
                gone.append(Fault(f"sweep {name}", found, hint=f"pass {option} {value} again"))
        return before

    cards = last(words.cards, "cards", "--cards", "DIR")
    rewards = last(words.rewards, "rewards", "--reward", "FILE.py")
    if gone:
        raise InputError(gone)
    sets = () if words.sets else tuple(told.get("sets", ()))
    return PlanOptions(cards=cards, sets=sets, rewards=rewards)


def with_remembered(error: InputError, remembered: PlanOptions, name: str) -> InputError:
    """The error, and the reused options that may cause it."""
    if remembered == PlanOptions():
        return error
    found = f"taken as it last started:{remembered}"
    hint = "the manifest's path instead of its name is without"
    return InputError([*error.faults, Fault(f"sweep {name}", found, hint=hint)])


def last_start(store: Store, name: str) -> dict[str, Any] | None:
    """The options of a sweep's last start, as its driver stored them.

    Raises:
        StateError: it cannot be read, so the options of that start are unknown.
    """
    if name in (".", "..") or "\0" in name:
        return None
    file = store.sweep(name) / "driver.json"
    try:
        told: Any = read_json(file)
    except ValueError:
        told = "no JSON"
    if told is None or _is_start(told):
        return told
    raise StateError(
        f"{file}: is not what a sweep writes when it starts; move it away (options of the last "
        "start are forgotten then, finished trials are kept)"
    )


def _is_start(told: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is the form of what a driver writes."""
    if not isinstance(told, dict) or not isinstance(told.get("manifest"), str):
        return False
    lists = [told.get(key, []) for key in ("sets", "cards", "rewards")]
    return all(isinstance(f, list) and all(isinstance(v, str) for v in f) for f in lists)
