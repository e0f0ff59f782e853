"""Files of rows are read as they are, or refused at the line that is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from zoo.data.tables import rows
from zoo.errors import InputError

ROW = '{"problem": "é?", "answer": 1}'


def read(path: Path, body: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a file with this body."""
    path.write_bytes(body)
    return list(rows(path, ["problem", "answer"]))


@pytest.mark.parametrize(
    "body",
    [
        f"\ufeff{ROW}\n{ROW}\n",
        f"\ufeff{ROW}\n\ufeff{ROW}\n",  # two files, joined
        f"{ROW}\r\n{ROW}\r\n",
        f"{ROW}\r{ROW}",
    ],
)
def test_jsonl_with_marks_or_other_line_ends_is_the_same_rows(tmp_path: Path, body: str) -> None:
    plain = read(tmp_path / "plain.jsonl", f"{ROW}\n{ROW}\n".encode())
    assert [line for line, _ in plain] == [1, 2]
    assert read(tmp_path / "a.jsonl", body.encode()) == plain


def test_blank_lines_count_as_lines_and_hold_no_row(tmp_path: Path) -> None:
    found = read(tmp_path / "a.jsonl", f"\n{ROW}\n \t\n{ROW}".encode())
    assert [line for line, _ in found] == [2, 4]


GOOD = ROW.encode() + b"\n"
WRONG = {
    "latin-1": (GOOD + ROW.encode("latin-1"), ":2: the byte 0xe9 is not UTF-8; expected"),
    "latin-1-what-to-do": (ROW.encode("latin-1"), ":1: the byte 0xe9", "iconv -f LATIN1"),
    "surrogates-as-bytes": (GOOD + b'{"a": "\xed\xa0\xbd"}', ":2: the byte 0xed is not UTF-8"),
    "utf-16": (ROW.encode("utf-16"), ": UTF-16 by its first bytes", "iconv -f UTF-16 -t UTF-8"),
    "utf-16-without-mark": (ROW.encode("utf-16-le"), ": NUL bytes, as in UTF-16"),
    "gzip": (gzip.compress(GOOD), ": gzip by its first bytes; expected jsonl", "`gunzip` it"),
    "parquet": (b"PAR1\x15\x04", ": parquet by its first bytes", "name it `.parquet`"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid x\n", "`git lfs pull`"),
    "csv": (b"problem,answer\n1+1?,2\n", ":1: not JSON: Expecting value (column 1)", "CSV"),
    "list": (b'[{"problem": "?"}]', ":1: not an object", "one JSON list to jsonl first"),
    "key-twice": (GOOD + b'{"answer": "1", "answer": "2"}', ":2: the key 'answer' twice"),
    "inner-key-twice": (b'{"a": {"b": 1, "b": 2}}', ":1: the key 'b' twice, with two values"),
    "number": (GOOD + b'{"answer": ' + b"9" * 5000 + b"}", ":2: a number of too many digits"),
    "deep": (GOOD + b'{"a": ' + b"[" * 100_000, ":2: JSON that is nested too deeply"),
    "cut": (GOOD + b'{"problem": "1+', ":2: not JSON: Unterminated string"),
    "nul": (GOOD + b'{"problem": "\0"}', ":2: not JSON: Invalid control character"),
}


@pytest.mark.parametrize("case", WRONG)
def test_jsonl_that_cannot_be_read_is_refused_at_its_line(tmp_path: Path, case: str) -> None:
    body, *told = WRONG[case]
    path = tmp_path / "a.jsonl"
    with pytest.raises(InputError) as caught:
        read(path, body)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()
    assert [text for text in told if text not in str(caught.value)] == []


def test_a_key_twice_with_one_value_is_harmless(tmp_path: Path) -> None:
    assert read(tmp_path / "a.jsonl", b'{"a": NaN, "a": NaN, "b": 1, "b": 1}')[0][1]["b"] == 1


def test_parquet_text_that_is_not_utf8_is_refused_at_its_row(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    text = pyarrow.array([b"one", b"tw\xe9"]).cast(pyarrow.binary())
    buffers = [None, text.buffers()[1], text.buffers()[2]]
    column = pyarrow.StringArray.from_buffers(2, buffers[1], buffers[2])
    pyarrow.parquet.write_table(pyarrow.table({"problem": column, "answer": column}), path)
    with pytest.raises(InputError) as caught:
        list(rows(path, ["problem", "answer"]))
    assert str(caught.value).startswith(f"{path}:2: cannot be read: 'utf-8' codec can't decode")


@pytest.mark.parametrize("keep", [slice(0, -200), slice(0, 8)])
def test_parquet_that_was_cut_is_not_told_to_be_parquet(tmp_path: Path, keep: slice) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"problem": ["?"] * 99, "answer": ["1"] * 99}), path)
    path.write_bytes(path.read_bytes()[keep])
    with pytest.raises(InputError) as caught:
        list(rows(path, ["problem", "answer"]))
    assert ": cannot be read: " in str(caught.value)
    assert "cut short or damaged: copy it again" in str(caught.value)
    assert str(caught.value).isprintable()


def test_parquet_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path, names = tmp_path / "a.parquet", ["problem", "answer", "answer"]
    table = pyarrow.table([pyarrow.array([text]) for text in "abc"], names=names)
    pyarrow.parquet.write_table(table, path)
    with pytest.raises(InputError, match=r"a\.parquet: the column 'answer' twice"):
        list(rows(path, ["problem", "answer"]))


def test_parquet_by_name_only_is_refused_by_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="git-lfs pointer by its first bytes"):
        read(tmp_path / "a.parquet", b"version https://git-lfs.github.com/spec/v1\noid x\n")
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read: "):
        read(tmp_path / "a.parquet", b"")
