"""Rows of jsonl and parquet files as plain values, in the order of the file.

jsonl is UTF-8, with or without a byte order mark; blank lines count as lines and have no row. Files
are hostile input: any content is read or refused at its line. Independent of what columns mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import Fault, InputError

BYTE_ORDER_MARK = "\ufeff"
JSON_ROW, PARQUET = "one JSON object a line, in UTF-8", "a parquet file"
SIGNATURES = {
    b"\x1f\x8b": ("gzip", "`gunzip` it"),
    b"PK\x03\x04": ("zip", "unpack it"),
    b"(\xb5/\xfd": ("zstd", "`unzstd` it"),
    b"BZh": ("bzip2", "`bunzip2` it"),
    b"\xfd7zXZ": ("xz", "`unxz` it"),
    b"PAR1": ("parquet", "name it `.parquet`"),
    b"version https://git-lfs": ("git-lfs pointer", "`git lfs pull` brings the file itself"),
    b"\xff\xfe": ("UTF-16", "`iconv -f UTF-16 -t UTF-8` converts it"),
    b"\xfe\xff": ("UTF-16", "`iconv -f UTF-16 -t UTF-8` converts it"),
}
"""How files begin that are often taken for jsonl or parquet: what each is, and what to do."""
Table = Iterator[tuple[int, dict[str, Any]]]


def rows(path: Path, wanted: list[str]) -> Table:
    """Line (from 1) and values of each row; of parquet, the wanted columns are enough.

    Raises:
        InputError: the file cannot be read, or a line is no row.
    """
    return _parquet(path, wanted) if path.suffix == ".parquet" else _jsonl(path)


def _jsonl(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as stream:
            for line, text in enumerate(stream, start=1):
                text = text.removeprefix(BYTE_ORDER_MARK)  # files that were joined have several
                if text.strip():
                    yield line, _object(path, line, text)
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        raise InputError(Fault(str(path), found, "a jsonl or parquet file")) from error


def _object(path: Path, line: int, text: str) -> dict[str, Any]:
    """The JSON object of a line. `text` has the bytes that are not UTF-8 as lone surrogates."""
    try:
        text.encode()
        row = json.loads(text, object_pairs_hook=_distinct)
        if isinstance(row, dict):
            return row
        found, hint, cause = "not an object", "", None
    except (ValueError, RecursionError) as error:
        (found, hint), cause = _why(error), error
    if line == 1 and (fault := _known(path)):
        raise InputError(fault) from cause
    if line == 1 and not hint:
        hint = "convert CSV, TSV or one JSON list to jsonl first"
    raise InputError(Fault(f"{path}:{line}", found, JSON_ROW, hint)) from cause


def _why(error: ValueError | RecursionError) -> tuple[str, str]:
    """The error of a line, and what to do."""
    if isinstance(error, UnicodeEncodeError):
        byte = ord(error.object[error.start]) - 0xDC00
        hint = "a file in Latin-1 is converted by `iconv -f LATIN1 -t UTF-8`"
        return f"the byte 0x{byte:02x} is not UTF-8", hint
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} (column {error.colno})", ""
    if isinstance(error, _Repeated):
        return f"the key {error} twice, with two values", "keep one"
    if isinstance(error, RecursionError):
        return "JSON that is nested too deeply", ""
    return "a number of too many digits", "write it as text"  # Python's own bound


class _Repeated(ValueError):
    """A JSON object has a key twice, so that one of two values would be dropped."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for key, value in pairs:
            if found[key] != value and value == value:  # NaN is never equal
                raise _Repeated(ascii(key)[:60])
    return found


def _known(path: Path) -> Fault | None:
    """What to say of a file that is of another kind by its first bytes."""
    with path.open("rb") as stream:
        start = stream.read(32)
    for signature, (kind, hint) in SIGNATURES.items():
        if start.startswith(signature):
            return Fault(str(path), f"{kind} by its first bytes", "jsonl or parquet", hint)
    if b"\0" in start:
        return Fault(str(path), "NUL bytes, as in UTF-16 or a binary file", "jsonl in UTF-8")
    return None


def _parquet(path: Path, wanted: list[str]) -> Table:
    """Rows with the wanted columns; with all of them where one is missing, for the message."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        hint = "`pip install 'zoo[run]'`"
        raise InputError(Fault(str(path), "reading parquet needs pyarrow", hint=hint)) from error
    before = 0
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = file.schema_arrow.names
        tops = [name if name in names else name.split(".")[0] for name in wanted]
        for name in set(tops):
            if names.count(name) > 1:
                raise InputError(Fault(str(path), f"the column '{name}' twice", "one of each name"))
        columns = list(dict.fromkeys(tops)) if set(tops) <= set(names) else None
        for batch in file.iter_batches(columns=columns):
            yield from enumerate(_plain(path, batch, before), start=before + 1)
            before += batch.num_rows
    except (OSError, pyarrow.ArrowException) as error:
        found = f"cannot be read: {(str(error).splitlines() or ['?'])[0]}"
        broken = Fault(str(path), found, PARQUET, "cut short or damaged: copy it again")
        raise InputError((not _is_parquet(path) and _known(path)) or broken) from error


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PAR1"
    except OSError:
        return True  # unreadable: nothing is known of its bytes


def _plain(path: Path, batch: Any, before: int) -> list[dict[str, Any]]:
    """A batch of rows as Python values; `before`: how many rows came before it."""
    try:
        return batch.to_pylist()
    except (ValueError, OverflowError):  # text that is not UTF-8, a date beyond Python's
        for i in range(batch.num_rows):
            try:
                batch.slice(i, 1).to_pylist()
            except (ValueError, OverflowError) as error:
                place, found = f"{path}:{before + i + 1}", f"cannot be read: {error}"
                raise InputError(Fault(place, found, "text in UTF-8")) from error
        raise
