"""The first trial of a shape goes ahead of the others until its first round has ended."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support import simulated
from tests.support.scripted import Scripted
from zoo.catalog import ComputeProfile
from zoo.launching.launch import LaunchResult
from zoo.orchestrate import driver
from zoo.orchestrate.invocation import Sweep
from zoo.orchestrate.progress import Lines
from zoo.resources import shape
from zoo.runs.sweep_status import read_status
from zoo.scheduling.canaries import LEAST_ROUNDS, Canaries, proven_by
from zoo.scheduling.executor import Event, Stop
from zoo.scheduling.order import Extent, scheduled_hours
from zoo.scheduling.simulate import SimulatedTrial, simulate
from zoo.scheduling.task_queue import TaskQueue

PROFILE = ComputeProfile(form="profile/1", name="test", executor="local", concurrency=4)


def make(folder: Path, rounds: int = LEAST_ROUNDS, **settings) -> simulated.Sweep:
    """Two models, three seeds of each."""
    named = {"rewards": "correctness", "seeds": "0, 1, 2", "rounds": rounds, "problems": 1}
    return simulated.make(folder, **named | settings)


def queue_of(made: simulated.Sweep, canaries: Canaries | None = None) -> TaskQueue:
    executor = Scripted(defaultdict(list), 4, random.Random(0))
    executor.open(lambda event: None, Stop())
    return TaskQueue(made.tasks(), executor, Stop(), canaries=canaries)


def test_trials_of_a_shape_wait_for_the_first_round_of_one_of_them(tmp_path: Path) -> None:
    queue = queue_of(make(tmp_path))
    first, second = (task.trial for task in queue.fill())
    assert shape(first) != shape(second)
    assert queue.fill() == []
    queue.passed(first)
    assert {shape(task.trial) for task in queue.fill()} == {shape(first)}
    assert len(queue.running) == 4


def test_trial_that_failed_before_its_first_round_is_followed_by_one_other(tmp_path: Path) -> None:
    queue = queue_of(make(tmp_path, models="pocket-llama"))
    (first,) = queue.fill()
    queue.take(Event(first.trial.id, LaunchResult("failed", "killed")))
    (second,) = queue.fill()
    queue.take(Event(second.trial.id, LaunchResult("done")))
    assert len(queue.fill()) == 1
    assert not queue.canaries.ahead


@pytest.mark.parametrize("why", ["short", "proven"])
def test_trials_that_are_short_or_proven_wait_for_none(tmp_path: Path, why: str) -> None:
    made = make(tmp_path, LEAST_ROUNDS - (why == "short"))
    proven = [made.trials[0], made.trials[-1]] if why == "proven" else []
    assert len(queue_of(made, Canaries(proven)).fill()) == 4


def test_proven_are_trials_that_ended_a_round(tmp_path: Path) -> None:
    made = make(tmp_path, models="pocket-llama")
    status = read_status(made.trials, made.store)
    assert proven_by(status.trials) == []
    executor = Scripted(defaultdict(list), 1, random.Random(0))
    drive(made, executor)
    assert len(proven_by(read_status(made.trials, made.store).trials)) == 3


def drive(made: simulated.Sweep, executor: Scripted) -> str:
    out, folder = io.StringIO(), made.folder / "sweeps/tiny"
    sweep = Sweep(made.manifest, made.trials, made.store, folder, PROFILE)
    status = read_status(sweep.trials, sweep.store)
    driver.run(sweep, status, lambda: executor, Lines(out))
    return out.getvalue()


def test_failure_of_the_first_of_a_shape_costs_one_launch(tmp_path: Path) -> None:
    made = make(tmp_path)
    script = {trial.id: ["config"] * ("qwen2" in trial.id) for trial in made.trials}
    executor = Scripted(script, 4, random.Random(0))
    told = drive(made, executor)
    assert "held back, as they are likely to fail like pocket-qwen2" in told
    assert sum("qwen2" in id_ for id_ in executor.launches) == 1
    assert sum("llama" in id_ for id_ in executor.launches) == 3


def test_simulated_sweep_and_its_schedule_wait_alike(tmp_path: Path) -> None:
    trials = make(tmp_path, models="pocket-llama").trials
    said = {"device": "cuda", "gpus": 3, "gpus_per_node": 3, "concurrency": 3, "gpus_per_trial": 1}
    profile = ComputeProfile.model_validate({"schema": "profile/1", "name": "p"} | said)
    jobs = [SimulatedTrial(trial, 1, 10.0, "base", 0.5, 1.0) for trial in trials]
    found = simulate(jobs, profile)
    assert [(span.start, span.waited) for span in found.spans] == [(0.0, 0), (1.5, 0), (1.5, 0)]
    assert [span.start for span in simulate(jobs, profile, trials).spans] == [0.0, 0.0, 0.0]
    extents = [Extent(10.0, 1, 1.5)] * 3
    assert scheduled_hours(extents, profile, ["a"] * 3) == found.makespan == 11.5
    assert scheduled_hours(extents, profile) == 10.0
