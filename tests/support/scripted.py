"""An executor whose trials end as a script says, in this process."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field

from zoo.errors import StateError
from zoo.launching.launch import LaunchResult
from zoo.launching.task import Task, write_task
from zoo.scheduling.executor import Event, Handle
from zoo.train.entry import run as in_process


@dataclass
class Scripted:
    """Runs trials in this process, some of which fail as told; ends them in a random order, and
    breaks after some ends. Counts launches; each says that it took so many `hours`."""

    script: dict[str, list[str]]
    slots: int
    rng: random.Random
    crash_after: int | None = None
    hours: float = 0.0
    name: str = "scripted"
    changes: int = 0
    launches: list[str] = field(default_factory=list)
    running: list[Task] = field(default_factory=list)
    handles: dict[str, Handle] = field(default_factory=dict)
    """Token -> its handle; a task that is asked to end does, before a round."""
    ended: int = 0

    def open(self, tell, stop) -> None:
        self.tell = tell

    def has_room(self, task: Task) -> bool:
        return True

    def start(self, task: Task) -> Handle:
        assert len(self.running) < self.slots
        assert task.trial.id not in {other.trial.id for other in self.running}
        self.running.append(task)
        self.launches.append(task.trial.id)
        self.tell(Event(task.trial.id))
        self.handles[task.token] = Handle(task.trial.id)
        return self.handles[task.token]

    def check(self) -> None:
        if self.crash_after is not None and self.ended >= self.crash_after:
            raise StateError("the driver dies here")
        if self.running:
            task = self.running.pop(self.rng.randrange(len(self.running)))
            self.ended += 1
            self.tell(Event(task.trial.id, self._end(task)))

    def close(self) -> None:
        """Nothing runs any more."""

    def _end(self, task: Task) -> LaunchResult:
        if self.handles[task.token].stop.wish.is_set():
            return LaunchResult("preempted", "interrupted")
        outcome = self.script[task.trial.id].pop(0) if self.script[task.trial.id] else "done"
        if outcome == "done":
            assert in_process(write_task(task)) == 0
            shutil.rmtree(task.launch)
            return LaunchResult("done", seconds=3600 * self.hours)
        state = "preempted" if outcome == "interrupted" else "failed"
        return LaunchResult(state, outcome, seconds=3600 * self.hours)
