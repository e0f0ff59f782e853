"""The interface of executors: they start tasks somewhere and report when each begins and ends.

An executor decides nothing about what runs, when or in which order (`zoo.scheduling.task_queue`
does); it never retries, and one task's failure does not affect another.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from zoo.launching.launch import LaunchResult
from zoo.launching.task import Task

ROUND_END = math.inf
"""The grace that lets trials end their round, however long that takes."""


@dataclass
class Stop:
    """A stop request and its grace period. Set by a signal, read by all."""

    wish: threading.Event = field(default_factory=threading.Event)
    grace_s: float = ROUND_END

    def set(self, grace_s: float = ROUND_END) -> None:
        """Request that everything ends within `grace_s`; of several requests the shortest
        applies."""
        self.grace_s = min(self.grace_s, grace_s)
        self.wish.set()

    def grace(self) -> float | None:
        """Seconds of grace where everything shall end, else None."""
        return self.grace_s if self.wish.is_set() else None


@dataclass(frozen=True, slots=True)
class Event:
    """A task started (`ended` is None) or ended."""

    id: str
    ended: LaunchResult | None = None


Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Handle:
    """A task that was started. `stop` ends this task alone."""

    id: str
    stop: Stop = field(default_factory=Stop)

    def grace(self, sweep: Stop) -> float | None:
        """Seconds of grace where this task or the whole sweep shall end, else None."""
        graces = [stop.grace() for stop in (self.stop, sweep)]
        return min((grace for grace in graces if grace is not None), default=None)


class Executor(Protocol):
    """Starts tasks. Used by one thread, between `open` and `close`."""

    name: str
    slots: int
    """How many tasks may run at a time; the caller starts no more."""

    @property
    def changes(self) -> int:
        """How often what is free changed other than by a task's begin or end: nodes come and go."""
        ...

    def has_room(self, task: Task) -> bool:
        """Whether a free slot has what a task needs; where not, it waits for others to end."""
        ...

    def open(self, tell: Tell, stop: Stop) -> None:
        """Prepare. `tell` is called from any thread, once when a task begins and once when it
        ends; where `stop` is set, every task ends within its grace."""
        ...

    def start(self, task: Task) -> Handle:
        """Start a task; returns at once."""
        ...

    def check(self) -> None:
        """Raise `StateError` where the executor itself broke and will run nothing more."""
        ...

    def close(self) -> None:
        """Let go of everything; returns when nothing of it runs any more."""
        ...
