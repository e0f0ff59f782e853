"""The rows of a sweep's journal, `runs/sweeps/NAME/journal.jsonl`: one JSON object a line with a
CRC-32 of the rest. `zoo.orchestrate.sweep_journal` writes them; plan and status read them.

Each driver opens a new epoch; rows of an older epoch below it are of a driver that lost the sweep,
and count nowhere.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from zoo import json_text
from zoo.errors import StateError
from zoo.store.run_store import read_bytes

NAME = "journal.jsonl"
JOBS = "slurm"
"""Folder beside it where jobs were submitted: a folder for each trial, with script, input, journal
and output of its jobs."""
_HEAD = b'{"crc": "'
_LENGTH = len(_HEAD) + len('01234567", ')

Row = dict[str, Any]


class Parsed(NamedTuple):
    """A journal's content."""

    rows: list[Row]
    """Rows that count, in their order."""
    whole: int
    """Bytes of whole lines; what lies beyond is torn."""


def read(path: Path) -> Parsed:
    """The rows of a journal that count.

    Raises:
        StateError: a damaged line, with its number.
    """
    raw = read_bytes(path) or b""
    whole = raw.rfind(b"\n") + 1
    found = [_parse(path, n, line) for n, line in enumerate(raw[:whole].splitlines(), 1)]
    return Parsed(list(_fenced(found)), whole)


def line_of(row: Row) -> bytes:
    """A row as a line of the journal, with its checksum."""
    rest = b"{" + json.dumps(row, allow_nan=False).encode()[1:]
    return b'%s%08x", %s\n' % (_HEAD, zlib.crc32(rest), rest[1:])


def _parse(path: Path, number: int, line: bytes) -> Row:
    rest = b"{" + line[_LENGTH:]
    if not line.startswith(_HEAD) or line[:_LENGTH] != b'%s%08x", ' % (_HEAD, zlib.crc32(rest)):
        raise StateError(f"{path}:{number}: damaged, its checksum does not fit")
    try:
        row = json_text.parse(rest)
    except ValueError as error:
        raise StateError(f"{path}:{number}: not JSON ({error})") from error
    if not _is_row(row):
        raise StateError(f"{path}:{number}: not a row of a sweep's journal")
    return row


def _is_row(row: Any) -> TypeGuard[Row]:
    said = json_text.as_mapping(row) or {}
    return isinstance(said.get("epoch"), int) and isinstance(said.get("event"), str)


def _fenced(rows: list[Row]) -> Iterator[Row]:
    """The rows without late ones of a driver that another has replaced."""
    epoch = 0
    for row in rows:
        if row["epoch"] > epoch and row["event"] == "driver":
            epoch = row["epoch"]
        if row["epoch"] == epoch:
            yield row
