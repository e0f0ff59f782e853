"""A trial that is killed at any moment and started again is bit for bit the trial that was left
alone: a real one on a CPU (`ZOO_KILLS` times, default 1), a simulated one fifty times."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support import simulated
from tests.support.same_trial import traces
from tests.support.trials import finish, manifest, start, trials_of
from zoo.launching.task import write_task
from zoo.runs.checkpoints import STEPS
from zoo.store import journal, record
from zoo.store.run_store import Store
from zoo.train.entry import run
from zoo.trials.trial import Trial

KILLS = int(os.environ.get("ZOO_KILLS", "1"))
ROUNDS = 12
SAVE_EVERY = 2
SIMULATED_KILLS = 50
SEED = int(os.environ.get("ZOO_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)


def small_data(folder: Path, rounds: int = ROUNDS) -> Path:
    """A manifest over 12 problems of its own, so that an epoch is three rounds, with a reference
    model that training moves."""
    rows = [{"q": f"What is {i}+{i}?", "a": f"{i}+{i}={2 * i}\n#### {2 * i}"} for i in range(12)]
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return manifest(
        folder,
        "continued",
        model="pocket-llama",
        reward="box-strict",
        batch="{prompts: 4, num_generations: 4, updates: 4}",
        rounds=f"{rounds}\ngrpo: {{beta: 0.05, sync_ref_model: true, ref_model_sync_steps: 6}}",
        data=f"[{{path: {folder / 'mine.jsonl'}, columns: {{problem: q, answer: a}}, "
        "gold: gsm8k}]",
        evaluate="{full: {benchmarks: [pocket-easy], problems: 8, at: [0, last]}, "
        "watch: {benchmarks: [pocket-easy], problems: 4, every: 2, decodings: [t1.0]}}",
    )


def lines(folder: Path) -> int:
    """Rounds in a trial's journal, also those of dead launches."""
    try:
        return (folder / "metrics.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def is_alive(process: subprocess.Popen[bytes] | BaseProcess) -> bool:
    if isinstance(process, subprocess.Popen):
        return process.poll() is None
    return process.is_alive()


def wait_for_lines(process: subprocess.Popen[bytes] | BaseProcess, folder: Path, n: int) -> None:
    """Until the journal has `n` lines more, or the process is over."""
    end = lines(folder) + n
    while is_alive(process) and lines(folder) < end:
        time.sleep(0.002)


def kill(process: subprocess.Popen[bytes]) -> bool:
    """SIGKILL a trial's group; whether it still ran."""
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


@pytest.mark.timeout(300 + 120 * KILLS)
def test_real_trial_killed_and_continued_equals_the_undisturbed_one(tmp_path: Path) -> None:
    rounds = ROUNDS + 6 * (KILLS - 1)  # none ends before its last kill
    (trial,) = trials_of(small_data(tmp_path, rounds))
    calm, store = Store(tmp_path / "calm"), Store(tmp_path / "killed")
    finish(start(trial, calm, save_every=SAVE_EVERY), trial, calm)
    folder, rng = store.train(trial.id), random.Random(SEED)
    kills = 0
    for attempt in range(KILLS):
        process = start(trial, store, save_every=SAVE_EVERY)
        if attempt and rng.random() < 0.3:
            time.sleep(rng.uniform(0, 12))  # while it loads, too
        else:  # the first in the second epoch or the third
            wait_for_lines(process, folder, rng.randint(7, 9) if attempt == 0 else 2)
            time.sleep(rng.uniform(0, 0.6))
        kills += kill(process)
    assert kills >= (KILLS + 1) // 2, SEED
    reached = live_rounds(trial, store)
    base = pq.read_table(folder / "base_completions.parquet")
    (folder / "base_completions.parquet").unlink()
    finish(start(trial, store, save_every=SAVE_EVERY), trial, store)
    found = record.read(folder)
    assert found is not None
    assert found.lineage == 1, SEED
    assert reached - SAVE_EVERY <= found.about.get("resumed_from", 0) <= reached, SEED
    again, once = traces(trial, store), traces(trial, calm)
    for name, expected in once.items():
        assert again[name] == expected, (name, SEED)
    assert not (folder / "state").exists()  # nothing is left to continue from
    assert pq.read_table(folder / "base_completions.parquet").equals(base)
    assert "the base model's responses are sampled again" in (folder / "log.txt").read_text()
    watched = [r for r, metrics in again["rounds"].items() if "train/kl_base_policy" in metrics]
    assert watched == list(range(2, rounds + 1, 2))


@pytest.mark.timeout(600)
def test_real_trial_extended_equals_the_undisturbed_one(tmp_path: Path) -> None:
    (short,), (trial,) = (trials_of(small_data(tmp_path, rounds)) for rounds in (2, 4))
    assert short.id == trial.id
    calm, store = Store(tmp_path / "calm"), Store(tmp_path / "extended")
    finish(start(trial, calm), trial, calm)
    folder = finish(start(short, store, keep_extendable=True), short, store)
    kept = [path.suffix for path in (folder / "state").rglob("*") if path.is_file()]
    assert set(kept) <= {".safetensors", ".json", ".jinja"}  # no pickle
    finish(start(trial, store, extend=True, keep_extendable=True), trial, store)
    found = record.read(folder)
    assert found is not None
    assert (found.lineage, found.extends, found.about["resumed_from"]) == (1, [2], 2)
    again, once = traces(trial, store), traces(trial, calm)
    earlier = again["evaluations"].keys() - once["evaluations"].keys()
    assert {round_ for round_, _ in earlier} == {2}  # `last` of the horizon that it had before
    again["evaluations"] = {at: again["evaluations"][at] for at in once["evaluations"]}
    for name, expected in once.items():
        assert again[name] == expected, name


def live_rounds(trial: Trial, store: Store) -> int:
    """The last round in the journal's last launch."""
    rows = journal.read(store.train(trial.id) / "metrics.jsonl")
    return rows[-1]["round"] if rows else 0


WATCH = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 3, decodings: [t1.0]}\n"


def test_simulated_trial_killed_fifty_times_equals_the_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"models": "pocket-llama", "rewards": "box-strict", "rounds": 200, "more": WATCH}
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    sweeps = [simulated.make(tmp_path / name, **named) for name in ("calm", "killed")]
    (calm,), (task,) = (sweep.tasks() for sweep in sweeps)
    assert run(write_task(calm)) == 0
    profile = task.profile.model_copy(update={"save_every": 3})
    task = replace(task, profile=profile)
    rng, context = random.Random(SEED), multiprocessing.get_context("fork")
    kills = 0
    monkeypatch.setenv("ZOO_SIMULATE", "sleep:0.002")
    for attempt in range(SIMULATED_KILLS):
        fault = rng.choice(STEPS) if rng.random() < 0.3 else ""
        monkeypatch.setenv("ZOO_FAULT", fault)
        token = f"launch-{attempt}"
        child = context.Process(target=run, args=(write_task(replace(task, token=token)),))
        child.start()
        wait_for_lines(child, task.folder, rng.randint(0, 5))
        time.sleep(rng.uniform(0, 0.02))
        if child.is_alive():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
        child.join()
        kills += child.exitcode == -signal.SIGKILL
    assert kills == SIMULATED_KILLS, SEED  # the trial is long enough
    monkeypatch.delenv("ZOO_FAULT")
    assert run(write_task(replace(task, token="last"))) == 0
    found = record.read(task.folder)
    assert found is not None
    assert found.about["resumed_from"] > 0
    again, once = (traces(t.trial, t.store) for t in (task, calm))
    for name, expected in once.items():
        assert again[name] == expected, (name, SEED)
