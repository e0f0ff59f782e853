"""The command line as a user meets it, in a process of its own: words in, text, exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.simulated import write_manifest

ROOT = Path(__file__).parents[3]


def zoo(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `zoo WORDS` in a folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "MLFLOW"))}
    return subprocess.run(
        [sys.executable, "-m", "zoo.cli.main", *words],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT)} | env,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_manifest(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the sweep ran, and what it printed."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "experiments").mkdir()
    write_manifest(folder / "experiments")
    done = zoo(folder, "sweep", "tiny")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_help_names_the_commands(tmp_path: Path) -> None:
    done = zoo(tmp_path, "--help")
    assert done.returncode == 0
    for command in ("plan", "sweep", "report", "status", "logs", "ui", "doctor"):
        assert f"\n  {command}" in done.stdout


def test_a_plan_shows_counts_reasons_and_evaluations(folder: Path) -> None:
    done = zoo(folder, "plan", "tiny.yaml")
    assert done.returncode == 0
    assert "4 cells x 1 seed = 4 trials" in done.stdout
    assert "+ 4 to run: never ran" in done.stdout
    assert "pocket-easy (8 problems) under t1.0, t0 at rounds 0, 3" in done.stdout
    assert "SIMULATED" in done.stdout


def test_a_plan_for_programs_has_the_agreed_keys(folder: Path) -> None:
    data = json.loads(zoo(folder, "plan", "--json", "tiny.yaml").stdout)
    assert {"counts", "trials", "claims", "warnings", "cost"} <= set(data)
    assert {"id", "name", "cell", "seed", "symbol", "why"} == set(data["trials"][0])
    assert data["counts"]["new"] == 4


def test_the_detailed_exit_code_tells_that_there_is_work(folder: Path) -> None:
    assert zoo(folder, "plan", "--detailed-exitcode", "tiny.yaml").returncode == 3


def test_cards_are_listed_and_shown_and_the_users_own_are_among_them(tmp_path: Path) -> None:
    (tmp_path / "cards/data").mkdir(parents=True)
    card = "schema: data/1\nname: mine\nabout: Of my own.\nlocal: {path: mine.jsonl}\n"
    (tmp_path / "cards/data/mine.yaml").write_text(card)
    assert "pocket-qwen2" in zoo(tmp_path, "models", "list").stdout
    listed = zoo(tmp_path, "data", "list").stdout
    assert re.search(r"^mine  +Of my own\.$", listed, re.MULTILINE)
    assert listed.index("mine") < listed.index("benchmarks") < listed.index("math500")
    path = tmp_path / "cards/data/mine.jsonl"
    assert f"path: {path}" in zoo(tmp_path, "data", "show", "mine").stdout
    assert zoo(tmp_path, "models", "show", "pocket-qwen").returncode == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plan", "nothing.yaml"], "nothing.yaml"),
        (["plan", "tinny"], "no manifest or sweep 'tinny'"),
        (["sweep", "nothing.yaml"], "nothing.yaml"),
        (["plan", "tiny.yaml", "--on", "laptpo"], "did you mean 'laptop'?"),
        (["plan", "tiny.yaml", "--cards", "nowhere"], "no folder 'nowhere'"),
        (
            ["sweep", "tiny.yaml", "--executor", "slurm"],
            "Slurm: not on PATH: sbatch, squeue, scancel",
        ),
        (["logs", "tiny.yaml", "pocket"], "more than one trial"),
        (["swep"], "No such command 'swep'"),
    ],
)
def test_wrong_words_are_one_clear_error_status_two_and_no_folder(
    folder: Path, words: list[str], told: str
) -> None:
    done = zoo(folder, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in folder.iterdir()] == ["tiny.yaml"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("pocket-qwen2", "pocket-qwen3", "tiny.yaml:8:11: unknown model 'pocket-qwen3'"),
        ("rounds:", "round:", "tiny.yaml:12:1: "),
        ("grid:", "grid: [", "tiny.yaml:"),
    ],
)
def test_a_wrong_manifest_is_told_with_line_and_suggestion_and_leaves_no_folder(
    folder: Path, old: str, new: str, told: str
) -> None:
    path = folder / "tiny.yaml"
    path.write_text(path.read_text().replace(old, new))
    done = zoo(folder, "sweep", "tiny.yaml")
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in folder.iterdir()] == ["tiny.yaml"]


def test_a_sweep_leaves_report_lock_and_results(swept: tuple[Path, str]) -> None:
    folder, told = swept
    names = sorted(path.name for path in (folder / "sweeps/tiny").iterdir())
    assert names == [
        "cells.csv",
        "claims.csv",
        "plan.lock.jsonl",
        "report",
        "report.html",
        "results.csv",
    ]
    assert "report: sweeps/tiny/report.html" in told
    assert "zoo ui tiny" in told
    assert "4 done" in told


def test_a_sweep_again_does_nothing_and_says_so(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    begun = time.monotonic()
    done = zoo(folder, "sweep", "tiny")
    assert done.returncode == 0
    assert "nothing to do, all 4 trials are done" in done.stdout
    assert time.monotonic() - begun < 5
    assert zoo(folder, "plan", "--detailed-exitcode", "tiny").returncode == 0


def test_status_and_logs_and_report_go_by_name(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    assert "= 4 done" in zoo(folder, "status", "tiny").stdout
    assert json.loads(zoo(folder, "status", "--json", "tiny").stdout)["running"] == []
    assert zoo(folder, "report", "tiny").stdout == "report: sweeps/tiny/report.html\n"
    told = zoo(folder, "report", "tiny", "--format", "md").stdout
    assert told == "report: sweeps/tiny/report.md\n"
    assert "](report/figures/figure-1-" in (folder / "sweeps/tiny/report.md").read_text()
    (folder / "sweeps/tiny/report.md").unlink()
    figures = folder / "sweeps/tiny/report/figures"
    assert {path.suffix for path in figures.iterdir()} == {".svg", ".pdf", ".csv"}
    done = zoo(folder, "logs", "tiny", "pocket-qwen2.correctness")
    assert done.returncode in (0, 2)


def test_a_failed_sweep_exits_with_one_and_says_where_the_log_is(folder: Path) -> None:
    done = zoo(folder, "sweep", "tiny.yaml", ZOO_SIMULATE="fail:2@pocket-llama.correctness")
    assert done.returncode == 1
    assert "! 1 failed" in done.stdout
    assert "failed, as set in ZOO_SIMULATE" in done.stdout
    log = next(line for line in done.stdout.splitlines() if line.startswith("  log: "))
    assert (folder / log.removeprefix("  log: ")).is_file()
    assert "failed, as set in ZOO_SIMULATE" in zoo(folder, "logs", "tiny", "llama.correct").stdout
