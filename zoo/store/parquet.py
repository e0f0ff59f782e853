"""Completions and verdicts as parquet files: columns in, columns out; written atomically.

An unreadable file is an error that names it. Independent of stages; pyarrow is imported late.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import StateError
from zoo.store.run_store import replacing

Columns = dict[str, list[Any]]
"""Name -> values, all of one length."""


def write_parquet(path: Path, columns: Columns) -> Columns:
    """Write columns as a parquet file, atomically. `token_ids` are lists of 32-bit integers.

    Returns:
        The columns as stored, as a reader of the file gets them.
    """
    pa, pq = _pyarrow()

    types = {"token_ids": pa.list_(pa.int32()), "prediction": pa.string()}
    stored = {name: _clean(values) for name, values in columns.items()}
    arrays = {name: pa.array(values, types.get(name)) for name, values in stored.items()}
    with replacing(path) as beside:
        pq.write_table(pa.table(arrays), beside, compression="zstd")
    return stored


def read_parquet(path: Path, columns: list[str] | None = None) -> Columns:
    """Columns of a parquet file as lists; all of them where none are named.

    Raises:
        StateError: no such file, not parquet, or a column is missing.
    """
    return _table(path, columns).to_pydict()


def read_known(path: Path, columns: Sequence[str]) -> dict[str, list[Any]]:
    """Those of the columns that a parquet file has, as lists.

    Raises:
        StateError: no such file, or not parquet.
    """
    pa, pq = _pyarrow()
    try:
        with pq.ParquetFile(path) as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            return file.read(columns=there).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def read_rows(path: Path, columns: list[str]) -> list[dict[str, Any]]:
    """Columns of a parquet file as rows.

    Raises:
        StateError: as `read_parquet`.
    """
    return _table(path, columns).to_pylist()


def read_first(path: Path, columns: list[str], limit: int) -> list[dict[str, Any]]:
    """The first `limit` rows of a parquet file; the rest is not read."""
    _, pq = _pyarrow()
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=limit, columns=columns), None)
    return [] if batch is None else batch.to_pylist()


def read_responses(path: Path, columns: list[str]) -> Columns:
    """Columns of a file of responses, and the tokens of each response as `length`; the token ids
    themselves stay out of Python.

    Raises:
        StateError: as `read_parquet`.
    """
    table = _table(path, [*columns, "token_ids"])
    lengths = [n for c in table["token_ids"].chunks for n in c.value_lengths().to_pylist()]
    return table.select(columns).to_pydict() | {"length": lengths}


def _pyarrow() -> tuple[Any, Any]:
    """`pyarrow` and `pyarrow.parquet`, which have no types."""
    import pyarrow
    import pyarrow.parquet

    return pyarrow, pyarrow.parquet


def _unreadable(path: Path, error: Exception) -> StateError:
    said = " ".join(str(error).split())[:200]
    return StateError(f"{path} cannot be read ({said})")


def _table(path: Path, columns: list[str] | None) -> Any:
    pa, pq = _pyarrow()

    try:
        table = pq.read_table(path, columns=columns)
    except FileNotFoundError:
        raise StateError(f"{path} is gone") from None
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    if absent := [name for name in columns or () if name not in table.column_names]:
        raise StateError(f"{path} has no column '{absent[0]}'")
    return table


def _clean(values: list[Any]) -> list[Any]:
    """Text that UTF-8 cannot encode (lone surrogates) is replaced, never dropped."""
    return [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values]
