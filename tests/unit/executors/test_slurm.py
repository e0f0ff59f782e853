"""Sweeps as jobs of a Slurm that is a script of ours (`tests.support.fake_slurm`); trials are
simulated."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import fake_slurm, sweeps
from tests.support.simulated import write_manifest

PROFILE = """\
schema: profile/1
name: cluster
executor: slurm
concurrency: 4
save_every: 1
grace_s: 20
slurm: {time: "3:00"}
"""
ON = ("--executor", "slurm", "--on", "cluster")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_manifest(tmp_path, rewards="correctness", rounds=4)
    (tmp_path / "cards/profiles").mkdir(parents=True)
    (tmp_path / "cards/profiles/cluster.yaml").write_text(PROFILE)
    return tmp_path


@pytest.fixture
def env(folder: Path) -> Iterator[dict[str, str]]:
    yield fake_slurm.install(folder)
    while left := sweeps.marked(folder):
        for pid, _ in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def submit(folder: Path, env: dict[str, str], *words: str, status: int = 0) -> str:
    done = sweeps.command(folder, "sweep", "tiny.yaml", *ON, *words, **env)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def wait(folder: Path, timeout_s: float = 60.0) -> dict[str, Any]:
    """Wait until no job waits or runs; returns all of them."""
    states = ("PENDING", "RUNNING")
    sweeps.wait_for(
        lambda: all(job["state"] not in states for job in fake_slurm.jobs(folder).values()),
        timeout_s,
    )
    assert sweeps.left_running(folder) == []
    return fake_slurm.jobs(folder)


def records(folder: Path) -> dict[str, dict[str, Any]]:
    paths = (folder / "runs/train").glob("*/record.json")
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


def rounds(folder: Path, trial: str) -> list[int]:
    lines = (folder / "runs/train" / trial / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["round"] for line in lines]


def test_sweep_submits_a_job_a_trial_and_returns(folder: Path, env: dict[str, str]) -> None:
    told = submit(folder, env, "--bare")
    assert "submitted 2 trials to Slurm, jobs 1001 to 1002" in told
    assert {job["state"] for job in wait(folder).values()} == {"COMPLETED"}
    assert {found["state"] for found in records(folder).values()} == {"done"}
    assert "nothing to do, all 2 trials are done" in submit(folder, env, "--bare")


def test_job_ahead_of_its_time_limit_saves_requeues_itself_and_goes_on(
    folder: Path, env: dict[str, str]
) -> None:
    env |= {"FAKE_SLURM_SCALE": "0.04", "ZOO_SIMULATE": "sleep:1.2@pocket-llama"}
    submit(folder, env, "--bare")
    jobs = wait(folder)
    assert [job["restarts"] for job in jobs.values()] == [0, 1]
    (trial,) = (id_ for id_ in records(folder) if id_.startswith("pocket-llama"))
    assert records(folder)[trial]["attempt"] == 2
    assert rounds(folder, trial) == [0, 1, 2, 3, 4]  # none is trained again behind a checkpoint
