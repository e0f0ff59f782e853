"""Trials on one GPU: trained, killed and continued, and every GPU of the machine tried."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.gpu.conftest import finished, has_vllm, killed_after_a_save, task_of
from tests.support.trials import manifest, trials_of
from zoo.planning.machine import visible_gpus
from zoo.store import record
from zoo.store.run_store import Store
from zoo.trials.trial import Trial


def test_sweep_on_a_gpu_trains_a_pocket_trial(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    trial = trials_of(path)[0]
    store = Store(tmp_path / "runs")
    env = os.environ | {"ZOO_RUNS": str(store.root), "ZOO_SWEEPS": str(tmp_path / "sweeps")}
    command = [sys.executable, "-m", "zoo.cli.main", "sweep", str(path), "--on", on(tmp_path)]
    done = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=290
    )
    log = store.train(trial.id) / "log.txt"
    text = log.read_text(errors="replace")[-3000:] if log.exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + text
    found = record.read(store.train(trial.id))
    assert found is not None
    assert found.done(2)


def on(folder: Path) -> str:
    """The name of a profile that runs here."""
    if has_vllm():
        return "gpu"
    card = folder / "cards/profiles/plain.yaml"
    card.parent.mkdir(parents=True)
    lines = ["schema: profile/1", "name: plain", "device: cuda", "gpus_per_trial: 1"]
    card.write_text("\n".join([*lines, "cpus_per_trial: 4", "engine: transformers", ""]))
    return "plain"


def test_trial_on_a_gpu_agrees_with_its_engine_and_is_evaluated(
    trial: Trial, tmp_path: Path
) -> None:
    task = task_of(trial, tmp_path, visible_gpus()[:1])
    rows = finished(task)
    assert any(rows[round_]["train/grad_norm"] > 0 for round_ in rows if round_)
    found = record.read(task.folder)
    assert found is not None
    assert found.about["gpus"] == 1


def test_trial_killed_on_a_gpu_continues_from_its_checkpoint(trial: Trial, tmp_path: Path) -> None:
    gpu = visible_gpus()[:1]
    killed_after_a_save(task_of(trial, tmp_path, gpu))
    task = task_of(trial, tmp_path, gpu)
    finished(task)
    found = record.read(task.folder)
    assert found is not None
    assert found.about["resumed_from"] >= 1
    assert found.attempt == 2


def test_doctor_tries_every_gpu(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zoo.cli.main", "doctor", "--try", "--json"]
    command += ["--on", on(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
