"""The source of a user's reward: its metadata, its function, and the position of
each.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from zoo.catalog.cards import ExtractionRule
from zoo.errors import Fault, InputError, did_you_mean, told
from zoo.rewards.base import Reward
from zoo.rewards.parameters import KINDS
from zoo.yamlio.patterns import NAME
from zoo.yamlio.strict_yaml import Document
from zoo.yamlio.validate import PATTERNS

_PARAMETERS = ("verdicts", "completions", "params", "seed")
SHAPE = f"one function ({', '.join(_PARAMETERS)}) -> [float or None] of a group"


@dataclass(frozen=True)
class Source:
    """A file as it was read once. `shown` is what messages call it."""

    path: Path
    shown: str
    raw: bytes

    @classmethod
    def read(cls, path: Path, shown: str) -> Source:
        """Read a file.

        Raises:
            InputError: it cannot be read.
        """
        try:
            return cls(path.resolve(), shown, path.read_bytes())
        except OSError as error:
            found = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror)
            raise InputError(Fault(shown, found, "a Python file", SHAPE)) from error

    @cached_property
    def digest(self) -> str:
        """SHA-256 with newlines normalised, so that a checkout's line ends rename nothing."""
        return hashlib.sha256(self.raw.replace(b"\r\n", b"\n")).hexdigest()

    @cached_property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.raw.decode("utf-8", "replace").splitlines()

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """Line and column of assignments and definitions at the top level of the file."""
        found: dict[str, tuple[int, int]] = {}
        for node in ast.parse(self.raw).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[node.name] = (node.lineno, node.col_offset + 1)
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign):
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    found[target.id] = (target.lineno, target.col_offset + 1)
        return found

    def fault(self, name: str, found: str, expected: str = "", hint: str = "") -> Fault:
        """A fault at a name of the module; at the file where the name is missing."""
        at = self._places.get(name)
        return self.fault_at(at, found, expected, hint)

    def fault_at(
        self, at: tuple[int, int] | None, found: str, expected: str = "", hint: str = ""
    ) -> Fault:
        """A fault at line and column, with the source line and a caret."""
        if at is None:
            return Fault(self.shown, found, expected, hint)
        return Document(self.shown, self.lines).fault_at(*at, found, expected, hint)


def placed(source: Source, error: BaseException, found: str, expected: str = "") -> Fault:
    """A fault where an error of the file's code was raised: the last line of it on the way."""
    if isinstance(error, SyntaxError) and error.filename == str(source.path) and error.lineno:
        return source.fault_at((error.lineno, max(1, error.offset or 1)), found, expected)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(source.path)]
    if not lines or not lines[-1]:
        return source.fault_at(None, found, expected)
    text = source.lines[lines[-1] - 1]
    return source.fault_at((lines[-1], len(text) - len(text.lstrip()) + 1), found, expected)


def one_function(module: ModuleType, source: Source) -> Reward:
    """The reward function of a module; names that begin with `_` are helpers.

    Raises:
        InputError: none, or more than one.
    """
    public = [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
    found = [f for f in public if tuple(inspect.signature(f).parameters) == _PARAMETERS]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(function.__name__ for function in found)
        hint = "let the names of helpers begin with `_`"
        fault = source.fault(found[1].__name__, f"reward functions found: {names}", SHAPE, hint)
    elif public:
        near = public[0]
        takes = ", ".join(inspect.signature(near).parameters)
        fault = source.fault(near.__name__, f"{near.__name__}({takes}) is no reward", SHAPE)
    else:
        fault = source.fault_at(None, "reward functions found: none", SHAPE)
    raise InputError(fault)


def constants(module: ModuleType, source: Source, name: str, *, named: bool) -> dict[str, Any]:
    """A module's metadata, as fields of a card. `name` is the reward's unless the module
    may set another (`named`).

    Raises:
        InputError: all invalid metadata.
    """
    rules = get_args(ExtractionRule)
    ways: dict[str, tuple[str, Any, Callable[[Any], bool], str]] = {
        "VERSION": ("version", 1, _is_version, "a whole number of at least 1"),
        "EXTRACT": ("extract", "simplerl", rules.__contains__, f"one of {', '.join(rules)}"),
        "NEEDS_BOX": ("needs_box", False, lambda v: isinstance(v, bool), "True or False"),
        "PARAMS": ("params", {}, _is_plain, "a dict of names and plain values (as JSON has them)"),
    }
    said: dict[str, Any] = {"name": getattr(module, "NAME", name) if named else name}
    faults = [] if _is_name(said["name"]) else [_wrong_name(source, said["name"])]
    for constant, (field, default, fits, expected) in ways.items():
        value = getattr(module, constant, default)
        if fits(value):
            said[field] = json.loads(json.dumps(value))  # as a trial's file will hold it
        else:
            hint = did_you_mean(str(value), list(rules)) if constant == "EXTRACT" else ""
            found = f"{constant} is {_told(value)}"
            faults.append(source.fault(constant, found, expected, hint))
    if faults:
        raise InputError(faults)
    return said


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(NAME, name) is not None and name not in KINDS


def _wrong_name(source: Source, name: Any) -> Fault:
    taken = isinstance(name, str) and name in KINDS
    expected = "another: zoo has a kind of that name" if taken else PATTERNS[NAME]
    return source.fault("NAME", f"the name is {_told(name)}", expected, 'set `NAME = "..."` in it')


def _is_version(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_plain(value: Any) -> bool:
    """Whether it is a mapping that comes back from JSON as it was, but for tuples."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return False
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _told(value: Any) -> str:
    plain = value is None or isinstance(value, (str, bool, int, float, dict, list))
    return told(value) if plain else f"a {type(value).__name__}"
