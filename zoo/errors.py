"""All expected errors, as one small tree. Every message states the position, what was found, what
was expected, what to do.

`InputError` carries *all* faults of an input at once. The command line turns each class into its
exit code: 2 for bad input, 1 for the rest. Exceptions stay picklable (they cross processes).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One error in an input: `place` is `file:line:col` or a path of keys, `source` the
    line with a caret."""

    place: str
    found: str
    expected: str = ""
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.found}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.hint:
            text += f"; {self.hint}"
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)  # names of files
        return text + (f"\n{self.source}" if self.source else "")


@dataclass(frozen=True, slots=True)
class Flaw:
    """A fault at a path of keys, to be located in a file by the caller."""

    path: tuple[str | int, ...]
    found: str
    expected: str = ""
    hint: str = ""
    key: bool = False
    """Whether the key at `path` is meant, not its value."""


class ZooError(Exception):
    """Base of every error that zoo raises on purpose."""

    exit_code = 1


class InputError(ZooError):
    """The user's input is wrong; nothing was started and nothing was written."""

    exit_code = 2

    def __init__(self, faults: list[Fault] | Fault | str) -> None:
        if isinstance(faults, str):
            faults = Fault(place="input", found=faults)
        self.faults = _in_order(faults) if isinstance(faults, list) else [faults]
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


def _in_order(faults: list[Fault]) -> list[Fault]:
    """File by file, from the first line to the last."""
    places = [re.fullmatch(r"(.*):(\d+):(\d+)", fault.place) for fault in faults]
    files = [at[1] if at else fault.place for at, fault in zip(places, faults, strict=True)]
    keys = [
        (files.index(file), int(at[2]) if at else 0, int(at[3]) if at else 0)
        for at, file in zip(places, files, strict=True)
    ]
    return [faults[i] for i in sorted(range(len(faults)), key=keys.__getitem__)]


class StateError(ZooError):
    """A stored file cannot be trusted or does not fit; the message names the file and what to
    do."""


class FetchError(ZooError):
    """A download failed; the message names the source, the reason, and what to do."""


class FailureClass(StrEnum):
    """Why a trial failed, as in its record. `zoo.store.failures.classify` determines it."""

    CONFIG = "config"
    """Settings, model or stack that this trial cannot be run with."""
    DATA = "data"
    """Problems or a reward's code that are not what was planned with."""
    REWARD = "reward"
    """Rewards that raise or are no numbers, beyond their share."""
    MISMATCH = "mismatch"
    """Engine and trainer have different weights."""
    DISK = "disk"
    """A full disk."""
    OOM = "oom"
    """Out of memory, of the GPU or the machine."""
    KILLED = "killed"
    """Ended by a signal that zoo did not send."""
    INFRA = "infra"
    """What runs the trial broke: Ray, a node, the supervisor of its processes."""
    HANG = "hang"
    """Silent for longer than its rounds explain."""
    INTERRUPTED = "interrupted"
    """Stopped by Ctrl-C or SIGTERM."""
    ERROR = "error"
    """Anything else."""


class TrialError(ZooError):
    """A trial cannot continue; `failure_class` is the reason."""

    def __init__(self, failure_class: FailureClass, message: str) -> None:
        self.failure_class = failure_class
        super().__init__(failure_class, message)

    def __str__(self) -> str:
        return f"{self.args[1]} [{self.failure_class}]"


def told(value: Any, longest: int = 60) -> str:
    """A value as written in a manifest, on one line; a long mapping or list by its kind."""
    if isinstance(value, (dict, list)):
        text = _flow(value)
        kind = "a mapping" if isinstance(value, dict) else "a list"
        return text if len(text) <= longest else kind
    text = f"'{value}'" if isinstance(value, str) else _flow(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def plain(value: Any) -> str:
    """A value as written in a manifest, in a list or next to its name: texts without quotes, else
    as `told`."""
    return value if isinstance(value, str) else told(value)


def printable(text: str) -> str:
    """A text of a model or a file on one line, with nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def listed(values: Iterable[str], most: int = 5) -> str:
    """`a, b, c`, each once; of many the first `most` and how many more there are."""
    distinct = list(dict.fromkeys(values))
    more = f" and {len(distinct) - most:,} more" if len(distinct) > most + 1 else ""
    return ", ".join(distinct[:most] if more else distinct) + more


def closest(word: str, known: list[str]) -> str:
    """The closest match of a misspelt `word` in `known`, or an empty text."""
    return next(iter(get_close_matches(word, known, n=1, cutoff=0.6)), "")


def did_you_mean(word: str, known: list[str]) -> str:
    """A suggestion for a misspelt `word`, or an empty text."""
    close = closest(word, known)
    return f"did you mean '{close}'?" if close else ""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The hint for a word that is not in `known`: the closest match, else all."""
    names = list(known)
    return did_you_mean(word, names) or f"available: {', '.join(names)}"
