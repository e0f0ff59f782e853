"""A sweep in a folder of its own on the cluster of `tests.support.fake_slurm`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import fake_slurm, sweeps
from tests.support.cli import Told, zoo
from tests.support.simulated import write_manifest
from zoo.orchestrate.sweep_journal import read

ON = ("--executor", "slurm", "--on", "cluster")
PROFILE: dict[str, Any] = {
    "schema": "profile/1",
    "name": "cluster",
    "executor": "slurm",
    "concurrency": 100,
    "save_every": 1,
    "grace_s": 20,
    "slurm": {"time": "3:00"},
}


@dataclass(frozen=True)
class Cluster:
    """A working folder whose `zoo sweep tiny.yaml` submits to the cluster."""

    folder: Path

    def profile(self, **changes: object) -> None:
        """Change the profile `cluster`."""
        path = self.folder / "cards/profiles/cluster.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(PROFILE | changes))

    def sweep(self, *words: str, status: int = 0) -> Told:
        """Run `zoo sweep`."""
        told = zoo("sweep", "tiny.yaml", *ON, *words)
        assert told.status == status, told
        return told

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All jobs that there ever were."""
        return fake_slurm.jobs(self.folder)

    def names(self) -> list[str]:
        """Their names, in the order of submission."""
        return [job["name"] for job in self.jobs().values()]

    def wait(self, timeout_s: float = 90.0) -> dict[str, dict[str, Any]]:
        """Wait until no job waits or runs and no process is left; returns all jobs."""
        open_ = ("PENDING", "RUNNING")
        sweeps.wait_for(
            lambda: all(job["state"] not in open_ for job in self.jobs().values()), timeout_s
        )
        assert sweeps.left_running(self.folder) == []
        return self.jobs()

    def records(self) -> dict[str, dict[str, Any]]:
        """Trial id -> its record."""
        paths = (self.folder / "runs/train").glob("*/record.json")
        return {path.parent.name: json.loads(path.read_text()) for path in paths}

    def rounds(self) -> list[int]:
        """The rounds in the journal of the only trial, in their order."""
        paths = (self.folder / "runs/train").glob("*/metrics.jsonl")
        whole = [line for path in paths for line in path.read_text().split("\n")[:-1]]
        return [json.loads(line)["round"] for line in whole]

    def journal(self) -> list[dict[str, Any]]:
        """The rows of the journal of the only job, where it has begun."""
        paths = (self.folder / "runs/sweeps/tiny/slurm").glob("*/journal.jsonl")
        return [row for path in paths for row in read(path).rows]


@contextmanager
def on_slurm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster with a manifest of two trials; whatever still runs at the end is ended."""
    for name in [name for name in os.environ if name.startswith(("ZOO_", "MLFLOW", "SLURM"))]:
        monkeypatch.delenv(name)
    for name, value in fake_slurm.install(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(sweeps.MARK, str(folder))  # every job inherits it; this process has it not
    monkeypatch.chdir(folder)
    write_manifest(folder, rewards="correctness", rounds=4)
    cluster = Cluster(folder)
    cluster.profile()
    try:
        yield cluster
    finally:
        while left := sweeps.marked(folder):
            for pid, _ in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
