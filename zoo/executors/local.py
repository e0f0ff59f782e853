"""Runs trials on this machine without Ray: as processes, or in this process for trials that take
almost no time (the simulated ones).

What runs in this process cannot be stopped half-way; it is meant for trials of milliseconds. The
function that runs them is passed in, so that this module needs no training code.
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
from zoo.launching import processes
from zoo.launching.launch import (
    MEASURING_FAILED,
    RETRAINING_FAILED,
    LaunchResult,
    failed_launch,
    run,
)
from zoo.launching.task import Task, write_task
from zoo.launching.warm_starts import close_servers
from zoo.scheduling.executor import Event, Handle, Stop, Tell
from zoo.store import record

InProcess = Callable[[Path], int]
"""Runs the trial of a `trial.json`; returns its exit status (0, 1, 130, 143)."""


class LocalExecutor:
    """`concurrency` trials at a time; each gets its own GPUs, or a part of one, where there are
    `devices` (numbers or UUIDs, as `CUDA_VISIBLE_DEVICES` names them)."""

    name, changes = "local", 0

    def __init__(
        self,
        concurrency: int = 1,
        in_process: InProcess | None = None,
        devices: Sequence[str] = (),
    ) -> None:
        self.in_process, self.slots = in_process, concurrency
        self._free = dict.fromkeys(devices, 1.0)
        """Device -> the part of it that is free."""
        self._threads: set[threading.Thread] = set()
        self._crash: BaseException | None = None

    def open(self, tell: Tell, stop: Stop) -> None:
        """Nothing to prepare."""
        self._tell, self._stop = tell, stop

    def has_room(self, task: Task) -> bool:
        """Whether its GPUs, or its part of one, are free."""
        return not self._free or self._devices(task) is not None

    def _devices(self, task: Task) -> list[str] | None:
        """The free devices that a task would see; None = not so many are free."""
        gpus = task.gpus
        free = [name for name, part in self._free.items() if part >= min(1.0, gpus) - 1e-9]
        wanted = math.ceil(gpus)
        return free[:wanted] if wanted <= len(free) else None

    def start(self, task: Task) -> Handle:
        """Run a task in a new thread, on free devices."""
        handle, devices = Handle(task.trial.id), self._devices(task) or []
        taken = dict.fromkeys(devices, min(1.0, task.gpus))  # it may need fewer once it is trained
        for name, part in taken.items():
            self._free[name] -= part
        if devices:
            task = replace(task, devices=",".join(devices))
        work = (task, handle, taken)
        thread = threading.Thread(target=self._work, args=work, daemon=True)
        self._threads.add(thread)
        thread.start()
        return handle

    def check(self) -> None:
        """Raise what a thread could not report as the end of its task."""
        if self._crash is not None:
            raise self._crash

    def close(self) -> None:
        """Wait for all threads, and let go of fork servers."""
        for thread in [*self._threads]:
            thread.join()
        close_servers()

    def _work(self, task: Task, handle: Handle, taken: dict[str, float]) -> None:
        try:
            self._tell(Event(handle.id))
            ended = self._one(task, handle)
            for name, part in taken.items():
                self._free[name] += part
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
        processes.ProcessStamp.of(task.token, os.getpid()).write(launch)
        path = write_task(task, launch)
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
