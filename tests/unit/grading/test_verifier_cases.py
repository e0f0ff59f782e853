import io
import json
import os

import pytest

from zoo.errors import InputError, StateError
from zoo.grading.verifier_cases import verify_file, verify_pair, write_rows


def rows_of(tmp_path, lines, policy="auto"):
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    out = io.StringIO()
    counts = verify_file(path, policy, out)
    return [json.loads(line) for line in out.getvalue().splitlines()], counts


def test_every_row_gives_one_line_in_order_whatever_happens(tmp_path):
    rows, counts = rows_of(
        tmp_path,
        [
            json.dumps({"gold": "7", "prediction": r"\boxed{7}"}),
            "no json",
            json.dumps({"gold": "7"}),
            json.dumps({"gold": "7", "prediction": "#### 8", "extract": "gsm8k"}),
            json.dumps({"gold": "7", "prediction": "7", "extract": "nope"}),
            json.dumps({"gold": 7, "prediction": None}),
            json.dumps([1]),
            json.dumps({"gold": "", "prediction": "7"}),
            json.dumps({"gold": "\u2028 7", "prediction": "9" * 9_000}),
        ],
    )
    assert [row["line"] for row in rows] == list(range(1, 10))
    assert [row["verdict"] for row in rows] == [
        "correct", "bad_gold", "bad_gold", "wrong", "bad_gold", "no_answer", "bad_gold",
        "bad_gold", "exhausted",
    ]  # fmt: skip
    assert counts["bad_gold"] == 5
    assert "error" in rows[1]
    assert set(rows[0]) == {"line", "verdict", "gold", "prediction", "by", "ms"}


def test_a_row_that_is_nested_too_deeply_is_a_bad_gold_among_the_others(tmp_path):
    good, deep = json.dumps({"gold": "7", "prediction": "7"}), "[" * 1_100 + "]" * 1_100
    lines = [good, "[" * 100_000, f'{{"gold": {deep}, "prediction": "1"}}', good]
    rows, _ = rows_of(tmp_path, lines)
    assert [row["line"] for row in rows] == [1, 2, 3, 4]
    assert (rows[1]["verdict"], rows[1]["error"]) == ("bad_gold", "nested too deeply")
    assert rows[2]["verdict"] != "correct"  # how deep is too deep is for Python to say
    assert rows[3]["verdict"] == "correct"


def test_a_byte_order_mark_costs_no_row(tmp_path):
    rows, _ = rows_of(tmp_path, ["\ufeff" + json.dumps({"gold": "7", "prediction": "7"})])
    assert [row["verdict"] for row in rows] == ["correct"]


def test_rows_that_cannot_be_written_are_told(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps({"gold": "7", "prediction": "7"}))
    with (
        pytest.raises(StateError, match="rows cannot be written: No space left on device"),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        verify_file(path, "auto", io.TextIOWrapper(full, write_through=True))


def test_a_reader_that_went_away_stays_a_broken_pipe():
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(BrokenPipeError), open(write, "wb", buffering=0) as pipe:
        write_rows([{"line": 1}], io.TextIOWrapper(pipe, write_through=True))


def test_a_worked_reference_is_reduced_to_its_answer():
    assert verify_pair("5 * 8 = 40\n#### 40", "A: 40")["gold"] == "40"
    assert verify_pair(r"so it is $\boxed{40}$.", "40")["verdict"] == "correct"


def test_an_unreadable_file_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="unreadable"):
        verify_file(tmp_path / "absent.jsonl", "auto", io.StringIO())
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="unreadable"):
        verify_file(tmp_path / "binary", "auto", io.StringIO())
