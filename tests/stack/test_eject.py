"""The script that `zoo eject` writes trains as the trial did, with plain TRL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import sweeps
from tests.support.trials import manifest, trials_of
from zoo.store import journal
from zoo.store.run_store import Store

ROUNDS = 3


@pytest.mark.parametrize("peft", ["{r: 0}", "{r: 8}"], ids=["all-weights", "lora"])
def test_ejected_script_has_the_rewards_of_the_trial(tmp_path: Path, peft: str) -> None:
    path = manifest(
        tmp_path,
        reward="box-strict",
        batch="{prompts: 4, num_generations: 4, updates: 2}",
        rounds=f"{ROUNDS}\npeft: {peft}",
        evaluate="{full: {benchmarks: [pocket-easy], problems: 4, at: [0, last]}}",
    )
    (trial,) = trials_of(path)
    sweeps.real(tmp_path, path.name, "--executor", "local", "--bare")
    done = sweeps.command(
        tmp_path, "eject", path.name, "mistral", str(tmp_path / "out"), "--on", "laptop"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    env = {name: value for name, value in os.environ.items() if not name.startswith("ZOO_")}
    env["PYTHONPATH"] = str(sweeps.ROOT)
    script = [sys.executable, str(tmp_path / "out/train.py")]
    done = subprocess.run(script, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    log = json.loads((tmp_path / "out/output/log.json").read_text())
    ejected = [row["reward"] for row in log if "reward" in row]
    rows = journal.read(Store(tmp_path / "runs").train(trial.id) / "metrics.jsonl")
    trained = [row["metrics"]["train/reward"] for row in rows[1:]]
    assert len(trained) == ROUNDS
    assert ejected == pytest.approx(trained, abs=1e-6)
    kept = "model.safetensors" if trial.peft is None else "adapter_model.safetensors"
    assert (tmp_path / "out/output" / kept).is_file()
