"""Real trials that a fork server starts: bit for bit those of new interpreters, also continued."""

from __future__ import annotations

import math
import secrets
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.same_trial import traces
from tests.support.sweeps import rounds, wait_for
from tests.support.trials import manifest, trials_of
from zoo.catalog import Catalog, ComputeProfile
from zoo.launching import launch, warm_starts
from zoo.launching.task import Task
from zoo.scheduling.executor import Stop
from zoo.store import record


def never() -> None:
    return None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("on", ["laptop", "cpu-transformers"])
def test_warm_trial_stopped_and_continued_equals_the_cold_one(tmp_path: Path, on: str) -> None:
    (trial,) = trials_of(manifest(tmp_path, rounds=6))
    profile = Catalog().get(ComputeProfile, on).model_copy(update={"save_every": 1})
    assert profile.warm_starts
    tasks = [
        Task(trial, profile.model_copy(update={"warm_starts": warm}), str(tmp_path / name), name)
        for name, warm in {"cold/runs": False, "warm/runs": True}.items()
    ]
    cold, warm = (replace(task, token=secrets.token_hex(8)) for task in tasks)
    assert launch.run(cold, never).state == "done"
    stop, ended = Stop(), []
    thread = threading.Thread(target=lambda: ended.append(launch.run(warm, stop.grace)))
    thread.start()
    wait_for(lambda: rounds(tmp_path / "warm") > [2])
    stop.set(math.inf)
    thread.join()
    assert ended[0].state == "preempted"
    assert launch.run(replace(warm, token=secrets.token_hex(8)), never).state == "done"
    warm_starts.close_servers()
    found = record.read(warm.folder)
    assert found is not None
    assert found.about["resumed_from"] > 0
    assert "no warm start" not in (warm.folder / "log.txt").read_text()
    again, once = (traces(trial, task.store) for task in (warm, cold))
    for name, expected in once.items():
        assert again[name] == expected, name
