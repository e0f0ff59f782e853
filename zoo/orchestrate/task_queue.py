"""Which task starts next, and when none does any more: the scheduling of one sweep.

Pure bookkeeping between a queue of tasks and an executor; used by the driver's main thread alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from zoo.errors import FailureClass
from zoo.launching.task import Task
from zoo.orchestrate.executor import Event, Executor, Handle, Stop


class TaskQueue:
    """Tasks in their order, those that run, and whether further ones start."""

    def __init__(self, tasks: Iterable[Task], executor: Executor, stop: Stop) -> None:
        self.waiting = deque(tasks)
        self.running: dict[str, Handle] = {}
        self._executor, self._stop, self._halted = executor, stop, False

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing more will start."""
        return not self.running and not (self.waiting and self._starts)

    @property
    def _starts(self) -> bool:
        return self._stop.grace() is None and not self._halted

    def fill(self) -> None:
        """Start tasks while there is a free slot. None overtakes one that needs more than is free,
        which would wait for ever."""
        executor = self._executor
        while self.waiting and self._starts and len(self.running) < executor.slots:
            if not executor.has_room(self.waiting[0]):
                return
            task = self.waiting.popleft()
            self.running[task.trial.id] = executor.start(task)

    def take(self, event: Event) -> None:
        """Note that a task ended. After a full disk no further task starts: none could save
        anything."""
        if event.ended is not None:
            self.running.pop(event.id)
            self._halted = self._halted or event.ended.failure_class == FailureClass.DISK
