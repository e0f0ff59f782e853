"""Which task starts next; one task is ended alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.executors.local import LocalExecutor
from zoo.launching.launch import LaunchResult
from zoo.scheduling.executor import Event, Handle, Stop
from zoo.scheduling.task_queue import TaskQueue


class Recording:
    """Starts nothing; remembers the order."""

    name, changes = "recording", 0

    def __init__(self, slots: int) -> None:
        self.slots, self.room = slots, True
        self.started: list[str] = []

    def open(self, tell, stop) -> None:
        """Nothing to do."""

    def has_room(self, task) -> bool:
        return self.room

    def start(self, task) -> Handle:
        self.started.append(task.trial.id)
        return Handle(task.trial.id)

    def check(self) -> None:
        """Nothing breaks."""

    def close(self) -> None:
        """Nothing to do."""


def test_schedule_with_free_slots_starts_tasks_in_order_and_no_more(tmp_path: Path) -> None:
    tasks = simulated.make(tmp_path).tasks()
    ids = [task.trial.id for task in tasks]
    executor = Recording(2)
    schedule = TaskQueue(tasks, executor, Stop())
    schedule.fill()
    schedule.fill()
    assert executor.started == ids[:2]
    schedule.take(Event(ids[1]))  # it began
    schedule.fill()
    assert executor.started == ids[:2]
    schedule.take(Event(ids[1], LaunchResult("failed", "error")))
    schedule.fill()
    assert executor.started == ids[:3]
    assert not schedule.over
    for id_ in (ids[0], ids[2]):
        schedule.take(Event(id_, LaunchResult("done")))
    assert not schedule.over
    schedule.fill()
    schedule.take(Event(ids[3], LaunchResult("done")))
    assert schedule.over


def test_schedule_after_stop_waits_for_what_runs_and_starts_nothing(tmp_path: Path) -> None:
    tasks, stop = simulated.make(tmp_path).tasks(), Stop()
    executor = Recording(2)
    schedule = TaskQueue(tasks, executor, stop)
    schedule.fill()
    first, second = executor.started
    stop.set(5)
    schedule.take(Event(first, LaunchResult("failed", "disk")))
    schedule.fill()
    assert executor.started == [first, second]
    assert not schedule.over
    schedule.take(Event(second, LaunchResult("preempted", "interrupted")))
    assert schedule.over


def test_schedule_that_is_paused_starts_nothing_and_is_not_over_unless_stopped(
    tmp_path: Path,
) -> None:
    tasks, stop = simulated.make(tmp_path).tasks(), Stop()
    executor = Recording(1)
    schedule = TaskQueue(tasks, executor, stop)
    schedule.fill()
    schedule.paused = True
    schedule.take(Event(executor.started[0], LaunchResult("failed", "disk")))
    schedule.fill()
    assert len(executor.started) == 1
    assert not schedule.over
    schedule.paused = False
    schedule.fill()
    assert len(executor.started) == 2
    schedule.paused = True
    schedule.take(Event(executor.started[1], LaunchResult("done")))
    stop.set()
    assert schedule.over


def test_handle_stop_ends_that_task_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "hang:1")
    one, two, *_ = simulated.make(tmp_path).tasks()
    events, stop = list[Event](), Stop()
    executor = LocalExecutor(2)
    executor.open(events.append, stop)
    handle = executor.start(one)
    executor.start(two)
    try:
        handle.stop.set(0)
        end = time.monotonic() + 30
        while not any(event.ended for event in events) and time.monotonic() < end:
            time.sleep(0.05)
        assert [event.id for event in events if event.ended] == [one.trial.id]
    finally:
        stop.set(0)
        executor.close()
    assert {event.id for event in events if event.ended} == {one.trial.id, two.trial.id}
