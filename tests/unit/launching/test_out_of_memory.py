"""Trials that run out of memory go on with smaller forward passes, twice; then with advice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.launching import launch
from zoo.launching.out_of_memory import kernel_kills, with_less
from zoo.launching.task import Task
from zoo.store import journal, record
from zoo.store.failures import classify
from zoo.store.record import Record


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """16 completions an update, all in one forward pass."""
    made = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness", rounds=4)
    task = made.tasks()[0]
    batch = task.trial.batch.model_copy(update={"prompts": 4})
    return replace(task, trial=task.trial.model_copy(update={"batch": batch}))


def never() -> None:
    return None


def ended(task: Task) -> tuple[Record, str]:
    launch.run(task, never)
    found = record.read(task.folder)
    assert found is not None
    return found, (task.folder / "log.txt").read_text()


def test_trial_out_of_memory_goes_on_from_its_checkpoint_with_half_the_micro_batch(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "oom:4")
    profile = task.profile.model_copy(update={"save_every": 1})
    found, log = ended(replace(task, profile=profile))
    assert found.done(4)
    assert found.about["out_of_memory"] == [16, 8]
    assert "zoo: out of memory; tried again with a micro-batch of 8\n" in log
    assert "zoo: out of memory; tried again with a micro-batch of 4\n" in log
    rows = journal.read(task.folder / "metrics.jsonl")
    assert [row["round"] for row in rows] == [0, 1, 2, 3, 4]  # round 1 is not trained again


def test_trial_that_is_out_of_memory_three_times_fails_with_advice(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "oom:2")
    found, log = ended(task)
    assert (found.state, found.failure_class) == ("failed", "oom")
    assert found.message.splitlines()[-1] == (
        "out of memory with a micro-batch of 4 (before that: 16, 8); use a machine with more "
        "memory, or a profile with less `concurrency`"
    )
    assert log.count("tried again") == 2


def test_pinned_micro_batch_is_not_halved(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "oom:2")
    batch = task.trial.batch.model_copy(update={"micro_batch": 4})
    found, log = ended(replace(task, trial=task.trial.model_copy(update={"batch": batch})))
    assert (found.state, found.failure_class) == ("failed", "oom")
    assert "micro-batch of 4, which stays: its recipe pins the micro-batch;" in found.message
    assert "tried again" not in log


def test_launch_that_is_stopped_is_not_tried_again(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "oom:2")
    stop: list[float] = []
    monkeypatch.setattr(launch, "_note", lambda *_: stop.append(0.0))
    launch.run(task, lambda: stop[0] if stop else None)
    found = record.read(task.folder)
    assert found is not None
    assert (found.state, found.about["out_of_memory"]) == ("preempted", [16])


def test_trial_killed_while_the_kernel_lacked_memory_is_out_of_memory(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "kill:2")
    counts = iter(range(100))
    monkeypatch.setattr(launch, "kernel_kills", lambda: next(counts))
    found, log = ended(task)
    assert (found.state, found.failure_class) == ("failed", "oom")
    assert log.count("tried again") == 2


@pytest.mark.parametrize(("text", "kills"), [("pgfault 5\noom_kill 3\n", 3), ("pgfault 5\n", 0)])
def test_kernel_kills_are_read_from_vmstat(tmp_path: Path, text: str, kills: int) -> None:
    (tmp_path / "vmstat").write_text(text)
    assert kernel_kills(tmp_path / "vmstat") == kills
    assert kernel_kills(tmp_path / "absent") == 0


def test_trial_is_tried_with_less_after_want_of_memory_alone(task: Task) -> None:
    assert with_less(task, "oom", "") is not None
    assert with_less(task, "error", "") is None


def test_engine_that_gets_no_memory_is_not_tried_again_with_a_smaller_micro_batch(
    task: Task,
) -> None:
    message = "ValueError: No available memory for the cache blocks."
    assert classify(error=ValueError(message)) == "oom"
    assert with_less(task, "oom", message) is None


@pytest.mark.parametrize("how", ["retrain", "extend"])
def test_finished_trial_that_is_out_of_memory_again_goes_on_with_half_the_micro_batch(
    task: Task, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    profile = task.profile.model_copy(update={"save_every": 1, "keep_extendable": True})
    first = task.trial.model_copy(update={"rounds": 1})
    found, _ = ended(replace(task, profile=profile, trial=first))
    assert found.done(1)
    monkeypatch.setenv("ZOO_SIMULATE", "oom:4")
    again = replace(task, profile=profile, token=f"{task.token}-again", **{how: True})
    assert launch.run(again, never).state == "done"
    found = record.read(task.folder)
    assert found is not None
    assert found.done(4)
    assert found.about["out_of_memory"] == [16, 8]
    assert found.lineage == (2 if how == "retrain" else 1)


def test_finished_trial_that_is_out_of_memory_to_the_end_keeps_its_results_and_gets_advice(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = ended(replace(task, trial=task.trial.model_copy(update={"rounds": 1})))
    monkeypatch.setenv("ZOO_SIMULATE", "oom:2")
    told = launch.run(replace(task, token=f"{task.token}-again", retrain=True), never)
    assert (told.state, told.failure_class) == ("failed", "oom")
    assert told.message.startswith("training again failed; previous results are kept\n")
    assert "out of memory with a micro-batch of 4 (before that: 16, 8); use" in told.message
    assert record.read(task.folder) == before


def test_engine_of_an_evaluation_that_is_out_of_memory_is_not_tried_again(task: Task) -> None:
    ended(task)
    assert task.trained
    assert with_less(task, "oom", "") is None
    assert with_less(replace(task, retrain=True), "oom", "") is not None
