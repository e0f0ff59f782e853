"""The same manifest on a GPU: a real trial through the `gpu` profile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.trials import manifest, trials_of
from zoo.store import journal
from zoo.store import record as records
from zoo.store.run_store import Store


def test_a_pocket_trial_runs_on_a_gpu(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    trial = trials_of(path)[0]
    store = Store(tmp_path / "runs")
    env = os.environ | {"ZOO_RUNS": str(store.root), "ZOO_SWEEPS": str(tmp_path / "sweeps")}
    command = [sys.executable, "-m", "zoo.cli.main", "sweep", str(path), "--on", "gpu"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=290)
    log = store.train(trial.id) / "log.txt"
    text = log.read_text(errors="replace")[-3000:] if log.exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + text
    record = records.read(store.train(trial.id))
    assert record is not None
    assert record.done(2)
    rows = journal.read(store.train(trial.id) / "metrics.jsonl")
    gap = "train/sampling/sampling_logp_difference/mean"
    assert all(row["metrics"][gap] < 0.2 for row in rows[1:])  # bfloat16 or float32 engine


def test_doctor_tries_every_gpu(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zoo.cli.main", "doctor", "--try", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
