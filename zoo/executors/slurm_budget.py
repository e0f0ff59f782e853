"""Keeps a trial's job within the budget of its study while it runs: its jobs have no driver, so
each reads what all of them have spent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from zoo.launching.task import Task
from zoo.runs.spending import gib_by_trial, read_spending
from zoo.scheduling.budget import BudgetLevels, Forecast

READ_S = 60.0
"""How long what was read is used: it is a file of each trial on a shared disk."""


class JobBudget:
    """The limits of a study, as one of its jobs sees them."""

    def __init__(self, task: Task, folder: Path, limits: Mapping[str, float]) -> None:
        """`folder`: of the job, `runs/sweeps/NAME/slurm/TRIAL`."""
        self._store, self._jobs, self._name = task.store, folder.parent, folder.parents[1].name
        self._limits, self._at = limits, float("-inf")
        self.reached: str | None = None
        """The limit that is used up, once one is."""

    def look(self) -> str | None:
        """The limit that is used up, by files that are at most `READ_S` old."""
        now = time.monotonic()
        if self._limits and self.reached is None and now - self._at > READ_S:
            self._at = now
            with suppress(OSError):  # a shared disk that answers again by the next look
                self.reached = self._read()
        return self.reached

    def _read(self) -> str | None:
        spending, now = read_spending(self._store, self._name)
        disk: dict[str, float] = {}
        if "disk_gib" in self._limits:
            disk = gib_by_trial(self._store, (path.name for path in self._jobs.iterdir()))
        level = BudgetLevels(self._limits, spending, Forecast(), now, disk=disk).reached()
        return None if level is None else str(level)
