import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from zoo.cli.main import cli
from zoo.errors import InputError


def run(*words: str):
    return CliRunner().invoke(cli, ["verify", *words])


def test_one_pair_gives_one_row() -> None:
    row = json.loads(run("--gold", "1/2", "--prediction", "so \\boxed{0.5}").stdout)
    assert row["verdict"] == "correct"
    assert row["prediction"] == "0.5"
    assert row.keys() >= {"line", "verdict", "gold", "prediction", "by", "ms"}


def test_a_file_gives_a_row_a_line_in_order_whatever_happens(tmp_path: Path) -> None:
    rows = ['{"gold": "5", "prediction": "5"}', "not json", '{"gold": "5", "prediction": "6"}']
    (tmp_path / "cases.jsonl").write_text("\n".join(rows))
    found = [json.loads(x) for x in run(str(tmp_path / "cases.jsonl")).stdout.splitlines()]
    assert [row["verdict"] for row in found] == ["correct", "bad_gold", "wrong"]
    assert [row["line"] for row in found] == [1, 2, 3]
    assert found[1]["error"]


def process(text: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """`zoo verify -` in a process of its own."""
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-m", "zoo.cli.main", "verify", "-"],
        env=os.environ | {"PYTHONPATH": str(root)},
        input=text,
        text=True,
        timeout=120,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how,
    )


def test_a_dash_is_standard_input() -> None:
    done = process('{"gold": "5", "prediction": "5"}\n{"gold": "5", "prediction": "6"}')
    assert [json.loads(x)["verdict"] for x in done.stdout.splitlines()] == ["correct", "wrong"]
    assert (done.returncode, done.stderr) == (0, "1 correct, 1 wrong\n")


def test_a_full_disk_is_told_in_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = process('{"gold": "5", "prediction": "5"}', stdout=full)
    assert done.returncode == 1
    assert done.stderr == "zoo: the rows cannot be written: No space left on device\n"


def test_nothing_to_grade_and_a_missing_file_are_bad_input() -> None:
    for words in ((), ("--gold", "1"), ("nowhere.jsonl",), ("a.jsonl", "--gold", "1")):
        error = run(*words).exception
        assert isinstance(error, InputError)
        assert error.exit_code == 2
