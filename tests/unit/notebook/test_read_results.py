"""`zoo.results` and `zoo.compare` on a simulated sweep, and the example notebook that reads it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from tests.support.cli import files
from tests.support.cli import zoo as run
from zoo.errors import InputError

EXAMPLES = Path(__file__).parents[3] / "examples"
ACC = "eval/pocket-easy/acc/t1.0"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder in which the example's sweep is done and reported."""
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ZOO_RUNS", "ZOO_SWEEPS", "ZOO_SIMULATE"):
            patch.delenv(name, raising=False)
        patch.chdir(folder)
        assert run("sweep", str(EXAMPLES / "read_results.yaml"), "--bare").status == 0
        assert run("report", "read_results").status == 0
    return folder


@pytest.fixture
def here(swept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the working folder."""
    for name in ("ZOO_RUNS", "ZOO_SWEEPS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(swept)
    return swept


def cells_of(notebook: Path) -> list[str]:
    """The code of a notebook, a text a cell."""
    found = json.loads(notebook.read_text(encoding="utf-8"))
    assert (found["nbformat"], found["metadata"]["language_info"]["name"]) == (4, "python")
    return ["".join(cell["source"]) for cell in found["cells"] if cell["cell_type"] == "code"]


def test_example_notebook_runs_from_top_to_bottom(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = EXAMPLES / "read_results.ipynb"
    before, names = files(here), {"__name__": "__main__"}
    for number, text in enumerate(cells_of(notebook)):
        exec(compile(text, f"{notebook.name}, cell {number}", "exec"), names)
    assert "hard-costs  supported" in capsys.readouterr().out
    assert files(here) == before
    kept = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in kept)


def test_compare_from_python_says_what_the_command_says(here: Path) -> None:
    found = zoo.compare("read_results")
    assert isinstance(found, zoo.Compared)
    assert json.loads(json.dumps(found.data)) == json.loads(
        run("compare", "read_results", "--json").text
    )
    assert [v.word for v in found.claims] == [row["verdict"] for row in found.data["claims"]]
    assert list(found.claim_frame["effect"]) == [v.effect for v in found.claims]
    assert list(found.cell_frame["mean"]) == [cell.mean for cell in found.cells]
    assert list(found.cell_frame["data"].unique()) == ["pocket-easy", "pocket-hard"]
    assert list(found.effect_frame["axis"]) == ["model", "data"]
    assert [e.axis for e in zoo.compare("read_results", by="data").effects] == ["data"]


def test_results_are_those_of_the_csv_files(here: Path) -> None:
    found = zoo.results("read_results")
    assert isinstance(found, zoo.SweepResults)
    for frame, name in ((found.metrics, "results.csv"), (found.cells, "cells.csv")):
        with (here / "sweeps/read_results" / name).open(newline="") as stream:
            head, *rows = csv.reader(stream)
        assert list(frame.columns) == head
        assert len(frame) == len(rows)
        column = head.index("metric")
        assert list(frame["metric"]) == [row[column] for row in rows]
    assert list(found.trials["state"]) == ["done"] * 12
    assert len(zoo.results("read_results", only=["seed=0"]).trials) == 4


def test_problems_add_up_to_the_accuracy(here: Path) -> None:
    found = zoo.results("sweeps/read_results")
    rows = found.problems().query("decoding == 't1.0' and role == 'final' and series == 'eval'")
    assert len(rows) == 12 * 40
    share = rows.groupby("trial")["right"].sum() / rows.groupby("trial")["scored"].sum()
    final = found.metrics.query("metric == @ACC and role == 'final'").set_index("trial")["value"]
    assert share.to_dict() == pytest.approx(final.to_dict())
    assert set(found.problems(every_round=True)["round"]) == {0, 2, 4, 6}


def test_sweep_that_there_is_none_of_is_an_input_error(here: Path) -> None:
    with pytest.raises(InputError, match="no manifest or sweep 'nothing'"):
        zoo.results("nothing")
    with pytest.raises(InputError, match="did you mean 'stacks'"):
        zoo.compare("read_results", across=["stack"])


def test_import_of_zoo_imports_no_pandas() -> None:
    code = "import sys, zoo\nzoo.compare, zoo.results\nassert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
