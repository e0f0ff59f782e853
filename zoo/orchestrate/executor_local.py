"""Runs trials on this machine without Ray: as processes, or in this process for trials that take no
time (the simulated ones).

What runs in this process cannot be stopped half-way; it is meant for trials of milliseconds. The
function that runs them is handed in, so that nothing here knows how to train.
"""

from __future__ import annotations

import math
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from zoo.orchestrate import processes
from zoo.orchestrate.executor import Event, Stop, Tell
from zoo.orchestrate.launch import MEASURING_FAILED, RETRAINING_FAILED, Ended, Task, run, write_task
from zoo.track import record
from zoo.track.store import full_text, is_full

InProcess = Callable[[Path], int]
"""Runs the trial of a `trial.json`; returns its exit status (0, 1, 130, 143)."""


def gpu_shares(devices: Sequence[str], per_trial: float) -> list[str]:
    """What each of the trials that run at once may see, as a `CUDA_VISIBLE_DEVICES`; so many trials
    find room. A part of a GPU is shared by as many trials as it has such parts.

    Args:
        devices: GPUs, as numbers or UUIDs.
        per_trial: GPUs a trial; 0 = trials use none, and nothing is assigned.
    """
    if per_trial <= 0:
        return []
    if per_trial < 1:
        return [*devices] * int(1 / per_trial + 1e-9)
    size = math.ceil(per_trial)
    whole = len(devices) // size * size
    return [",".join(devices[at : at + size]) for at in range(0, whole, size)]


class LocalExecutor:
    """`concurrency` trials at a time; each sees a share of the GPUs, where there are `shares`, and
    no more run at once than there are shares."""

    name = "local"

    def __init__(
        self,
        concurrency: int = 1,
        in_process: InProcess | None = None,
        shares: Sequence[str] = (),
    ) -> None:
        self.in_process = in_process
        self._full = False
        self.shares: list[str | None] = [*shares[:concurrency]] or [None] * concurrency

    def run(self, tasks: Sequence[Task], tell: Tell, stop: Stop) -> None:
        """Run all tasks in order; returns when none is running any more. Where the disk is full, no
        further task starts: none could keep anything."""
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        threads = [
            threading.Thread(target=self._work, args=(waiting, share, tell, stop), daemon=True)
            for share in self.shares[: len(tasks)]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(
        self, waiting: queue.SimpleQueue[Task], share: str | None, tell: Tell, stop: Stop
    ) -> None:
        with suppress(queue.Empty):
            while stop.grace() is None and not self._full:
                task = replace(waiting.get_nowait(), devices=share)
                tell(Event(task.trial.id))
                ended = self._one(task, stop)
                tell(Event(task.trial.id, ended))
                self._full = self._full or ended.failure_class == "disk"

    def _one(self, task: Task, stop: Stop) -> Ended:
        try:
            return run(task, stop.grace) if self.in_process is None else self._here(task)
        except Exception as error:  # of the launch itself: a full disk, an unreadable record
            if is_full(error):
                return Ended("failed", "disk", full_text(error, task.folder))
            return Ended("failed", "error", f"{type(error).__name__}: {error}")

    def _here(self, task: Task) -> Ended:
        assert self.in_process is not None
        clock = time.monotonic()
        launch = task.launch  # asking for it lists the store
        path = write_task(task, launch)
        processes.Note.of(task.token, os.getpid()).write(launch)
        try:
            status = self.in_process(path)
        finally:
            shutil.rmtree(launch, ignore_errors=True)
        seconds = time.monotonic() - clock
        found = record.read(launch.parents[1])
        if found is None:
            return Ended("failed", "error", f"exit status {status} without a record", seconds)
        if status and found.finished():
            again = task.retrain and found.about.get("token") != task.token
            return Ended(
                "failed", "error", RETRAINING_FAILED if again else MEASURING_FAILED, seconds
            )
        return Ended(found.state, found.failure_class, found.message, seconds)
