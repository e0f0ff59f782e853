"""Columns of parquet files: what a writer gets back is what a reader reads."""

from __future__ import annotations

from pathlib import Path

from zoo.store.parquet import read_parquet, write_parquet


def test_columns_that_are_written_are_returned_as_a_reader_gets_them(tmp_path: Path) -> None:
    columns = {"text": ["a \ud800 half pair", "plain"], "token_ids": [[1, 2], []]}
    stored = write_parquet(tmp_path / "rows.parquet", columns)
    assert stored == read_parquet(tmp_path / "rows.parquet")
    assert stored["text"][0] == "a ? half pair"
