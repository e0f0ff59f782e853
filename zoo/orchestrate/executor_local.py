"""Runs trials on this machine without Ray: as processes, or in this process for trials that take no
time (the simulated ones).

What runs in this process cannot be stopped half-way; it is meant for trials of milliseconds. The
function that runs them is handed in, so that nothing here knows how to train.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from zoo.orchestrate.executor import Event, Stop, Tell
from zoo.orchestrate.launch import MEASURING_FAILED, Ended, Task, run, write_task
from zoo.track import record

InProcess = Callable[[Path], int]
"""Runs the trial of a `trial.json`; returns its exit status (0, 1, 130, 143)."""


class LocalExecutor:
    """`concurrency` trials at a time."""

    name = "local"

    def __init__(self, concurrency: int = 1, in_process: InProcess | None = None) -> None:
        self.concurrency, self.in_process = concurrency, in_process

    def run(self, tasks: Sequence[Task], tell: Tell, stop: Stop) -> None:
        """Run all tasks in order; returns when none is running any more."""
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        threads = [
            threading.Thread(target=self._work, args=(waiting, tell, stop), daemon=True)
            for _ in range(min(self.concurrency, len(tasks)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, waiting: queue.SimpleQueue[Task], tell: Tell, stop: Stop) -> None:
        with suppress(queue.Empty):
            while stop.grace() is None:
                task = waiting.get_nowait()
                tell(Event(task.trial.id))
                tell(Event(task.trial.id, self._one(task, stop)))

    def _one(self, task: Task, stop: Stop) -> Ended:
        try:
            return run(task, stop.grace) if self.in_process is None else self._here(task)
        except Exception as error:  # of the launch itself: a full disk, an unreadable record
            return Ended("failed", "error", f"{type(error).__name__}: {error}")

    def _here(self, task: Task) -> Ended:
        assert self.in_process is not None
        clock = time.monotonic()
        try:
            status = self.in_process(write_task(task))
        finally:
            shutil.rmtree(task.launch, ignore_errors=True)
        seconds = time.monotonic() - clock
        found = record.read(task.folder)
        if found is None:
            return Ended("failed", "error", f"exit status {status} without a record", seconds)
        if status and found.finished():
            return Ended("failed", "error", MEASURING_FAILED, seconds)
        return Ended(found.state, found.failure_class, found.message, seconds)
