"""Runs trials on this machine without Ray: as processes, or in this process for trials that take no
time (the simulated ones).

What runs in this process cannot be stopped half-way; it is meant for trials of milliseconds. The
function that runs them is handed in, so that nothing here knows how to train.
"""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from zoo.errors import FailureClass
from zoo.orchestrate import processes
from zoo.orchestrate.executor import Event, Handle, Stop, Tell
from zoo.orchestrate.launch import (
    MEASURING_FAILED,
    RETRAINING_FAILED,
    LaunchResult,
    Task,
    failed_launch,
    run,
    write_task,
)
from zoo.store import record

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
        self._free: list[str | None] = [*shares[:concurrency]] or [None] * concurrency
        self.slots = len(self._free)
        self._threads: set[threading.Thread] = set()
        self._crash: BaseException | None = None

    def open(self, tell: Tell, stop: Stop) -> None:
        """Nothing to make ready."""
        self._tell, self._stop = tell, stop

    def start(self, task: Task) -> Handle:
        """Run a task in a thread of its own, on the share that is free."""
        handle, share = Handle(task.trial.id), self._free.pop(0)
        work = (replace(task, devices=share), handle, share)
        thread = threading.Thread(target=self._work, args=work, daemon=True)
        self._threads.add(thread)
        thread.start()
        return handle

    def check(self) -> None:
        """Raise what a thread could not report as the end of its task."""
        if self._crash is not None:
            raise self._crash

    def close(self) -> None:
        """Wait for all threads."""
        for thread in [*self._threads]:
            thread.join()

    def _work(self, task: Task, handle: Handle, share: str | None) -> None:
        try:
            self._tell(Event(handle.id))
            ended = self._one(task, handle)
            self._free.append(share)
            self._threads.discard(threading.current_thread())
            self._tell(Event(handle.id, ended))
        except BaseException as error:
            self._crash = error

    def _one(self, task: Task, handle: Handle) -> LaunchResult:
        try:
            if self.in_process is not None:
                return self._here(task)
            return run(task, lambda: handle.grace(self._stop))
        except Exception as error:  # of the launch itself: a full disk, an unreadable record
            return failed_launch(task, error)

    def _here(self, task: Task) -> LaunchResult:
        assert self.in_process is not None
        clock = time.monotonic()
        launch = task.launch  # asking for it lists the store
        path = write_task(task, launch)
        processes.ProcessStamp.of(task.token, os.getpid()).write(launch)
        try:
            status = self.in_process(path)
        finally:
            shutil.rmtree(launch, ignore_errors=True)
        seconds = time.monotonic() - clock
        found = record.read(launch.parents[1])
        if found is None:
            return LaunchResult(
                "failed", FailureClass.ERROR, f"exit status {status} without a record", seconds
            )
        if status and found.finished():
            again = task.retrain and found.about.get("token") != task.token
            return LaunchResult(
                "failed",
                FailureClass.ERROR,
                RETRAINING_FAILED if again else MEASURING_FAILED,
                seconds,
            )
        return LaunchResult(found.state, found.failure_class, found.message, seconds)
