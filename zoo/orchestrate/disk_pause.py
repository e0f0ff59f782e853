"""A sweep whose disk is full waits until there is room again.

While it waits nothing starts; what runs goes on, or fails with class `disk` and is tried again from
its checkpoint. Free space is read every few seconds; a quota or a full disk elsewhere does not show
in it, so there the wait before a retry (`zoo.orchestrate.retries`) sets the pace.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from zoo.resources.cost import state_bytes
from zoo.runs.checkpoints import ROOM
from zoo.trials.trial import Trial

CHECK_S = 5.0
LEAST_BYTES = 64 * 2**20
"""Free bytes that a trial needs at least, for journals, completions and records."""


def free_bytes(folder: Path) -> int:
    """Free bytes of the disk that holds a folder."""
    return shutil.disk_usage(folder).free


class DiskPause:
    """Whether a sweep waits for space on the disk of its run store."""

    def __init__(self, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.needs = 0.0
        """Free bytes that end the pause; 0 = there is none."""
        self._root, self._clock, self._checked = root, clock, 0.0

    def begin(self, trial: Trial) -> str:
        """Wait for the room of this trial's next checkpoint; returns a description for the
        user, empty where the pause has begun already."""
        before, room = self.needs, ROOM * state_bytes(trial)
        self.needs, self._checked = max(before, room, LEAST_BYTES), self._clock()
        if before:
            return ""
        return (
            f"disk full: {gib(self.needs)} are needed on the disk of {self._root}, "
            f"{gib(free_bytes(self._root))} are free. Nothing starts until there is room; what "
            f"failed goes on from its checkpoint. Looks every {CHECK_S:g} s; Ctrl-C ends the sweep"
        )

    def over(self) -> bool:
        """Whether a pause ends now."""
        now = self._clock()
        if not self.needs or now - self._checked < CHECK_S:
            return False
        self._checked = now
        if free_bytes(self._root) < self.needs:
            return False
        self.needs = 0.0
        return True


def gib(bytes_: float) -> str:
    """A size in words: `0.51 GiB`."""
    return f"{bytes_ / 2**30:.2f} GiB"
