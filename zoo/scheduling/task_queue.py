"""Which task starts next, and when none does any more: the scheduling of one sweep.

Pure bookkeeping between a queue of tasks and an executor; used by the driver's main thread alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice

from zoo.launching.task import Task
from zoo.scheduling.executor import Event, Executor, Handle, Stop
from zoo.trials.trial import Trial

OVERTAKES = 16
"""How many tasks in a row may start before one that needs more than is free."""


class TaskQueue:
    """Tasks in their order, those that run, those that wait to be tried again, and whether further
    ones start."""

    def __init__(
        self,
        tasks: Iterable[Task],
        executor: Executor,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
        may: Callable[[Task], bool] = lambda task: True,
    ) -> None:
        """`may`: whether a task may start now; asked again after each end of a task."""
        self.waiting = list(tasks)
        self.running: dict[str, tuple[Task, Handle]] = {}
        self._later: list[tuple[float, Task]] = []
        """When a task may start again, and the task."""
        self._executor, self._stop, self._clock, self._may = executor, stop, clock, may
        self.paused = False
        """Whether no task starts for now."""
        self._stuck = False
        self._seen = 0
        """Changes of what is free that were taken into account."""
        self._overtaken = 0

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing more will start."""
        return not self.running and not ((self.waiting or self._later) and self.starts)

    @property
    def starts(self) -> bool:
        """Whether further tasks start."""
        return self._stop.grace() is None

    def fill(self) -> list[Task]:
        """Start tasks while there is a free slot; returns them."""
        return list(iter(self.start_next, None))

    def start_next(self) -> Task | None:
        """Start the next task, where there is a free slot for one; returns it."""
        self._take_back()
        if self.paused or not self.starts or len(self.running) >= self._executor.slots:
            return None
        at = self._next()
        if at is None:
            return None
        task = self.waiting.pop(at)
        self.running[task.trial.id] = task, self._executor.start(task)
        return task

    def _next(self) -> int | None:
        """The place of the next task to start: the first one that may, or where it needs more than
        is free, the first that has room; None = none starts before something ends. The first one
        is overtaken `OVERTAKES` times in a row at most, or it would wait for ever."""
        if self._stuck and self._seen == self._executor.changes:
            return None
        self._seen = self._executor.changes
        allowed = (at for at, task in enumerate(self.waiting) if self._may(task))
        most = len(self.waiting) if self._overtaken < OVERTAKES else 1
        for ahead, at in enumerate(islice(allowed, most)):
            if self._executor.has_room(self.waiting[at]):
                self._overtaken = self._overtaken + 1 if ahead else 0
                return at
        self._stuck = True
        return None

    def take(self, event: Event) -> Task | None:
        """Note that a task ended; returns it."""
        if event.ended is None:
            return None
        self._stuck = False
        return self.running.pop(event.id)[0]

    def again(self, task: Task, wait_s: float) -> None:
        """Start a task once more, after a wait and before those that have not run yet."""
        self._later.append((self._clock() + wait_s, task))

    @property
    def blocked(self) -> bool:
        """Whether nothing runs, and of all that waits nothing may start."""
        idle = self.starts and not (self.paused or self.running or self._later)
        return idle and self._stuck and not any(map(self._may, self.waiting))

    def withdraw(self, which: Callable[[Trial], bool]) -> list[Task]:
        """Start these tasks no more; returns them."""
        out = [task for task in self.waiting if which(task.trial)]
        gone = {task.trial.id for task in out}
        self.waiting = [task for task in self.waiting if task.trial.id not in gone]
        self._stuck = self._stuck and not out
        return out

    def _take_back(self) -> None:
        now = self._clock()
        due = sorted((pair for pair in self._later if pair[0] <= now), key=lambda pair: pair[0])
        if due:
            self._later = [pair for pair in self._later if pair[0] > now]
            self.waiting[:0] = [task for _, task in due]
            self._stuck = False
