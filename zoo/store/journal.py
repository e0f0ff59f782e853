"""Append-only JSON lines: a trial's `metrics.jsonl` and `evals.jsonl`.

One writer (the process that holds the stage's lock), many readers. A line without its newline was
torn by a crash and is ignored; a broken line before the last is an error. Lines carry `attempt`
(the launch), `lineage` and `round`; `zoo.runs.live` selects the rows that count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo import json_text
from zoo.errors import StateError
from zoo.json_text import Fields
from zoo.store.run_store import read_bytes


def append(path: Path, row: dict[str, Any]) -> None:
    """Append one line and hand it to the operating system at once."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row, allow_nan=False) + "\n")


def truncate_torn_tail(path: Path) -> None:
    """Cut off a torn last line, so that appending goes on at the start of a line."""
    if path.exists() and (raw := path.read_bytes()) and not raw.endswith(b"\n"):
        path.write_bytes(raw[: raw.rfind(b"\n") + 1])


def read(path: Path | str, fields: Fields | None = None) -> list[dict[str, Any]]:
    """All complete lines of a journal; none without a file. `fields`: the keys to keep.

    Raises:
        StateError: a broken line, with its number.
    """
    raw = read_bytes(path) or b""
    whole = raw if raw.endswith(b"\n") else raw[: raw.rfind(b"\n") + 1]
    rows = fields.parse_lines(whole) if fields else None
    return list(_rows(path, whole, 0)) if rows is None else rows


class Tail:
    """Reads a journal as it grows: each iteration yields the lines that came since the one
    before."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset, self.line = path, 0, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.offset)
                raw = stream.read()
        except FileNotFoundError:
            return
        whole = raw[: raw.rfind(b"\n") + 1]
        self.offset += len(whole)
        before, self.line = self.line, self.line + whole.count(b"\n")
        yield from _rows(self.path, whole, before)


def _rows(path: Path | str, whole: bytes, before: int) -> Iterator[dict[str, Any]]:
    """The rows of complete lines; `before`: the number of lines above them."""
    for number, text in enumerate(whole.splitlines(), before + 1):
        try:
            yield json_text.parse(text)
        except ValueError as error:
            said = f"{path}:{number}: not JSON ({error}); move the folder away"
            raise StateError(said) from error
