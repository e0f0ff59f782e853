"""A real trial that is killed at any moment and started again is, on a CPU, bit for bit the trial
that was left alone. Its data are fewer than its rounds take, so that several epochs are crossed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.same_trial import traces
from tests.support.trials import finish, manifest, start, trials_of
from zoo.manifest.trial import Trial
from zoo.track import record
from zoo.track.store import Store

ROUNDS = 12
SAVE_EVERY = 2


def small_data(folder: Path) -> Path:
    """A manifest over 12 problems of its own: an epoch is three rounds."""
    rows = [{"q": f"What is {i}+{i}?", "a": f"{i}+{i}={2 * i}\n#### {2 * i}"} for i in range(12)]
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return manifest(
        folder,
        "continued",
        model="pocket-llama",
        reward="box-strict",
        batch="{prompts: 4, num_generations: 4, updates: 4}",
        rounds=ROUNDS,
        data=f"[{{path: {folder / 'mine.jsonl'}, columns: {{problem: q, answer: a}}, "
        "gold: gsm8k}]",
        evaluate="{full: {benchmarks: [pocket-easy], problems: 8, at: [0, last]}, "
        "watch: {benchmarks: [pocket-easy], problems: 4, every: 2, decodings: [t1.0]}}",
    )


def rounds_of(folder: Path) -> int:
    try:
        return (folder / "metrics.jsonl").read_bytes().count(b"\n") - 1
    except FileNotFoundError:
        return -1


def kill_after(process: subprocess.Popen[bytes], folder: Path, lines: int, wait_s: float) -> bool:
    """SIGKILL a trial's group some time after its journal has grown by `lines`; whether it still
    ran."""
    before = rounds_of(folder)
    while process.poll() is None and rounds_of(folder) < before + lines:
        time.sleep(0.02)
    time.sleep(wait_s)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, Store]:
    """The trial, left alone."""
    folder = tmp_path_factory.mktemp("calm")
    (trial,) = trials_of(small_data(folder))
    store = Store(folder / "runs")
    finish(start(trial, store, save_every=SAVE_EVERY), trial, store)
    return trial, store


def test_trial_killed_once_and_continued_equals_the_undisturbed_one(
    calm: tuple[Trial, Store], tmp_path: Path
) -> None:
    trial, undisturbed = calm
    store, rng = Store(tmp_path / "runs"), random.Random(os.urandom(8))
    lines, wait_s = rng.randint(6, 9), rng.uniform(0, 0.5)  # from the second epoch on
    process = start(trial, store, save_every=SAVE_EVERY)
    folder = store.train(trial.id)
    assert kill_after(process, folder, lines, wait_s)
    reached = rounds_of(folder)
    finish(start(trial, store, save_every=SAVE_EVERY), trial, store)
    found = record.read(folder)
    assert found is not None
    assert (found.attempt, found.lineage) == (2, 1), (wait_s, reached)
    assert reached - SAVE_EVERY <= found.about["resumed_from"] <= reached
    again, once = traces(trial, store), traces(trial, undisturbed)
    for name, expected in once.items():
        assert again[name] == expected, (name, wait_s, reached)
    assert not (folder / "state").exists()  # nothing is left to continue from
