"""Rows of jsonl and parquet files: problem, reference and level by a card's column map.

Every row is yielded, also one without a problem or a reference; whether that is an error is the
reader's business. Knows no source and no filter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from zoo.catalog import Rows
from zoo.errors import Fault, InputError, did_you_mean

LAST_BOX = "last-box"
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(r"\s+([^\s$.]+)")  # `\boxed 2`, as two solutions of MATH have it
_MISSING = object()


class Row(NamedTuple):
    """One row. `line` counts from 1; texts are as in the file, the reference as `gold` reads it."""

    line: int
    problem: str
    answer: str
    level: str


def read(path: Path, how: Rows) -> Iterator[Row]:
    """The rows of a file, in its order.

    Raises:
        InputError: the file cannot be read, or lacks a column.
    """
    columns = how.columns
    wanted = [columns.problem, columns.answer, *([columns.level] if columns.level else [])]
    for line, row in _parquet(path, wanted) if path.suffix == ".parquet" else _jsonl(path):
        found = [_value(row, column) for column in wanted]
        if _MISSING in found:
            column = wanted[found.index(_MISSING)]
            hint = did_you_mean(column, list(row)) or f"columns here: {', '.join(map(str, row))}"
            raise InputError(Fault(f"{path}:{line}", f"no column '{column}'", hint=hint))
        problem, answer, *level = ("" if value is None else str(value) for value in found)
        yield Row(line, problem, gold(answer, how.gold), plain_level(*level))


def gold(text: str, policy: str) -> str:
    """The reference in an answer column; empty where there is none.

    `last-box` takes the very last box of a worked solution, as the study and MATH's own script do;
    the extraction policies would join it with boxes beside it.
    """
    if policy == "as-is":
        return text.strip()
    if policy != LAST_BOX:
        from zoo.grading import extract  # late: planning reads no rows

        return extract(text, policy) or ""
    mark = max(("\\boxed", "\\fbox"), key=text.rfind)
    return _box(text, text.rfind(mark) + len(mark)) if mark in text else ""


def _box(text: str, at: int) -> str:
    """What the box that opens at `at` holds; empty where it does not close."""
    if bare := _BARE_BOX.match(text, at):
        return bare[1]
    depth = 0
    for brace in _BRACE.finditer(text, at):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[at + 1 : brace.start()].strip()
    return ""


def plain_level(text: str = "") -> str:
    """`Level 3`, `level 3` and `3` are one level."""
    return text.strip().lower().removeprefix("level").strip()


def _value(row: dict[str, Any], column: str) -> Any:
    """The value of a column, or what a dotted name finds inside one."""
    if column in row:
        return row[column]
    found: Any = row
    for part in column.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return _MISSING
    return found


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    line = 0
    try:
        with path.open(encoding="utf-8") as stream:
            for line, text in enumerate(stream, start=1):
                if text.strip():
                    row = json.loads(text)
                    if not isinstance(row, dict):
                        found = "not an object"
                        raise InputError(Fault(f"{path}:{line}", found, "one JSON object a line"))
                    yield line, row
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        raise InputError(Fault(str(path), found, "a jsonl or parquet file")) from error
    except ValueError as error:
        raise InputError(
            Fault(f"{path}:{line}", f"not JSON: {error}", "one JSON object a line")
        ) from error


def _parquet(path: Path, wanted: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with the wanted columns; with all of them where one is missing, for the message."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        hint = "`pip install 'zoo[run]'`"
        raise InputError(Fault(str(path), "reading parquet needs pyarrow", hint=hint)) from error
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = file.schema_arrow.names
        tops = [name if name in names else name.split(".")[0] for name in wanted]
        columns = list(dict.fromkeys(tops)) if set(tops) <= set(names) else None
        rows = file.read(columns=columns).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        found = f"cannot be read: {str(error).splitlines()[0]}"
        raise InputError(Fault(str(path), found, "a parquet file")) from error
    yield from enumerate(rows, start=1)
