"""Trials that run at once on this machine do not see each other's GPUs."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.executors.local import LocalExecutor
from zoo.launching import processes
from zoo.launching.task import Task
from zoo.scheduling.executor import Event, Stop


def running(tokens: list[str]) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each of these launches."""
    found = []
    for pid in filter(None, (next(iter(processes.of_launch(t)), None) for t in tokens)):
        lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
        env = dict(line.partition("=")[::2] for line in lines)
        found.append(env.get("CUDA_VISIBLE_DEVICES", "unset"))
    return sorted(found)


def on_gpus(tasks: list[Task], per_trial: float) -> list[Task]:
    """The same tasks, on GPUs."""
    cuda = {"device": "cuda", "gpus_per_trial": per_trial}
    return [replace(task, profile=task.profile.model_copy(update=cuda)) for task in tasks]


@pytest.mark.parametrize(
    ("devices", "per_trial", "seen"),
    [
        (["2", "GPU-b"], 1, ["2", "GPU-b"]),
        (["0", "1", "2", "3"], 2, ["0,1", "2,3"]),
        (["0", "1", "2"], 2, ["0,1"]),
        (["0"], 2, []),
        (["0", "1"], 0.5, ["0", "0", "1", "1"]),
        (["0"], 0.3, ["0", "0", "0"]),
        ([], 1, ["7"] * 4),
    ],
)
def test_trials_that_run_at_once_share_the_gpus(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: list[str],
    per_trial: float,
    seen: list[str],
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "hang:1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    tasks, stop = on_gpus(simulated.make(tmp_path).tasks(), per_trial), Stop()
    assert len(tasks) == 4
    started: list[Event] = []
    executor = LocalExecutor(4, devices=devices)
    executor.open(started.append, stop)
    waiting = [*tasks]
    while waiting and executor.has_room(waiting[0]):
        executor.start(waiting.pop(0))
    tokens, end = [task.token for task in tasks], time.monotonic() + 60
    try:
        while running(tokens) != seen and time.monotonic() < end:
            time.sleep(0.05)
        assert running(tokens) == seen
        assert len(started) == len(seen)
    finally:
        stop.set(0)
        executor.close()
    assert running(tokens) == []
    assert executor.has_room(tasks[0]) is (len(devices) >= per_trial or not devices)


def test_trained_trial_is_given_the_gpu_of_one_engine(
    tmp_path: Path,
) -> None:
    (task, *_) = on_gpus(simulated.make(tmp_path).tasks(), 2)
    stop, ended = Stop(), list[Event]()
    executor = LocalExecutor(4, devices=["0", "1"])
    executor.open(ended.append, stop)
    assert task.gpus == 2
    executor.start(task)
    executor.close()
    assert task.gpus == 1  # should evaluations be missing
    assert executor._free == {"0": 1.0, "1": 1.0}
