"""A real trial that a learning rate ruins, and the tripwire that ends it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.support import sweeps
from zoo.runs.outcome import values_of
from zoo.store import journal
from zoo.store import record as records
from zoo.store.record import Record

ROUNDS = 12
MANIFEST = f"""\
schema: experiment/1
name: ruined
question: Does a learning rate of thirty times the recipe's ruin a model at once?
recipe: pocket
grpo: {{learning_rate: 1.0e-2}}
batch: {{prompts: 8, num_generations: 8}}
grid: {{model: pocket-llama, reward: correctness, data: pocket-easy}}
rounds: {ROUNDS}
evaluate:
  full: {{benchmarks: [pocket-easy], problems: 24, at: [0, last], decodings: [t1.0]}}
tripwires:
  - {{metric: train/accuracy, below: 0.12, for: 2, then: stop}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sweep ran, once."""
    top = tmp_path_factory.mktemp("ruined")
    (top / "ruined.yaml").write_text(MANIFEST)
    sweep(top)
    return top


def sweep(top: Path) -> str:
    done = sweeps.command(top, "sweep", "ruined.yaml", "--on", "ci")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def trial(top: Path) -> tuple[Path, Record]:
    (found,) = (top / "runs/train").iterdir()
    record = records.read(found)
    assert record is not None
    return found, record


def test_a_trial_that_collapses_is_stopped_at_the_round_in_which_it_crossed_the_line(
    folder: Path,
) -> None:
    where, record = trial(folder)
    assert (record.state, record.stop_reason) == ("stopped", "tripwire:train/accuracy")
    assert 2 <= record.round < ROUNDS
    assert record.final_round == record.round
    rows = journal.read(where / "metrics.jsonl")
    assert [row["round"] for row in rows] == list(range(record.round + 1))
    accuracy = [row["metrics"].get("train/accuracy") for row in rows]
    assert all(share < 0.12 for share in accuracy[-2:])
    assert accuracy[1] > 0.12  # it could answer before it was trained


def test_a_stopped_trial_keeps_finite_weights_and_is_measured_as_what_it_came_to(
    folder: Path,
) -> None:
    where, record = trial(folder)
    kept = load_file(where / f"checkpoints/round-{record.round:04}/model.safetensors")
    assert all(np.isfinite(values).all() for values in kept.values())
    rows = journal.read(where / "evals.jsonl")
    assert {row["round"] for row in rows} == {0, record.round}
    accuracy = {row["round"]: values_of(row)["acc"] for row in rows}
    assert accuracy[record.round] < accuracy[0]
    with (folder / "sweeps/ruined/results.csv").open() as stream:
        final = [row for row in csv.DictReader(stream) if row["role"] == "final"]
    assert {row["round"] for row in final} == {str(record.round)}


def test_a_stopped_trial_counts_as_done_and_is_not_run_again(folder: Path) -> None:
    where, record = trial(folder)
    before = {path: path.read_bytes() for path in where.rglob("*.json*")}
    assert "nothing to do" in sweep(folder)
    assert {path: path.read_bytes() for path in where.rglob("*.json*")} == before
    told = sweeps.command(folder, "status", "ruined", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)
    page = (folder / "sweeps/ruined/report.html").read_text(encoding="utf-8")
    assert "stopped" in page
    assert f"at round {record.round}" in page
