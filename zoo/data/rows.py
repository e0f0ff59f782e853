"""Rows of jsonl and parquet files: problem, reference and level by a card's column map.

Every row is yielded, also one without a problem or a reference (an empty text, null or NaN); the
caller decides whether that is an error. A value that is not text is refused at its row, never
converted with `str`: only numbers are accepted, and only as references. Independent of sources and
filters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from zoo.catalog import Rows
from zoo.data import tables
from zoo.errors import Fault, InputError, did_you_mean, listed

LAST_BOX = "last-box"
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(r"\s+([^\s$.]+)")  # `\boxed 2`, as two solutions of MATH have it
_MISSING = object()
_NO_TEXT = {"role", "type", "name", "id"}  # keys of a chat message other than its text
_DEPTH, _NODES = 4, 1000  # how deep a text is searched for in a value that is not text


class Row(NamedTuple):
    """One row. `line` counts from 1; texts are as in the file, the reference as `gold` reads it."""

    line: int
    problem: str
    answer: str
    level: str


def read(path: Path, how: Rows) -> Iterator[Row]:
    """The rows of a file, in its order.

    Raises:
        InputError: the file cannot be read, lacks a column, or has a value that is not text.
    """
    said = how.columns.model_dump(exclude_none=True)
    for line, row in tables.rows(path, list(said.values())):
        found = {key: _value(row, column) for key, column in said.items()}
        for key, value in found.items():
            if value is _MISSING:
                raise InputError(replace(_missing(row, said[key]), place=f"{path}:{line}"))
        for key, value in found.items():
            if wrong := _wrong(row, key, said[key], value):
                raise InputError(replace(wrong, place=f"{path}:{line}"))
        texts = {key: _text(value) for key, value in found.items()}
        answer = gold(texts["answer"], how.gold)
        yield Row(line, texts["problem"], answer, plain_level(texts.get("level", "")))


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)  # NaN is how tables say null


def _missing(row: dict[str, Any], column: str) -> Fault:
    """The error for a missing column, without its position."""
    names = [name for name in map(str, row) if name.isprintable()]
    top = column.split(".")[0]
    if top != column and isinstance(row.get(top), dict | list):  # only the inner name is misspelt
        names = [name for name in islice(_texts(row[top], top), 20) if name.isprintable()]
    hint = did_you_mean(column, names) or f"columns here: {listed(names, 20)}"
    return Fault("", f"no column '{column}'", hint=hint)


def _wrong(row: dict[str, Any], key: str, column: str, value: Any) -> Fault | None:
    """Why a value cannot be the text of a column, without its position."""
    if isinstance(value, str):
        if "\0" in value:
            hint = "the text was damaged: repair the row or leave it out"
            return Fault("", f"column '{column}' contains a NUL character", "text", hint)
        return None if value.isascii() else _half(column, value)
    if value is None or value != value:
        return None
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if number and key != "problem" and not _infinite(value):
        return None
    expected = "text" if key == "problem" else "text or a number"
    found = f"column '{column}' contains {_kind(value)}"
    return Fault("", found, expected, _instead(row, key, column, value))


def _half(column: str, text: str) -> Fault | None:
    r"""Why a text cannot be written as UTF-8: JSON may contain half of a surrogate pair
    (`\ud83d`)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        found = (
            f"column '{column}' contains {half} alone, half of a character, at {error.start + 1}"
        )
        hint = "the text was cut inside a character: repair the row or leave it out"
        return Fault("", found, "text that can be encoded as UTF-8", hint)
    return None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float | Decimal):
        return "an infinite number" if _infinite(value) else "a number"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    kinds = {dict: "an object", bytes: "bytes"}
    return kinds.get(type(value), f"a value of the type {type(value).__name__}")


def _infinite(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)


def _instead(row: dict[str, Any], key: str, column: str, value: Any) -> str:
    """What to do about a value that is no text: the columns inside it that are."""
    if isinstance(value, bytes):
        return "write the column as text (UTF-8)"
    if not isinstance(value, dict | list):
        return "is it the right column?" if key == "problem" else "write it as text"
    inner = [path for path in islice(_texts(value, column), 20) if path.isprintable()]
    inner = [path for path in inner if _wrong(row, key, path, _value(row, path)) is None]
    inner = [path for path in inner if path.rsplit(".", 1)[-1] not in _NO_TEXT] or inner
    inner.sort(key=lambda path: _role(row, path) != "user")  # a chat's question, not its system
    if isinstance(value, list) and key == "answer" and len(value) > 1:
        return "write several answers as one text, such as '1, 2'"
    if not inner:
        return "is it the right column?"
    what = "the first alone" if inner[0] == f"{column}.0" else "the text in it"
    others = f" (others here: {listed(inner[1:], 4)})" if inner[1:] else ""
    return f"`columns: {{{key}: {inner[0]}}}` reads {what}{others}"


def _role(row: dict[str, Any], path: str) -> Any:
    """Role of the chat message that a dotted name selects."""
    return _value(row, path.rsplit(".", 1)[0] + ".role")


def _texts(value: Any, path: str, depth: int = _DEPTH) -> Iterator[str]:
    """Dotted names of the texts and numbers inside a value."""
    if isinstance(value, str | int | float | Decimal):
        yield path
    elif depth and isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in islice(pairs, _NODES):
            yield from _texts(inner, f"{path}.{key}", depth - 1)


def gold(text: str, rule: str) -> str:
    """The reference in an answer column; empty where there is none.

    `last-box` takes the very last box of a worked solution, as the study and MATH's own script do;
    the extraction rules would join it with adjacent boxes.
    """
    if rule == "as-is":
        return text.strip()
    if rule != LAST_BOX:
        from zoo.grading import extract  # late: planning reads no rows

        return extract(text, rule) or ""
    mark = max(("\\boxed", "\\fbox"), key=text.rfind)
    return _box(text, text.rfind(mark) + len(mark)) if mark in text else ""


def _box(text: str, at: int) -> str:
    """The content of the box that opens at `at`; empty if it does not close."""
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
    """The value of a column, or the value inside it that a dotted name selects."""
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
