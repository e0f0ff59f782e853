"""Trials that a person has set aside: `void.json` beside the record, which stays as it is.

A void trial is kept and shown with its reason, and counts in no comparison, claim or mean. A row
names a lineage: training again from round 0 makes another, which counts. Rows are never removed;
one that was taken back says when.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from zoo.errors import StateError
from zoo.store.run_store import read_bytes, write_json

NAME = "void.json"
FORM = 1


@dataclass(frozen=True, slots=True)
class Void:
    """One decision to set a trial aside."""

    why: str
    time: float
    """Seconds since the epoch."""
    lineage: int
    """Of what was trained; 0 = whatever it comes to, as it had not ended."""
    undone: float | None = None
    """When it was taken back, in seconds since the epoch."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    form: int
    rows: list[Void]


def read(folder: Path | str) -> tuple[Void, ...]:
    """All rows of a trial's folder, in their order, also those that were taken back.

    Raises:
        StateError: a file that cannot be read; nothing is guessed from it.
    """
    path = f"{folder}/{NAME}"
    try:
        raw = read_bytes(path)
        if raw is None:
            return ()
        found = _File.model_validate_json(raw)
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error
    if found.form > FORM:
        raise _unreadable(path)
    return tuple(found.rows)


def _unreadable(path: str) -> StateError:
    return StateError(
        f"{path} cannot be read; restore it, or remove it and use `zoo void` again where the trial "
        "is to stay out"
    )


def of_lineage(rows: Iterable[Void], lineage: int) -> Void | None:
    """The row that holds for a lineage; None where its trial counts."""
    standing = [row for row in rows if row.undone is None and row.lineage in (0, lineage)]
    return standing[-1] if standing else None


def standing(rows: Iterable[Void]) -> tuple[Void, ...]:
    """The rows that were not taken back, also those of a lineage that training again replaced."""
    return tuple(row for row in rows if row.undone is None)


def add(folder: Path, row: Void) -> None:
    """Set a trial aside."""
    _write(folder, (*read(folder), row))


def undo(folder: Path, row: Void, time: float) -> None:
    """Take a row back."""
    rows = (replace(one, undone=time) if one == row else one for one in read(folder))
    _write(folder, tuple(rows))


def _write(folder: Path, rows: tuple[Void, ...]) -> None:
    write_json(folder / NAME, {"form": FORM, "rows": [asdict(row) for row in rows]})
