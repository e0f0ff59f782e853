"""Trials that run at once on this machine do not see each other's GPUs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.orchestrate import processes
from zoo.orchestrate.executor import Event, Stop
from zoo.orchestrate.executor_local import LocalExecutor, gpu_shares


@pytest.mark.parametrize(
    ("devices", "per_trial", "shares"),
    [
        ("0123", 1, ["0", "1", "2", "3"]),
        ("0123", 2, ["0,1", "2,3"]),
        ("012", 2, ["0,1"]),
        ("0", 2, []),
        ("01", 0.5, ["0", "1", "0", "1"]),
        ("0", 0.3, ["0", "0", "0"]),
        ("0", 0.1, ["0"] * 10),
        ("01", 0, []),
        ("", 1, []),
    ],
)
def test_gpu_shares_hold_as_many_trials_as_there_is_room_for(
    devices: str, per_trial: float, shares: list[str]
) -> None:
    assert gpu_shares([*devices], per_trial) == shares


def running(tokens: list[str]) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each process of these launches."""
    found = []
    for pid in processes.of_launch(*tokens):
        lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
        env = dict(line.partition("=")[::2] for line in lines)
        found.append(env.get("CUDA_VISIBLE_DEVICES", "unset"))
    return sorted(found)


@pytest.mark.parametrize(("shares", "seen"), [(["2", "GPU-b"], ["2", "GPU-b"]), ([], ["7"] * 4)])
def test_trials_that_run_at_once_see_a_gpu_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: list[str], seen: list[str]
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "hang:1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    tasks, stop = simulated.make(tmp_path).tasks(), Stop()
    assert len(tasks) == 4
    started: list[Event] = []
    executor = LocalExecutor(4, shares=shares)
    assert executor.slots == len(seen)
    executor.open(started.append, stop)
    for task in tasks[: executor.slots]:
        executor.start(task)
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
