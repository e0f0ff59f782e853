"""Real trials for tests: a manifest as text, expanded, and run as processes of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from zoo.catalog import Catalog, ComputeProfile
from zoo.data import LocalResolver
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

SMALL = """
    schema: experiment/1
    name: {name}
    question: Does the path hold?
    recipe: {recipe}
    grid: {{model: {model}, reward: {reward}, data: {data}}}
    batch: {batch}
    rounds: {rounds}
    evaluate: {evaluate}
"""


def manifest(folder: Path, name: str = "small", **values: object) -> Path:
    """Write a small manifest and return its path."""
    defaults: dict[str, object] = {
        "model": "pocket-mistral",
        "reward": "correctness",
        "recipe": "pocket",
        "batch": "{prompts: 4, num_generations: 4}",
        "data": "pocket-easy",
        "rounds": 2,
        "evaluate": "{full: {benchmarks: [pocket-easy], problems: 16, at: [0, last]}}",
    }
    path = folder / f"{name}.yaml"
    path.write_text(dedent(SMALL).format(name=name, **defaults | values), encoding="utf-8")
    return path


def trials_of(path: Path) -> list[Trial]:
    """Expand a manifest with digests of what lies on disk."""
    return expand(load(path), Catalog(), LocalResolver())


def write_job(trial: Trial, store: Store, profile: ComputeProfile, *, extend: bool = False) -> Path:
    """Write a trial's `trial.json`; returns its path."""
    folder = store.train(trial.id)
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "store": str(store.root),
        "profile": profile.model_dump(mode="json", by_alias=True),
        "token": "test",
        "extend": extend,
    }
    job = {"trial": trial.model_dump(mode="json", by_alias=True), "run": run}
    (folder / "trial.json").write_text(json.dumps(job), encoding="utf-8")
    return folder / "trial.json"


def start(
    trial: Trial,
    store: Store,
    entry: tuple[str, str] = ("-m", "zoo.train"),
    *,
    extend: bool = False,
    **settings: object,
) -> subprocess.Popen[bytes]:
    """Start a trial's process, as a launcher would. `extend`: continue what finished with fewer
    rounds. `settings`: of its profile."""
    profile = Catalog().get(ComputeProfile, "laptop").model_copy(update=settings)
    path = write_job(trial, store, profile, extend=extend)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    env = os.environ | profile.env | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    with path.with_name("log.txt").open("ab") as log:
        command = [sys.executable, *entry, str(path)]
        return subprocess.Popen(
            command,
            env=env,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def finish(
    process: subprocess.Popen[bytes], trial: Trial, store: Store, timeout_s: float = 280
) -> Path:
    """Wait for a trial; returns its folder, or fails with the end of its log."""
    status = process.wait(timeout=timeout_s)
    folder = store.train(trial.id)
    assert status == 0, (folder / "log.txt").read_text(errors="replace")[-3000:]
    return folder
