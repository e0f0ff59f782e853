"""The journal of a sweep: what no run folder says. Epochs of drivers, launches, how each ended,
retries, trials held back, pauses, jobs, stop requests.

`runs/sweeps/NAME/journal.jsonl`: append-only, one JSON object a line with a CRC-32 of the rest,
synced. Each driver opens a new epoch; lines of an older epoch below it are of a driver that lost
the sweep, and count nowhere; such a driver stops at its next line. A torn last line is cut off; a
damaged journal is set aside (`journal.jsonl.corrupt`), a missing one begins at epoch 1. Run folders
stay the truth: without a journal only counters of retries and what was spent are lost.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import FailureClass, StateError
from zoo.launching.launch import LaunchResult
from zoo.launching.processes import boot_id
from zoo.launching.task import Task
from zoo.runs.spending import Spending
from zoo.store import record
from zoo.store.run_store import Store, read_bytes
from zoo.store.sweep_rows import NAME, Row, line_of, read
from zoo.trials.grid import Cell

CORRUPT = ".corrupt"


class SweepJournal:
    """The journal of a sweep, open for the driver that holds it."""

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        profile: ComputeProfile | None = None,
        store: Store | None = None,
    ) -> None:
        """Open a new epoch in the journal of the sweep's `folder`.

        Args:
            durable: sync each line.
            profile: where trials run; its price counts against a budget.
            store: that the trials are in; None = the one that has `folder` as a sweep's.

        Raises:
            OSError: the journal cannot be written.
        """
        self.path, self.durable = folder / NAME, durable
        self._began = time.time() - time.monotonic()
        self._store = store or Store(folder.parents[1])
        self.set_aside: Path | None = None
        """Where a damaged journal went."""
        self.problem: OSError | None = None
        """Why lines are not written any more."""
        self.listener: Callable[[Row], None] = _ignore
        """Gets every row, also where it is not written any more."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = self._recover()
        self.epoch = max((row["epoch"] for row in rows), default=0) + 1
        self._spent: Counter[tuple[str, str]] = Counter()
        """Retries by trial and failure class, since the trial last came to an outcome."""
        self.spending = Spending()
        """What all drivers of the sweep spent."""
        self.lost: dict[str, FailureClass] = {}
        """Trials whose last launch has no end here -> why: `interrupted` where it was stopped."""
        self.jobs: dict[str, str] = {}
        """What Slurm has accepted jobs of -> the last of them."""
        for row in rows:
            self._count(row)
        self._size = self.path.stat().st_size if self.path.exists() else 0
        self._append("driver", **self._origin(profile))
        if self.problem is not None:
            raise self.problem

    def _origin(self, profile: ComputeProfile | None) -> Row:
        """Who writes from now on, at which price, and until when a dead driver before it lived."""
        said: Row = {"pid": os.getpid(), "host": os.uname().nodename, "boot": boot_id()}
        if profile is not None:
            said["profile"] = profile.name
            if profile.gpu is not None and profile.gpu.usd_per_hour is not None:
                said["usd_per_hour"] = profile.gpu.usd_per_hour
        if self.spending.open:
            said["lived_until"] = self.spending.last_sign(self._store)
        return said

    def _recover(self) -> list[Row]:
        """The rows that are there; a damaged journal is set aside, a torn tail cut off."""
        try:
            rows, whole = read(self.path)
        except StateError:
            self.set_aside = _corrupt_name(self.path)
            self.path.rename(self.set_aside)
            return []
        if self.path.exists() and self.path.stat().st_size > whole:
            os.truncate(self.path, whole)
        return rows

    def now(self) -> float:
        """Seconds since the epoch, by a clock that does not jump while this driver runs: a budget
        is no place for a clock that is set."""
        return self._began + time.monotonic()

    def retries(self, trial: str, failure_class: str) -> int:
        """How often a trial was tried again after a failure of this class, in all epochs since it
        last came to an outcome."""
        return self._spent[trial, failure_class]

    def launched(self, task: Task) -> None:
        """A launch of a trial was handed to the executor."""
        self._append("launch", trial=task.trial.id, token=task.token, gpus=task.gpus)

    def submitted(self, what: str, job: str) -> None:
        """Slurm accepted a job of a trial, or of the `report`."""
        self._append("submit", trial=what, job=job)

    def ended(self, task: Task, ended: LaunchResult) -> None:
        """A launch ended; `gpu_s` is what it held, in seconds times GPUs."""
        launch = self.spending.running.get(task.token)
        gpus = launch.gpus if launch else task.gpus
        self._append(
            "end",
            trial=task.trial.id,
            token=task.token,
            state=ended.state,
            failure_class=ended.failure_class,
            seconds=round(ended.seconds, 3),
            gpu_s=round(ended.seconds * gpus, 3),
        )

    def retried(self, trial: str, failure_class: str, wait_s: float) -> None:
        """A trial is tried again in this invocation, after a wait."""
        self._append("retry", trial=trial, failure_class=failure_class, wait_s=wait_s)

    def held(self, trial: str, because: str, failure_class: str) -> None:
        """A trial does not start in this invocation, as another's failure is likely to be its own.
        `because`: id of that one."""
        self._append("held", trial=trial, because=because, failure_class=failure_class)

    def stopping(self, times: int) -> None:
        """The driver was asked to stop; `times`: how often so far. From 2 on trials end at once."""
        self._append("stopping", times=times)

    def paused(self, trial: str, needs: float) -> None:
        """Nothing starts until so many bytes are free; `trial` found the disk full."""
        self._append("paused", trial=trial, needs=round(needs))

    def resumed(self) -> None:
        """Trials start again. Lines that a full disk did not take stay lost; later ones are
        written."""
        if self.problem is not None:
            self.problem = self._cut()
        self._append("resumed")

    def _cut(self) -> OSError | None:
        """Cut off a torn line; returns why that cannot be done."""
        try:
            raw = read_bytes(self.path) or b""
            os.truncate(self.path, raw.rfind(b"\n") + 1)
        except OSError as error:
            return error
        return None

    def bought(self, look: int, claims: Sequence[str], cells: Sequence[Cell]) -> None:
        """A look begins: these claims are undecided, and these cells get more seeds."""
        self._append("bought", look=look, claims=list(claims), cells=list(cells))

    def budget(self, trial: str, said: str, *, cut: bool) -> None:
        """A trial does not start, or (`cut`) ends early, as its sweep's budget does not allow it;
        `said`: by which limit."""
        self._append("budget", trial=trial, said=said, cut=cut)

    def over(self) -> None:
        """The driver has ended all that it started."""
        self._append("over")

    def _append(self, event: str, **more: Any) -> None:
        """Append a line; a disk that takes none loses counters and no result, so it stops
        nothing.

        Raises:
            StateError: another driver has opened a newer epoch.
        """
        now = math.floor(1000 * self.now()) / 1000  # rounded up, a row would be of the future
        row = {"epoch": self.epoch, "time": now, "event": event, **more}
        self._count(row)
        self.listener(row)
        if self.problem is not None:
            return
        try:
            with self.path.open("ab") as stream:
                if stream.tell() != self._size:
                    self._must_be_newest()
                stream.write(line_of(row))
                stream.flush()
                if self.durable:
                    os.fsync(stream.fileno())
                self._size = stream.tell()
        except OSError as error:
            self.problem = error

    def _must_be_newest(self) -> None:
        newest = max((row["epoch"] for row in read(self.path).rows), default=0)
        if newest > self.epoch:
            raise StateError(
                f"{self.path}: another driver (epoch {newest}) has taken this sweep over; what "
                "this one started was ended. `zoo status` shows where the sweep is"
            )

    def _count(self, row: Row) -> None:
        self.spending.take(row)
        match row["event"]:
            case "submit":
                self.jobs[row["trial"]] = row["job"]
            case "launch":
                self.lost[row["trial"]] = FailureClass.INFRA
            case "stopping":
                self.lost = dict.fromkeys(self.lost, FailureClass.INTERRUPTED)
            case "retry":
                self._spent[row["trial"], row["failure_class"]] += 1
            case "end":
                self.lost.pop(row["trial"], None)
                if row["state"] in record.OUTCOMES:
                    for key in [key for key in self._spent if key[0] == row["trial"]]:
                        del self._spent[key]
            case _:
                pass


def _ignore(row: Row) -> None:
    """For a journal that nobody listens to."""


def _corrupt_name(path: Path) -> Path:
    """A name beside `path` for a damaged file: `NAME.corrupt`, `NAME.corrupt.2`, ..."""
    beside, number = path.with_name(path.name + CORRUPT), 1
    while beside.exists():
        number += 1
        beside = path.with_name(f"{path.name}{CORRUPT}.{number}")
    return beside
