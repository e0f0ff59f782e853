"""What came to a trial's journal and log, as lines: rounds, launches, and the log as it grows.

Reads files of the run folder alone. What a log says comes from models: control characters are
replaced.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import printable
from zoo.orchestrate.progress import clock
from zoo.orchestrate.watch import number
from zoo.runs import live
from zoo.store.journal import Tail

TAIL = 10
"""Lines of the log that following begins with."""
MOST_BYTES = 1 << 20
"""The most that is read of a log at once."""
FIGURES = (
    ("reward", "train/reward", "{:.3f}"),
    ("accuracy", "train/accuracy", "{:.3f}"),
    ("length", "train/completions/mean_length", "{:.0f}"),
    ("clipped", "train/completions/clipped_ratio", "{:.0%}"),
    ("entropy", "train/entropy", "{:.3f}"),
    ("kl", "train/kl", "{:.4f}"),
)


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


class TrialFollower:
    """What came to a trial's journal and log since it was last asked."""

    def __init__(self, folder: Path, rounds: int, tail: int = TAIL) -> None:
        """`rounds`: of the whole training; `tail`: lines of the log to begin with."""
        self.folder, self.rounds, self.tail = folder, rounds, tail
        self.polls = 0
        self._rows = Tail(folder / "metrics.jsonl")
        self._offset = self._launch = 0
        self._time: float | None = None
        """When the last round of this launch ended."""

    def lines(self) -> list[str]:
        """New lines: of rounds first, then of the log."""
        self.polls += 1
        newest = live.latest_launch(self.folder).get("attempt", 0)
        found = [line for row in self._rows for line in self._of_row(row)]
        if isinstance(newest, int) and newest > self._launch:
            at = _changed(self.folder / live.LAUNCH)
            found.append(self._divider(newest, at, ""))
        return found + list(self._log())

    def _of_row(self, row: dict[str, Any]) -> Iterator[str]:
        launch, round_, at = row["attempt"], row["round"], row["time"]
        if launch > self._launch:
            after = f", continues after round {round_ - 1}" if round_ > 0 else ""
            yield self._divider(launch, at, after)
        yield f"{time.strftime('%H:%M:%S', time.localtime(at))}  {self._round(row)}"
        self._time = at

    def _divider(self, launch: int, at: float | None, after: str) -> str:
        self._launch, self._time = launch, None
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at or time.time()))
        return f"--- launch {launch}, {when}{after} ---"

    def _round(self, row: dict[str, Any]) -> str:
        round_, metrics = row["round"], row["metrics"]
        if round_ == 0:
            return f"round {0:>{len(str(self.rounds))}}/{self.rounds}  base model"
        told = [f"round {round_:>{len(str(self.rounds))}}/{self.rounds}"]
        for word, name, form in FIGURES:
            if (value := number(metrics.get(name))) is not None:
                told.append(f"{word} {form.format(value)}")
        if self._time is not None:
            told.append(clock(row["time"] - self._time))
        return "  ".join(told)

    def _log(self) -> Iterator[str]:
        """New whole lines of the log; the first time only the last ones."""
        try:
            with (self.folder / "log.txt").open("rb") as stream:
                size = stream.seek(0, 2)
                first = self.polls == 1
                if first or size < self._offset:  # it was cut off or replaced: from its end
                    self._offset = max(0, size - MOST_BYTES)
                stream.seek(self._offset)
                raw = stream.read(MOST_BYTES)
        except FileNotFoundError:
            return
        whole = raw[: raw.rfind(b"\n") + 1] if len(raw) < MOST_BYTES else raw
        self._offset += len(whole)
        lines = whole.decode("utf-8", "replace").replace("\r", "\n").splitlines()
        lines = [line for line in map(printable, lines) if line.strip()]
        yield from (f"  | {line}" for line in (lines[-self.tail :] if first else lines))
