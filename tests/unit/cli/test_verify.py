import json
from pathlib import Path

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


def test_nothing_to_grade_and_a_missing_file_are_bad_input() -> None:
    for words in ((), ("--gold", "1"), ("nowhere.jsonl",), ("a.jsonl", "--gold", "1")):
        error = run(*words).exception
        assert isinstance(error, InputError)
        assert error.exit_code == 2
