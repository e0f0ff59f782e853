"""Drivers and trials that are killed at any moment: the sweep that goes on comes to the same
numbers, trains nothing twice, and what was finished stays as it was. `ZOO_KILLS` sets how often:
ten times that of simulated trials (default 1), twice that of real ones (from 5 on)."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.support import simulated, sweeps, trials
from tests.support.same_trial import traces
from zoo.launching.task import write_task
from zoo.runs.sweep_status import trial_status
from zoo.store.run_store import Store
from zoo.train.entry import run
from zoo.trials.trial import Trial

KILLS = int(os.environ.get("ZOO_KILLS", "1"))
SEED = int(os.environ.get("ZOO_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
TWO = ("--executor", "local", "--concurrency", "2")
WATCH = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 3, decodings: [t1.0]}\n"
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


@dataclass
class Disturbed:
    """A sweep in `folder` whose driver and trials are killed."""

    folder: Path
    trials: Sequence[Trial]
    words: Sequence[str]
    manifest: str
    env: dict[str, str] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    """Trial -> its record, once it is done."""
    saved: list[tuple[Trial, int, int]] = field(default_factory=list)
    """A trial, its newest checkpoint and the size of its journal, before each kill."""
    killed: int = 0

    @property
    def store(self) -> Store:
        return Store(self.folder / "runs")

    def disturb(self, kills: int, pause_s: float, rng: random.Random) -> None:
        """Kill driver or trials until so many were killed; ends with nothing running."""
        driver = None
        while self.killed < kills:
            if driver is None or driver.poll() is not None:
                driver = sweeps.start(self.folder, *self.words, manifest=self.manifest, **self.env)
                sweeps.wait_for(partial(self.under_way, driver))
                if driver.poll() is not None:
                    return  # all is done already
            time.sleep(rng.uniform(0, pause_s))
            victims = self.pids() if rng.random() < 0.7 else [driver.pid]
            if not victims:
                continue
            self.look()
            victim = rng.choice(victims)
            with suppress(ProcessLookupError):  # it came to its end
                os.kill(victim, rng.choice(SIGNALS))
                self.killed += 1
            if victim == driver.pid:
                driver.wait()
                assert sweeps.left_running(self.folder) == [], SEED
        assert driver is not None
        driver.kill()
        driver.wait()
        assert sweeps.left_running(self.folder) == [], SEED

    def look(self) -> None:
        """What was finished is as it was; note what is saved."""
        found = self.finished()
        assert {name: found[name] for name in self.kept} == self.kept, SEED
        self.kept = found
        for trial in self.trials:
            status = trial_status(trial, self.store)
            if status.saved is not None:
                journal = self.store.train(trial.id) / "metrics.jsonl"
                self.saved.append((trial, status.saved.round, journal.read_bytes().rfind(b"\n")))

    def finished(self) -> dict[str, bytes]:
        paths = [self.store.train(trial.id) / "record.json" for trial in self.trials]
        rows = {path.parent.name: path.read_bytes() for path in paths if path.is_file()}
        return {name: row for name, row in rows.items() if b'"state": "done"' in row}

    def pids(self) -> list[int]:
        return [pid for pid, command in sweeps.marked(self.folder) if "zoo.train" in command]

    def under_way(self, driver: subprocess.Popen[str]) -> bool:
        """Whether a trial runs, or the sweep is over."""
        return bool(self.pids()) or driver.poll() is not None

    def check(self) -> None:
        """After its end: each trial was done once, and nothing behind a checkpoint twice."""
        found = self.finished()
        assert {name: found[name] for name in self.kept} == self.kept, SEED
        assert len(found) == len(self.trials), SEED
        for trial, reached, size in self.saved:
            later = (self.store.train(trial.id) / "metrics.jsonl").read_bytes()[size + 1 :]
            rounds = [json.loads(line)["round"] for line in later.splitlines()]
            assert min(rounds, default=reached + 1) > reached, (trial.id, SEED)
        assert list((self.folder / "runs/train").glob("*/launches/*")) == [], SEED
        assert sweeps.left_running(self.folder, 0.5) == []

    def check_mlflow(self) -> None:
        """One run a trial, one point a step and series."""
        with closing(sqlite3.connect(self.store.root / "mlflow.db")) as database:
            runs = database.execute(
                "select value, count(*) from tags join runs using (run_uuid)"
                " where key = 'zoo.trial' and lifecycle_stage = 'active' group by value"
            ).fetchall()
            doubled = database.execute(
                "select run_uuid, key, step, count(*) from metrics"
                " group by run_uuid, key, step having count(*) > 1"
            ).fetchall()
            (points,) = database.execute("select count(*) from metrics").fetchone()
        assert dict(runs) == {trial.id: 1 for trial in self.trials}, SEED
        assert doubled == [], SEED
        assert points > 10 * len(self.trials)


@pytest.mark.timeout(300 + 60 * KILLS)
def test_random_kills_of_drivers_and_simulated_trials_change_no_result(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("killed", "calm")]
    for folder in folders:
        folder.mkdir()
    said = {"seeds": "0, 1, 2", "rounds": 6 + 3 * KILLS, "problems": 4, "more": WATCH}
    killed, calm = (simulated.make(folder, **said) for folder in folders)
    assert [run(write_task(task)) for task in calm.tasks()] == [0] * 12
    words = *TWO, "--save-every", "2"
    sweep = Disturbed(
        killed.folder, killed.trials, words, "tiny.yaml", {"ZOO_SIMULATE": "sleep:0.2"}
    )
    sweep.disturb(10 * KILLS, 2.0, random.Random(SEED))
    assert sweep.killed >= 5 * KILLS, SEED
    assert sweep.saved, SEED
    sweeps.finish(killed.folder, *words)
    sweep.check()
    sweep.check_mlflow()
    for trial in calm.trials:
        assert traces(trial, killed.store) == traces(trial, calm.store), SEED


@pytest.mark.skipif(KILLS < 5, reason="many minutes; `make faults` sets ZOO_KILLS=5")
@pytest.mark.timeout(3600)
def test_random_kills_of_drivers_and_real_trials_change_no_result(tmp_path: Path) -> None:
    grid = {"model": "[pocket-mistral, pocket-llama]", "reward": "[correctness, box-strict]"}
    evaluate = "{full: {benchmarks: [pocket-easy], problems: 8, at: [0, last]}}"
    found = {}
    for name in ("killed", "calm"):
        (tmp_path / name).mkdir()
        path = trials.manifest(
            tmp_path / name,
            rounds="10\nseeds: [0, 1, 2]",
            batch="{prompts: 8, num_generations: 8}",
            evaluate=evaluate,
            **grid,
        )
        found[name] = trials.trials_of(path)
    words = "--on", "laptop", *TWO, "--save-every", "2"
    sweep = Disturbed(tmp_path / "killed", found["killed"], words, "small.yaml")
    sweep.disturb(2 * KILLS, 6.0, random.Random(SEED))
    assert sweep.killed == 2 * KILLS, SEED
    assert sweep.saved, SEED
    for folder in (tmp_path / "killed", tmp_path / "calm"):
        driver = sweeps.start(folder, *words, manifest="small.yaml")
        assert driver.wait(timeout=1500) == 0, (folder / "out.txt").read_text()
    sweep.check()
    sweep.check_mlflow()
    for trial in sweep.trials:
        assert traces(trial, sweep.store) == traces(trial, Store(tmp_path / "calm/runs")), SEED
