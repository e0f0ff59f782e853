"""Drivers and trials that are killed at any moment: the sweep that goes on comes to the same
numbers, and what was finished stays as it was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.support import sweeps
from tests.support.simulated import Sweep, make
from zoo.findings.collect import collect, rows
from zoo.launching.task import write_task
from zoo.train.entry import run

LOCAL = ("--executor", "local", "--concurrency", "2", "--bare")
WATCH = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 1, decodings: [t1.0]}\n"
KILLS = 10
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


def sweep_files(folder: Path, kind: str) -> dict[str, bytes]:
    """Files of this name of all trials that have a finished record, by trial."""
    return {
        path.parent.name: (path.parent / kind).read_bytes()
        for path in (folder / "runs/train").glob("*/record.json")
        if '"state": "done"' in path.read_text()
    }


def trial_pids(folder: Path) -> list[int]:
    return [pid for pid, command in sweeps.marked(folder) if "zoo.train" in command]


def under_way(folder: Path, sweep: subprocess.Popen[str]) -> bool:
    """Whether a trial runs, or the sweep is over."""
    return bool(trial_pids(folder)) or sweep.poll() is not None


def results(sweep: Sweep) -> list[list[Any]]:
    """The rows of `results.csv`."""
    return list(rows(collect(sweep.manifest.experiment, sweep.trials, sweep.store)))


def test_random_kills_of_drivers_and_trials_change_no_result(tmp_path: Path) -> None:
    folder, calm = tmp_path / "killed", tmp_path / "calm"
    folder.mkdir()
    calm.mkdir()
    killed, undisturbed = (make(f, rounds=6, problems=4, more=WATCH) for f in (folder, calm))
    assert [run(write_task(task)) for task in undisturbed.tasks()] == [0] * 4
    rng = random.Random(20)
    kills, kept, sweep = 0, dict[str, bytes](), None
    while kills < KILLS:
        if sweep is None or sweep.poll() is not None:
            sweep = sweeps.start(folder, *LOCAL, ZOO_SIMULATE="sleep:0.25")
            sweeps.wait_for(partial(under_way, folder, sweep))
            if sweep.poll() is not None:
                break  # all is done already
        time.sleep(rng.uniform(0, 1))
        victims = trial_pids(folder) if rng.random() < 0.7 else [sweep.pid]
        if not victims:
            continue
        victim, number = rng.choice(victims), rng.choice(SIGNALS)
        with suppress(ProcessLookupError):  # it came to its end
            os.kill(victim, number)
        kills += 1
        if victim == sweep.pid:
            sweep.wait()
            assert sweeps.left_running(folder) == []
        found = sweep_files(folder, "record.json")
        assert {name: found[name] for name in kept} == kept
        kept = found
    assert kills >= KILLS // 2
    if sweep is not None:
        sweep.wait(timeout=60)
    sweeps.finish(folder, *LOCAL)
    assert results(killed) == results(undisturbed)
    found = sweep_files(folder, "record.json")
    assert {name: found[name] for name in kept} == kept
    assert len(found) == 4
    assert list((folder / "runs/train").glob("*/launches/*")) == []
    assert sweeps.left_running(folder, 0.5) == []
