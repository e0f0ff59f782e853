"""Rows as pandas frames; pandas is imported when the first one is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame


def frame(rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """A frame with a row for each mapping, the keys as columns in their order."""
    import pandas

    return pandas.DataFrame([dict(row) for row in rows])


def table(rows: Iterable[list[Any]]) -> DataFrame:
    """A frame of a header and its rows."""
    import pandas

    head, *found = rows
    return pandas.DataFrame(found, columns=head)
