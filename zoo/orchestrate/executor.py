"""What every executor is: it takes tasks, runs them somewhere, and says when each starts and ends.

An executor decides nothing about what runs or in which order; it never retries; one task's failure
is nobody else's business.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from zoo.orchestrate.launch import Ended, Task

ROUND_END = math.inf
"""The grace that lets trials end their round, however long that takes."""


@dataclass
class Stop:
    """The wish that everything ends, and how long it may take. Set by a signal, read by all."""

    wish: threading.Event = field(default_factory=threading.Event)
    grace_s: float = ROUND_END

    def set(self, grace_s: float = ROUND_END) -> None:
        """Ask everything to end within `grace_s`; asked again, the shorter one holds."""
        self.grace_s = min(self.grace_s, grace_s)
        self.wish.set()

    def grace(self) -> float | None:
        """Seconds of grace where everything shall end, else None."""
        return self.grace_s if self.wish.is_set() else None


@dataclass(frozen=True, slots=True)
class Event:
    """A task started (`ended` is None) or ended."""

    id: str
    ended: Ended | None = None


Tell = Callable[[Event], None]


class Executor(Protocol):
    """Runs tasks. `run` returns when every task has ended or `stop` was obeyed."""

    name: str

    def run(self, tasks: Sequence[Task], tell: Tell, stop: Stop) -> None:
        """Run tasks, and tell of each start and end as it comes."""
        ...
