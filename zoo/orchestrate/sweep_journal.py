"""The journal of a sweep: what no run folder says. Epochs of drivers, launches, how each ended,
retries, trials held back, jobs, stop requests.

`runs/sweeps/NAME/journal.jsonl`: append-only, one JSON object a line with a CRC-32 of the rest,
synced. Each driver opens a new epoch; lines of an older epoch below it are of a driver that lost
the sweep, and count nowhere; such a driver stops at its next line. A torn last line is cut off; a
damaged journal is set aside (`journal.jsonl.corrupt`), a missing one begins at epoch 1. Run folders
stay the truth: without a journal only counters of retries are lost.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from zoo import json_text
from zoo.errors import FailureClass, StateError
from zoo.launching.launch import LaunchResult
from zoo.launching.processes import boot_id
from zoo.launching.task import Task
from zoo.store import record
from zoo.store.run_store import read_bytes

NAME = "journal.jsonl"
CORRUPT = ".corrupt"
_HEAD = b'{"crc": "'
_LENGTH = len(_HEAD) + len('01234567", ')

Row = dict[str, Any]


class Parsed(NamedTuple):
    """A journal's content."""

    rows: list[Row]
    """Rows that count, in their order."""
    whole: int
    """Bytes of whole lines; what lies beyond is torn."""


def read(path: Path) -> Parsed:
    """The rows of a journal that count.

    Raises:
        StateError: a damaged line, with its number.
    """
    raw = read_bytes(path) or b""
    whole = raw.rfind(b"\n") + 1
    found = [_parse(path, n, line) for n, line in enumerate(raw[:whole].splitlines(), 1)]
    return Parsed(list(_fenced(found)), whole)


def line_of(row: Row) -> bytes:
    """A row as a line of the journal, with its checksum."""
    rest = b"{" + json.dumps(row, allow_nan=False).encode()[1:]
    return b'%s%08x", %s\n' % (_HEAD, zlib.crc32(rest), rest[1:])


def _parse(path: Path, number: int, line: bytes) -> Row:
    rest = b"{" + line[_LENGTH:]
    if not line.startswith(_HEAD) or line[:_LENGTH] != b'%s%08x", ' % (_HEAD, zlib.crc32(rest)):
        raise StateError(f"{path}:{number}: damaged, its checksum does not fit")
    try:
        row = json_text.parse(rest)
    except ValueError as error:
        raise StateError(f"{path}:{number}: not JSON ({error})") from error
    if not _is_row(row):
        raise StateError(f"{path}:{number}: not a row of a sweep's journal")
    return row


def _is_row(row: Any) -> TypeGuard[Row]:
    if not isinstance(row, dict):
        return False
    return isinstance(row.get("epoch"), int) and isinstance(row.get("event"), str)


def _fenced(rows: list[Row]) -> Iterator[Row]:
    """The rows without late ones of a driver that another has replaced."""
    epoch = 0
    for row in rows:
        if row["epoch"] > epoch and row["event"] == "driver":
            epoch = row["epoch"]
        if row["epoch"] == epoch:
            yield row


class SweepJournal:
    """The journal of a sweep, open for the driver that holds it."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Open a new epoch in the journal of the sweep's `folder`. `durable`: sync each line.

        Raises:
            OSError: the journal cannot be written.
        """
        self.path, self.durable = folder / NAME, durable
        self.set_aside: Path | None = None
        """Where a damaged journal went."""
        self.problem: OSError | None = None
        """Why lines are not written any more."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = self._recover()
        self.epoch = max((row["epoch"] for row in rows), default=0) + 1
        self._spent: Counter[tuple[str, str]] = Counter()
        """Retries by trial and failure class, since the trial last came to an outcome."""
        self.lost: dict[str, FailureClass] = {}
        """Trials whose last launch has no end here -> why: `interrupted` where it was stopped."""
        self.jobs: dict[str, str] = {}
        """What Slurm has accepted jobs of -> the last of them."""
        for row in rows:
            self._count(row)
        self._size = self.path.stat().st_size if self.path.exists() else 0
        self._append("driver", pid=os.getpid(), host=os.uname().nodename, boot=boot_id())
        if self.problem is not None:
            raise self.problem

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

    def retries(self, trial: str, failure_class: str) -> int:
        """How often a trial was tried again after a failure of this class, in all epochs since it
        last came to an outcome."""
        return self._spent[trial, failure_class]

    def launched(self, task: Task) -> None:
        """A launch of a trial was handed to the executor."""
        self._append("launch", trial=task.trial.id, token=task.token)

    def submitted(self, what: str, job: str) -> None:
        """Slurm accepted a job of a trial, or of the `report`."""
        self._append("submit", trial=what, job=job)

    def ended(self, task: Task, ended: LaunchResult) -> None:
        """A launch ended; `gpu_s` is what it held, in seconds times GPUs."""
        self._append(
            "end",
            trial=task.trial.id,
            token=task.token,
            state=ended.state,
            failure_class=ended.failure_class,
            seconds=round(ended.seconds, 3),
            gpu_s=round(ended.seconds * task.gpus, 3),
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

    def over(self) -> None:
        """The driver has ended all that it started."""
        self._append("over")

    def _append(self, event: str, **more: Any) -> None:
        """Append a line; a disk that takes none loses counters and no result, so it stops
        nothing.

        Raises:
            StateError: another driver has opened a newer epoch.
        """
        row = {"epoch": self.epoch, "time": round(time.time(), 3), "event": event, **more}
        self._count(row)
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


def _corrupt_name(path: Path) -> Path:
    """A name beside `path` for a damaged file: `NAME.corrupt`, `NAME.corrupt.2`, ..."""
    beside, number = path.with_name(path.name + CORRUPT), 1
    while beside.exists():
        number += 1
        beside = path.with_name(f"{path.name}{CORRUPT}.{number}")
    return beside
