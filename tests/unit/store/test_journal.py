"""Journals survive crashes: a torn last line is ignored, a broken one before it is not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from zoo.errors import StateError
from zoo.store import journal


def row(attempt: int, round_: int, **metrics: float) -> dict[str, object]:
    """A line as trials write it."""
    return {"attempt": attempt, "round": round_, "time": 0.0, "metrics": metrics}


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    rows = [row(1, n, reward=n / 3) for n in range(3)]
    for line in rows:
        journal.append(path, line)
    assert journal.read(path) == rows


def test_a_journal_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "no.jsonl") == []


def test_a_torn_last_line_is_ignored_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": ')
    tail = journal.Tail(path)
    assert list(tail) == [{"a": 1}]
    with path.open("ab") as stream:
        stream.write(b"2}\n")
    assert list(tail) == [{"a": 2}]
    assert list(tail) == []


def test_a_text_torn_within_a_letter_is_ignored_too(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes('{"a": "é"}\n'.encode() + '{"a": "é'.encode()[:-1])
    assert journal.read(path) == [{"a": "é"}]


def test_mending_cuts_the_torn_line_so_that_appending_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    journal.truncate_torn_tail(path)
    assert not path.exists()
    for torn in (b'{"a": 1}\n{"b"', b'{"a": 1}\n'):
        path.write_bytes(torn)
        journal.truncate_torn_tail(path)
        journal.append(path, {"c": 3})
        assert journal.read(path) == [{"a": 1}, {"c": 3}]
    path.write_bytes(b'{"only')
    journal.truncate_torn_tail(path)
    assert path.read_bytes() == b""


def test_a_broken_line_before_the_last_stops_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"a": 1}\nnonsense\n{"a": 2}\n')
    with pytest.raises(StateError) as caught:
        journal.read(path)
    assert str(caught.value).startswith(f"{path}:2: not JSON (")
    assert str(caught.value).endswith("; move the folder away")


def test_numbers_that_json_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append(tmp_path / "metrics.jsonl", {"loss": math.nan})
    assert journal.read(tmp_path / "metrics.jsonl") == []
