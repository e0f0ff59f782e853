"""A rehearsed cell and a checkpoint from elsewhere, through Ray, TRL and vLLM on stand-ins."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from tests.support import sweeps
from tests.support.sweeps import ROOT
from zoo.data.resolve import EMBEDDED
from zoo.runs.outcome import values_of


def test_one_cell_of_the_flagship_is_rehearsed_and_marked_as_such(tmp_path: Path) -> None:
    only = ("model=qwen2.5-32b", "reward=box-strict", "data=simplerl-hard")
    words = [word for text in only for word in ("--only", text)]
    told = sweeps.real(tmp_path, str(ROOT / "experiments/full_grid.yaml"), "--rehearse", *words)
    assert "full_grid.rehearsal: = 1 done" in told
    assert "SIMULATED OR REHEARSED" in told
    (folder,) = (tmp_path / "runs/train").iterdir()
    assert folder.name.startswith("rehearsal.qwen2.5-32b.box-strict.simplerl-hard.s0-")
    record = json.loads((folder / "record.json").read_text())
    assert (record["state"], record["round"], record["rehearsal"]) == ("done", 2, True)
    assert record["identity"]["rehearsal"]["model"] == "qwen2.5-32b"
    assert record["metrics"]["train/grad_norm"] > 0
    rows = pq.read_table(folder / "rollouts/round-0001.parquet").to_pydict()
    assert len(rows["text"]) == 128
    assert all("<|im_start|>" in prompt for prompt in rows["prompt"])  # the original's prompt
    samples = [json.loads(p.read_text()) for p in tmp_path.glob("runs/samples/*/record.json")]
    assert len(samples) == 2 * 6 * 2  # rounds, benchmarks, decodings
    assert all(s["rehearsal"] and s["metrics"]["n"] == 32 for s in samples)
    lines = list(csv.DictReader((tmp_path / "sweeps/full_grid.rehearsal/results.csv").open()))
    assert {row["model"] for row in lines} == {"qwen2.5-32b"}
    assert not (tmp_path / "sweeps/full_grid").exists()


def test_a_checkpoint_from_elsewhere_is_measured_beside_its_base(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED / "pocket-llama", tmp_path / "theirs")
    (tmp_path / "outside.yaml").write_text(
        """\
schema: experiment/1
name: outside
question: Is a copy of a model as good as the model?
recipe: pocket
trainer: external
grid:
  model: {path: theirs, base: pocket-llama, prompt: pocket, cap: 64}
  reward: correctness
  data: pocket-easy
rounds: 100
evaluate:
  watch: {benchmarks: [pocket-easy], problems: 8, every: 5}
  full: {benchmarks: [pocket-easy], problems: 24, at: [0, last], decodings: [t0]}
"""
    )
    told = sweeps.real(tmp_path, "outside.yaml")
    assert "outside: = 1 done" in told
    (folder,) = (tmp_path / "runs/train").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert (record["state"], record["round"]) == ("done", 100)
    assert not (folder / "checkpoints").exists()
    evals = [json.loads(line) for line in (folder / "evals.jsonl").read_text().splitlines()]
    assert {row["round"] for row in evals} == {0, 100}
    accuracies = {row["round"]: values_of(row)["acc"] for row in evals if row["problems"] == 24}
    assert accuracies[0] == accuracies[100] > 0.2  # greedy answers of equal weights are equal
