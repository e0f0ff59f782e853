"""`zoo sweep --events FILE`: what happens in a sweep, as JSON lines for other programs.

Joins what the journal of the sweep is told (`row`), what executors report (`began`) and the
journals of the trials (`rounds`). Every line has `event`, `time` (UTC), `monotonic` (seconds) and
`sweep`; docs/how-to/follow.md describes the others. A line is one write to a file that is only
appended to. A target that takes no more is noted once, and stops nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoo.errors import Fault, InputError, StateError
from zoo.json_text import as_mapping
from zoo.orchestrate.watch import View, Watch, number
from zoo.runs.sweep_status import SweepStatus
from zoo.store.journal import Tail
from zoo.trials.trial import Trial

READ_S = 0.5
"""How often the journals of running trials are read."""
Row = dict[str, Any]
Say = Callable[[str], None]


class EventLog:
    """The events of one invocation of a sweep; without a file it does nothing."""

    def __init__(self, file: str | None = None) -> None:
        """Open the file to append to it.

        Raises:
            InputError: it cannot be opened.
        """
        self.file, self._number = file, _opened(file) if file else None
        self._name, self._say = "", print
        self._views: dict[str, View] = {}
        self._tails: dict[str, Tail] = {}
        self._running: set[str] = set()
        self._read = 0.0

    def start(self, name: str, status: SweepStatus, say: Say = print) -> None:
        """A sweep begins. `say`: takes the note on a target that takes no more."""
        self._name, self._say = name, say
        self._emit("sweep_started", counts=status.totals)

    def follow(self, watch: Watch) -> None:
        """The trials whose rounds are to be reported, before one of them starts."""
        if self._number is None:
            return
        self._views = dict(watch.views)
        for id_, view in self._views.items():
            self._tails[id_] = Tail(view.folder / "metrics.jsonl")
            self._new_rows(id_)  # of earlier launches

    def began(self, id_: str) -> None:
        """A trial was started."""
        if (view := self._views.get(id_)) is not None:
            self._running.add(id_)
            about = {"cell": view.trial.cell, "seed": view.trial.seed}
            self._emit("trial_started", **_who(view), **about, **_at(view.resumes, view.trial))

    def rounds(self) -> None:
        """Report the rounds that ended since the last time."""
        if self._running and time.monotonic() - self._read >= READ_S:
            self._read = time.monotonic()
            for id_ in sorted(self._running):
                self._rounds_of(id_)

    def row(self, row: Row) -> None:
        """A line of the sweep's journal was written."""
        view = self._views.get(row.get("trial", ""))
        match row["event"]:
            case "end" if view is not None:
                self._rounds_of(view.trial.id)
                self._running.discard(view.trial.id)
                names = ("state", "failure_class", "seconds", "gpu_s")
                self._emit("trial_ended", **_who(view), **{key: row[key] for key in names})
            case "retry" if view is not None:
                names = ("failure_class", "wait_s")
                self._emit("trial_retried", **_who(view), **{key: row[key] for key in names})
            case "held" if view is not None:
                names = ("failure_class", "because")
                self._emit("trial_held", **_who(view), **{key: row[key] for key in names})
            case "budget" if view is not None:
                event = "trial_stopping" if row["cut"] else "trial_held"
                self._emit(
                    event, **_who(view), failure_class=None, because=f"budget: {row['said']}"
                )
            case "stopping":
                self._emit("sweep_stopping", times=row["times"])
            case "paused" | "resumed" as event:
                self._emit(f"sweep_{event}")
            case _:
                pass

    def end(self, exit_code: int, status: SweepStatus) -> None:
        """The invocation ends; `status` as last known."""
        self._emit("sweep_ended", exit_code=exit_code, counts=status.totals)
        self._close()

    def _rounds_of(self, id_: str) -> None:
        view = self._views[id_]
        for row in self._new_rows(id_):
            metrics = as_mapping(row.get("metrics")) or {}
            self._emit(
                "round",
                **_who(view),
                **_at(row.get("round", 0), view.trial),
                reward=number(metrics.get("train/reward")),
                length=number(metrics.get("train/completions/mean_length")),
            )

    def _new_rows(self, id_: str) -> list[Row]:
        try:
            return list(self._tails[id_])
        except (StateError, OSError):
            return []  # readers of the results report it, with the line

    def _emit(self, event: str, **more: Any) -> None:
        if self._number is None:
            return
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        head = {"event": event, "time": now.replace("+00:00", "Z")}
        head |= {"monotonic": round(time.monotonic(), 3), "sweep": self._name}
        line = (json.dumps(head | more, allow_nan=False) + "\n").encode()
        try:
            if os.write(self._number, line) < len(line):
                raise OSError("it took a part of a line")
        except OSError as error:
            self._close()
            why = error.strerror or str(error)
            self._say(f"note: no more events are written to {self.file} ({why}); the sweep goes on")

    def _close(self) -> None:
        if self._number is not None:
            with suppress(OSError):
                os.close(self._number)
        self._number = None


def _who(view: View) -> Row:
    return {"id": view.trial.id, "name": view.name}


def _at(round_: int, trial: Trial) -> Row:
    return {"round": round_, "rounds": trial.rounds}


def _opened(file: str) -> int:
    """A file, opened to append to it; a pipe without a reader is refused, and never waited for."""
    path = Path(file)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        opened = os.open(path, flags, 0o666)
        if path.is_file() and (size := path.stat().st_size):
            with path.open("rb") as stream:
                stream.seek(size - 1)
                if stream.read() != b"\n":  # a line that a crash tore
                    os.write(opened, b"\n")
    except OSError as error:
        found = f"'{file}' cannot be opened ({error.strerror})"
        raise InputError(Fault("--events", found, "a file that can be appended to")) from error
    return opened
