"""Rows of files become problem, reference and level by the card's columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.catalog import Columns, Rows
from zoo.data.rows import gold, plain_level, read
from zoo.errors import InputError


def jsonl(folder: Path, *found: dict[str, Any]) -> Path:
    """A file with these rows."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return path


def parquet(folder: Path, *found: dict[str, Any]) -> Path:
    """The same as parquet."""
    import pyarrow
    import pyarrow.parquet

    path = folder / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(found)), path)
    return path


@pytest.mark.parametrize("make", [jsonl, parquet])
def test_a_dot_goes_into_a_column_and_a_number_into_a_list(tmp_path: Path, make: Any) -> None:
    row = {"extra": {"q": "1+1?", "n": [7, 8]}, "reward": {"truth": "2"}, "level": "Level 3"}
    columns = Columns(problem="extra.q", answer="reward.truth", level="level")
    assert list(read(make(tmp_path, row), Rows(columns=columns))) == [(1, "1+1?", "2", "3")]
    columns = Columns(problem="extra.q", answer="extra.n.1")
    assert list(read(make(tmp_path, row), Rows(columns=columns))) == [(1, "1+1?", "8", "")]


def test_a_column_whose_name_has_a_dot_is_found_first(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"a.b": "whole", "a": {"b": "inner"}, "answer": 1})
    [row] = read(path, Rows(columns=Columns(problem="a.b")))
    assert (row.problem, row.answer) == ("whole", "1")


@pytest.mark.parametrize("make", [jsonl, parquet])
def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path, make: Any) -> None:
    path = make(tmp_path, {"question": "1+1?", "answer": "2"})
    with pytest.raises(InputError) as caught:
        list(read(path, Rows()))
    assert f"{path}:1: no column 'problem'; columns here: question, answer" in str(caught.value)
    with pytest.raises(InputError, match="did you mean 'question'"):
        list(read(path, Rows(columns=Columns(problem="qestion"))))


def test_empty_values_are_rows_with_empty_texts(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"problem": None, "answer": "  "}, {"problem": " x ", "answer": 0})
    assert [(row.problem, row.answer) for row in read(path, Rows())] == [("", ""), (" x ", "0")]


@pytest.mark.parametrize(
    ("name", "bytes_", "told"),
    [
        ("a.jsonl", b"{", "a.jsonl:1: not JSON"),
        ("a.jsonl", b'{"problem": 1}\n[]\n', "a.jsonl:1: no column 'answer'"),
        ("a.jsonl", b"[]", "a.jsonl:1: not an object"),
        ("a.jsonl", b"\xff\xfe", "not JSON"),
        ("a.parquet", b"no parquet", "a.parquet: cannot be read"),
    ],
)
def test_unreadable_files_are_one_clear_error(
    tmp_path: Path, name: str, bytes_: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(bytes_)
    with pytest.raises(InputError) as caught:
        list(read(tmp_path / name, Rows()))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "policy", "reference"),
    [
        (" 42 ", "as-is", "42"),
        ("so 6*7=<<6*7=42>>42\n#### 42", "gsm8k", "42"),
        ("no mark", "gsm8k", ""),
        (r"first $\boxed{1}$, then $\boxed{\frac{1}{2}}$.", "last-box", r"\frac{1}{2}"),
        (r"$\boxed{-2}$ and $\boxed{1}$", "last-box", "1"),  # `boxed` would join them
        (r"$\boxed{-2}$ and $\boxed{1}$", "boxed", "-2, 1"),
        (r"our answer is $\boxed 2$.", "last-box", "2"),
        (r"$\boxed 2$, that is $\boxed{3}$", "last-box", "3"),
        (r"there are $\boxed{}$ primes", "last-box", ""),
        (r"$\fbox{\left\{1, \{2\} \right.}$", "last-box", r"\left\{1, \{2\} \right."),
        (r"$\boxed{1", "last-box", ""),
        ("no box", "last-box", ""),
    ],
)
def test_references_are_read_by_policy(text: str, policy: str, reference: str) -> None:
    assert gold(text, policy) == reference


def test_an_unknown_policy_is_told_with_those_there_are() -> None:
    with pytest.raises(InputError, match="unknown policy 'boxd'"):
        gold("x", "boxd")


@pytest.mark.parametrize("text", ["Level 3", "level 3", " 3", "3"])
def test_levels_have_one_form(text: str) -> None:
    assert plain_level(text) == "3"
