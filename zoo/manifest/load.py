"""Manifest file in, `Manifest` out: the validated experiment with the position of every value
in the file.

Later stages (names of cards, settings of TRL, matching of axes) find faults that a schema cannot
see; they report them through `Manifest.fault`, so that every fault has file, line and caret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.errors import Fault, InputError
from zoo.json_text import as_mapping
from zoo.manifest import overrides
from zoo.manifest.schema import Experiment
from zoo.trlspec import foreign
from zoo.yamlio import strict_yaml
from zoo.yamlio.strict_yaml import Document, KeyPath
from zoo.yamlio.validate import attempt

BESIDE = {(key,) for key in ("question", "prediction", "budget", "claims", "tripwires")}
"""Parts of a manifest that no cell depends on."""


@dataclass(frozen=True)
class Manifest:
    """A validated experiment and the document it was read from."""

    experiment: Experiment
    document: Document
    path: Path
    last: dict[str, Any] = field(default_factory=dict[str, Any])
    """Settings of the command line (`--set grpo.beta=0`), which win over all others."""
    rehearse: bool = False
    """Whether pocket stand-ins replace the cards; see `zoo.trials.rehearsal`."""
    look: int = 1
    """The look whose seeds are used, where the manifest adds seeds in looks."""
    faults: tuple[Fault, ...] = ()
    """Schema errors. `zoo.planning.expand` raises them together with the errors that it detects
    in the rest."""
    holes: tuple[KeyPath, ...] = ()
    """Parts that were left out for it."""

    @property
    def seeds(self) -> list[int]:
        """The seeds that are meant."""
        return self.experiment.seeds_at(self.look)

    @property
    def runs_whole(self) -> bool:
        """Whether no part that defines what runs was dropped."""
        return {hole[:1] for hole in self.holes} <= BESIDE

    def fault(
        self,
        path: tuple[str | int, ...],
        found: str,
        expected: str = "",
        hint: str = "",
        *,
        key: bool = False,
    ) -> Fault:
        """A fault at the value (or key) of `path` in the file."""
        return self.document.fault(path, found, expected, hint, key=key)

    def find(self, path: str) -> Path | None:
        """A path that the manifest names: absolute, relative to the manifest, or to the working
        directory."""
        for base in (self.path.parent, Path.cwd()):
            if os.path.exists(base / path):  # False, also where the system refuses to look
                return (base / path).resolve()
        return None


def load(path: Path | str, changes: Iterable[str] = ()) -> Manifest:
    """Read and validate a manifest, with `changes` (`--set` of the command line) applied.

    Raises:
        InputError: the file cannot be read, is not YAML or not a manifest; all faults at once.
    """
    manifest = read(path, changes)
    if manifest.faults:
        raise InputError(list(manifest.faults))
    return manifest


def read(path: Path | str, changes: Iterable[str] = ()) -> Manifest:
    """As `load`, but drops the invalid parts of a manifest, so that the rest can be
    checked too; the result cannot be expanded.

    Raises:
        InputError: the file cannot be read, is not YAML, or no part of it is usable.
    """
    return manifest_of(strict_yaml.read(path), Path(path), changes)


def manifest_of(document: Document, path: Path, changes: Iterable[str] = ()) -> Manifest:
    """As `read`, of a document that need not be at `path` yet.

    Raises:
        InputError: nothing of it can be used.
    """
    last = overrides.apply(document, changes)
    experiment, faults, holes = attempt(Experiment, document)
    faults = [_answered(fault) for fault in faults]
    if experiment is None:
        document, experiment = _mended(document, holes)
        holes += [(key,) for key in UNKNOWN if (key,) not in document.values]
    if experiment is None:
        raise InputError(faults)
    if experiment.name not in (path.stem, UNKNOWN["name"]):
        found, expected = f"the manifest calls itself '{experiment.name}'", f"'{path.stem}'"
        faults.append(document.fault(("name",), found, f"{expected}, as its file is named"))
    return Manifest(
        experiment, document, path.resolve(), last, faults=tuple(faults), holes=tuple(holes)
    )


def _answered(fault: Fault) -> Fault:
    """With what zoo has instead, where an unknown key is a word of another trainer."""
    unknown = re.fullmatch(r"unknown key '((?:batch\.)?\w+)'", fault.found)
    answer = foreign.answer(unknown[1]) if unknown and "did you mean" not in fault.hint else ""
    return replace(fault, hint=answer) if answer else fault


# What stands for a missing part while the rest is looked at.
UNKNOWN: dict[str, Any] = {
    "schema": "experiment/1",
    "name": "unknown",
    "question": "unknown",
    "recipe": "unknown",
    "rounds": 10_000,
}


def _mended(document: Document, holes: list[KeyPath]) -> tuple[Document, Experiment | None]:
    """The document without its wrong parts, which may leave others wrong."""
    for _ in range(5):
        wrong = {_part(document, path) for path in holes}
        document = document.without(wrong)
        if (data := as_mapping(document.data)) is None:
            break
        document.data = UNKNOWN | data
        experiment, _, holes = attempt(Experiment, document)
        if experiment is not None:
            return document, experiment
    return document, None


def _part(document: Document, path: KeyPath) -> KeyPath:
    """What to leave out for a fault at `path`: a value with its key; a whole list of plain values;
    the mapping that a key is missing from, unless it is the manifest itself."""
    if path not in document.values and len(path) > 1:
        path = path[:-1]
    nested = any(len(at) > len(path) and at[: len(path)] == path for at in document.values)
    return path if nested or not path or isinstance(path[-1], str) else path[:-1]
