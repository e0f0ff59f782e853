"""Trials of two processes (gloo) are those of one: same completions, rewards, losses and weights,
also where a checkpoint of one continues on the other."""

from __future__ import annotations

import math
import os
import signal
import threading
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.support.trials import manifest, trials_of
from zoo.catalog import Catalog, ComputeProfile
from zoo.launching import launch, processes
from zoo.launching.assist import assist
from zoo.launching.launch import LaunchResult
from zoo.launching.ranks import Rendezvous, free_port, log_name
from zoo.launching.task import Task
from zoo.store import journal, record
from zoo.store.parquet import read_parquet
from zoo.trials.trial import Trial

ROUNDS = 3
EVALUATE = (
    "{full: {benchmarks: [pocket-easy], problems: 6, at: [0, last]}, "
    "watch: {benchmarks: [pocket-easy], problems: 4, every: 2}}"
)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Rounds of 4 x 4 in two updates: what an update holds must not depend on the processes."""
    path = manifest(
        tmp_path_factory.mktemp("manifest"),
        batch="{prompts: 4, num_generations: 4, updates: 2}",
        reward="box-strict",
        rounds=ROUNDS,
        evaluate=EVALUATE,
    )
    (found,) = trials_of(path)
    return found


def task_of(trial: Trial, runs: Path, width: int, **settings: Any) -> Task:
    """A launch over so many processes, where transformers generates: responses then follow from
    seed and place alone."""
    update = {"processes_per_trial": width, "engine": "transformers", "micro_batch": 2}
    profile = Catalog().get(ComputeProfile, "laptop").model_copy(update=update | settings)
    return Task(trial, profile, str(runs), f"token-{uuid.uuid4().hex}", across_stacks=True)


def finished(task: Task) -> Path:
    ended = launch.run(task, lambda: None)
    log = (task.folder / "log.txt").read_text(errors="replace")[-3000:]
    assert ended.state == "done", f"{ended.message}\n{log}"
    assert processes.of_launch(task.token) == []
    return task.folder


@dataclass(frozen=True)
class Trace:
    """What a trial left, as far as it must not depend on the number of processes."""

    rounds: dict[int, dict[str, Any]]
    rollouts: list[dict[str, list[Any]]]
    evaluations: list[dict[str, Any]]
    weights: dict[str, torch.Tensor]

    @classmethod
    def of(cls, folder: Path) -> Trace:
        rows = journal.read(folder / "metrics.jsonl")
        found = [read_parquet(p) for p in sorted(folder.glob("rollouts/**/*.parquet"))]
        evaluations = [
            {name: row[name] for name in ("round", "key", "samples")}
            for row in journal.read(folder / "evals.jsonl")
        ]
        weights = next(folder.glob(f"checkpoints/**/round-{ROUNDS:04}/model.safetensors"))
        return cls({r["round"]: r["metrics"] for r in rows}, found, evaluations, load_file(weights))


def assert_same(one: Trace, other: Trace) -> None:
    assert one.rollouts == other.rollouts
    assert [e["key"] for e in one.evaluations] == [e["key"] for e in other.evaluations]
    for round_ in range(1, ROUNDS + 1):
        for name in ("train/loss", "train/grad_norm", "train/reward", "train/entropy"):
            pair = one.rounds[round_][name], other.rounds[round_][name]
            assert math.isclose(*pair, rel_tol=1e-3, abs_tol=1e-6), (round_, name, pair)
        for name in one.rounds[round_]:
            counted = name.startswith(("train/grade", "train/completions"))
            if counted and "time" not in name:
                assert one.rounds[round_][name] == pytest.approx(other.rounds[round_][name]), name
    assert list(one.weights) == list(other.weights)
    for name, value in one.weights.items():
        torch.testing.assert_close(value, other.weights[name], rtol=1e-3, atol=2e-6)


@pytest.fixture(scope="module")
def alone(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return Trace.of(finished(task_of(trial, tmp_path_factory.mktemp("alone"), 1)))


def test_trial_of_two_processes_is_that_of_one(trial: Trial, alone: Trace, tmp_path: Path) -> None:
    task = task_of(trial, tmp_path, 2)
    folder = finished(task)
    assert_same(alone, Trace.of(folder))
    assert any(alone.rounds[r]["train/grad_norm"] > 0 for r in range(1, ROUNDS + 1))
    assert (folder / "log.1.txt").exists()
    found = record.read(folder)
    assert found is not None
    assert found.done(ROUNDS)


def killed_after_a_save(task: Task) -> None:
    """Run until a checkpoint of round 1 is there, then kill every process."""
    stop = threading.Event()

    def grace() -> float | None:
        if list(task.folder.glob("state/**/round-0001/manifest.json")):
            stop.set()
        return 0.0 if stop.is_set() else None

    assert launch.run(task, grace).state == "preempted"


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1)])
def test_checkpoint_continues_over_another_number_of_processes(
    trial: Trial, alone: Trace, tmp_path: Path, first: int, then: int
) -> None:
    killed_after_a_save(task_of(trial, tmp_path, first, save_every=1))
    folder = finished(task_of(trial, tmp_path, then, save_every=1))
    found = record.read(folder)
    assert found is not None
    assert found.about["resumed_from"] >= 1
    assert_same(alone, Trace.of(folder))


@pytest.mark.parametrize("rank", [0, 1])
def test_killed_process_ends_the_trial_with_its_word_in_the_record(
    trial: Trial, tmp_path: Path, rank: int
) -> None:
    task = task_of(trial, tmp_path, 2)
    killed: list[int] = []

    def kill() -> None:
        if not killed and list(task.folder.glob("rollouts/**/round-0001.parquet")):
            killed.append(of_rank(task, rank))
            os.kill(killed[0], signal.SIGKILL)

    ended = launch.run(task, lambda: None, kill)
    assert killed
    assert (ended.state, ended.failure_class) == ("failed", "killed")
    assert ended.message.startswith(f"process {rank} ended by SIGKILL")
    assert processes.of_launch(task.token) == []


def of_rank(task: Task, rank: int) -> int:
    """The process of a rank."""
    for pid in processes.of_launch(task.token):
        log, command = os.readlink(f"/proc/{pid}/fd/1"), Path(f"/proc/{pid}/cmdline").read_bytes()
        if log == str(task.folder / log_name(rank)) and b"zoo.train" in command:
            return pid
    raise AssertionError(f"no process of rank {rank}")


def test_two_launchers_train_one_trial(trial: Trial, alone: Trace, tmp_path: Path) -> None:
    task, where = task_of(trial, tmp_path, 2), Rendezvous(nodes=2, port=free_port())
    ends: list[LaunchResult] = []
    other = threading.Thread(
        target=lambda: ends.append(
            assist(replace(task, where=replace(where, node=1)), lambda: None)
        )
    )
    other.start()
    folder = finished(replace(task, where=where))
    other.join(30)
    assert [end.state for end in ends] == ["done"]
    assert_same(alone, Trace.of(folder))
