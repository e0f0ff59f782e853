"""What a sweep has spent over all its drivers, from the rows of its journal.

A launch counts from its start to its end, whatever became of it; one that runs counts until now.
Where a driver died, the next one notes until when it lived (`lived_until`); before there is a next
one, the last sign of life is looked up in the files of the trials that it ran. Light.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import StateError
from zoo.store import record, sweep_rows
from zoo.store.run_store import Store, claimed
from zoo.store.sweep_rows import Row

SIGNS = ("metrics.jsonl", "evals.jsonl", "log.txt", "phase", "record.json")
"""Files of a trial that a launch writes while it runs."""


@dataclass(frozen=True, slots=True)
class Expenses:
    """What was spent, by the names of a budget."""

    gpu_hours: float = 0.0
    usd: float = 0.0
    """At the price of the profile that each driver had; 0 where it has none."""
    hours: float = 0.0
    """Wall time of drivers."""


@dataclass(frozen=True, slots=True)
class RunningLaunch:
    """A launch that has not ended: its trial, since when, and its GPUs."""

    trial: str
    since: float
    """Seconds since the epoch."""
    gpus: float


class Spending:
    """Sums over the rows of a journal, taken one by one in their order."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.running: dict[str, RunningLaunch] = {}
        """Token -> launch, of those that have not ended."""
        self.took: dict[str, float] = {}
        """Trial id -> wall hours of its launches until it came to an outcome, of those that did."""
        self.profile: str | None = None
        """Compute profile of the last driver."""
        self._usd_per_hour = 0.0
        self._gpu_s = self._usd = self._drivers_s = 0.0
        self._seconds: dict[str, float] = {}
        self._begun: float | None = None
        """When the driver that has not ended began."""
        self._last = 0.0
        for row in rows:
            self.take(row)

    def take(self, row: Row) -> None:
        """Count one row."""
        event, now = row["event"], row.get("time", self._last)
        if event == "driver":
            self.close(row.get("lived_until", self._last))
            self._begun, self.profile = now, row.get("profile")
            self._usd_per_hour = row.get("usd_per_hour") or 0.0
        elif event == "launch":
            launch = RunningLaunch(row["trial"], now, row.get("gpus", 0.0))
            self.running[row["token"]] = launch
        elif event == "end":
            self.running.pop(row["token"], None)
            self._pay(row["trial"], row["seconds"], row["gpu_s"])
            if row["state"] in record.OUTCOMES:
                self.took[row["trial"]] = self._seconds[row["trial"]] / 3600
        elif event == "over":
            self.close(now)
        self._last = max(self._last, now)

    @property
    def open(self) -> bool:
        """Whether the last driver has not ended what it began: it runs, or died."""
        return self._begun is not None

    def at(self, now: float) -> Expenses:
        """What is spent at a time, in seconds since the epoch."""
        launches = self.running.values()
        gpu_s = sum(one.gpus * max(0.0, now - one.since) for one in launches)
        driver_s = max(0.0, now - self._begun) if self._begun is not None else 0.0
        usd = self._usd + gpu_s * self._usd_per_hour / 3600
        return Expenses((self._gpu_s + gpu_s) / 3600, usd, (self._drivers_s + driver_s) / 3600)

    def last_sign(self, store: Store) -> float:
        """Until when the last driver lived, by what it and its trials wrote."""
        found = [self._last]
        for launch in self.running.values():
            found += (_changed(f"{store.train_path(launch.trial)}/{name}") for name in SIGNS)
        return max(found)

    def add(self, jobs: Spending) -> None:
        """Count what jobs with a journal of their own spent; their wall time is no driver's."""
        self.running |= jobs.running
        self.took |= jobs.took
        self._gpu_s += jobs._gpu_s
        self._usd += jobs._usd
        self._usd_per_hour = jobs._usd_per_hour or self._usd_per_hour

    def close(self, until: float) -> None:
        """The last driver and what it ran ended then."""
        for launch in self.running.values():
            seconds = max(0.0, until - launch.since)
            self._pay(launch.trial, seconds, seconds * launch.gpus)
        self.running.clear()
        if self._begun is not None:
            self._drivers_s += max(0.0, until - self._begun)
        self._begun = None

    def _pay(self, trial: str, seconds: float, gpu_s: float) -> None:
        self._seconds[trial] = self._seconds.get(trial, 0.0) + seconds
        self._gpu_s += gpu_s
        self._usd += gpu_s * self._usd_per_hour / 3600


def _changed(path: str) -> float:
    """When a file changed last; 0 = there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def read_spending(store: Store, name: str) -> tuple[Spending, float]:
    """The spending of a sweep, and when it was read; nothing where its journal is damaged."""
    folder = store.sweep(name)
    try:
        found = Spending(sweep_rows.read(folder / sweep_rows.NAME).rows)
    except StateError:  # the next sweep sets it aside, and counts from zero
        found = Spending()
    now = time.time()
    if found.open and not claimed(folder):
        found.close(found.last_sign(store))
    for path in sorted(folder.glob(f"{sweep_rows.JOBS}/*/{sweep_rows.NAME}")):
        found.add(_of_jobs(path, store))
    return found, now


def _of_jobs(path: Path, store: Store) -> Spending:
    """What the jobs of one trial spent; nothing where their journal is damaged."""
    try:
        found = Spending(sweep_rows.read(path).rows)
    except StateError:
        return Spending()
    if found.open and not claimed(store.train(path.parent.name)):
        found.close(found.last_sign(store))
    return found


def gib_by_trial(store: Store, trials: Iterable[str]) -> dict[str, float]:
    """Trial id -> GiB of its folder, as far as it can be read."""
    return {trial: _bytes(store.train_path(trial)) / 2**30 for trial in trials}


def _bytes(folder: str) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += _bytes(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    except OSError:  # it is being written, or gone
        return total
    return total
