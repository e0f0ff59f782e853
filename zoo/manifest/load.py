"""Manifest file in, `Manifest` out: the validated experiment together with the place of everything
it says.

Later stages (names of cards, settings of TRL, matching of axes) find faults that a schema cannot
see; they report them through `Manifest.fault`, so that every fault has file, line and caret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.catalog import strict_yaml
from zoo.catalog.strict_yaml import Document
from zoo.catalog.validate import validate
from zoo.errors import Fault, InputError
from zoo.manifest import sets
from zoo.manifest.schema import Experiment


@dataclass(frozen=True)
class Manifest:
    """A validated experiment and the document it was read from."""

    experiment: Experiment
    document: Document
    path: Path
    last: dict[str, Any] = field(default_factory=dict)
    """Settings of the command line (`--set grpo.beta=0`), which win over all others."""
    rehearse: bool = False
    """Whether pocket stand-ins take the place of the cards; see `zoo.manifest.rehearsal`."""

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
        """A path that the manifest names: absolute, beside the manifest, or from the working
        directory."""
        for base in (self.path.parent, Path.cwd()):
            if (base / path).exists():
                return (base / path).resolve()
        return None


def load(path: Path | str, changes: Iterable[str] = ()) -> Manifest:
    """Read and validate a manifest, with `changes` (`--set` of the command line) made to it.

    Raises:
        InputError: the file cannot be read, is not YAML or not a manifest; all faults at once.
    """
    path = Path(path)
    document = strict_yaml.read(path)
    last = sets.apply(document, changes)
    experiment = validate(Experiment, document)
    if experiment.name != path.stem:
        raise InputError(
            document.fault(
                ("name",),
                f"the manifest calls itself '{experiment.name}'",
                f"'{path.stem}', as its file is named",
            )
        )
    return Manifest(experiment, document, path.resolve(), last)
