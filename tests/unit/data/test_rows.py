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


def test_a_missing_part_of_a_column_is_named_with_the_parts_that_are_there(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"problem": "1+1?", "answer": {"ground_truth": "2", "style": "rule"}})
    with pytest.raises(InputError, match=r"no column 'answer.truth'; did you mean 'answer.ground_"):
        list(read(path, Rows(columns=Columns(answer="answer.truth"))))


def test_empty_values_are_rows_with_empty_texts(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"problem": None, "answer": "  "}, {"problem": " x ", "answer": 0})
    assert [(row.problem, row.answer) for row in read(path, Rows())] == [("", ""), (" x ", "0")]


NAN, INF = float("nan"), float("inf")
DEEP: Any = json.loads("[" * 300 + '"x"' + "]" * 300)
NO_TEXT: dict[str, tuple[str, Any, str]] = {
    "chat": (
        "problem",
        [{"role": "user", "content": "1+1?"}],
        "{problem: problem.0.content}`",
    ),
    "chat-of-two": (
        "problem",
        [{"role": "system", "content": "Add."}, {"role": "user", "content": "1+1?"}],
        "problem.1.content}` reads the text in it (others here: problem.0.content)",
    ),
    "numbers-in-a-list": ("answer", [7], "`columns: {answer: answer.0}` reads the first alone"),
    "map": ("answer", {"value": 7, "unit": "m"}, "`columns: {answer: answer.value}` reads the"),
    "object": (
        "problem",
        {"text": "1+1?"},
        "an object; expected text; `columns: {problem:",
    ),
    "object-of-numbers": ("problem", {"a": 1}, "an object; expected text; is it the right column?"),
    "number": ("problem", 7, "'problem' contains a number; expected text; is it the right column?"),
    "true": ("answer", True, "contains true or false; expected text or a number; write it as text"),
    "one-answer": ("answer", ["1"], "`columns: {answer: answer.0}` reads the first alone"),
    "answers": (
        "answer",
        ["1", "2"],
        "contains a list of 2; expected text or a number; write",
    ),
    "infinite": ("answer", INF, "'answer' contains an infinite number; expected text or a number"),
    "level": ("level", {"id": 3}, "'level' contains an object"),
    "nul": (
        "answer",
        "1\0 2",
        "'answer' contains a NUL character; expected text; the text was damaged",
    ),
}


@pytest.mark.parametrize("make", [jsonl, parquet])
@pytest.mark.parametrize("case", NO_TEXT)
def test_row_with_a_value_that_is_no_text_is_refused_with_what_to_do(
    tmp_path: Path, case: str, make: Any
) -> None:
    key, value, told = NO_TEXT[case]
    good = {"problem": "1+1?", "answer": "2", "level": "1"}
    rows = [good | {key: value}] if make is parquet else [good, good | {key: value}]
    path = make(tmp_path, *rows)
    with pytest.raises(InputError) as caught:
        list(read(path, Rows(columns=Columns(level="level"))))
    assert str(caught.value).startswith(f"{path}:{len(rows)}: column '{key}' contains ")
    assert told in str(caught.value)


def test_hint_of_a_dotted_column_is_a_column_that_loads(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"problem": [{"role": "user", "content": "1+1?"}], "answer": 2})
    [row] = read(path, Rows(columns=Columns(problem="problem.0.content")))
    assert row.problem == "1+1?"


@pytest.mark.parametrize("value", [DEEP, {"a.b": {"c\x1b": "x", "\ud83d": "y"}}, [[]], []])
def test_row_with_a_strange_value_is_refused_without_showing_it(tmp_path: Path, value: Any) -> None:
    path = jsonl(tmp_path, {"problem": value, "answer": 1})
    with pytest.raises(InputError) as caught:
        list(read(path, Rows()))
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith("is it the right column?")


def test_row_with_bytes_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"problem": b"1+1?", "answer": "2"})
    with pytest.raises(
        InputError, match=r":1: column 'problem' contains bytes; .* as text \(UTF-8\)"
    ):
        list(read(path, Rows()))


@pytest.mark.parametrize("value", [7, 7.5, -1, 10**400])
def test_numbers_as_answers_stand_for_themselves(tmp_path: Path, value: float) -> None:
    [row] = read(jsonl(tmp_path, {"problem": "?", "answer": value}), Rows())
    assert row.answer == str(value)


@pytest.mark.parametrize("make", [jsonl, parquet])
@pytest.mark.parametrize("value", [None, NAN])
def test_null_and_nan_are_empty_texts(tmp_path: Path, make: Any, value: Any) -> None:
    path = make(tmp_path, {"problem": "1+1?", "answer": value, "level": value})
    [row] = read(path, Rows(columns=Columns(level="level")))
    assert row == (1, "1+1?", "", "")


@pytest.mark.parametrize("key", ["problem", "answer", "level"])
def test_row_with_half_a_character_is_refused_at_its_line(tmp_path: Path, key: str) -> None:
    good = {"problem": "1+1?", "answer": "2", "level": "é \U0001f600"}
    path = jsonl(tmp_path, good, good | {key: "ab\ud83d"})
    with pytest.raises(InputError) as caught:
        list(read(path, Rows(columns=Columns(level="level"))))
    told = f"{path}:2: column '{key}' contains \\ud83d alone, half of a character, at 3; expected"
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("name", "bytes_", "told"),
    [
        ("a.jsonl", b"{", "a.jsonl:1: not JSON"),
        ("a.jsonl", b'{"problem": 1}\n[]\n', "a.jsonl:1: no column 'answer'"),
        ("a.jsonl", b"[]", "a.jsonl:1: not an object"),
        ("a.jsonl", b"\xff\xfe", "a.jsonl: UTF-16 by its first bytes"),
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
    with pytest.raises(InputError, match="unknown extraction rule 'boxd'"):
        gold("x", "boxd")


@pytest.mark.parametrize("text", ["Level 3", "level 3", " 3", "3"])
def test_levels_have_one_form(text: str) -> None:
    assert plain_level(text) == "3"
