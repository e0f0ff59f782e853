"""The progress of each trial of a running sweep: state, round, reward, response length, time left.

Reads only the journals of the trials, so it is independent of the executor and of the terminal.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import StateError
from zoo.launching import processes
from zoo.launching.launch import LaunchResult
from zoo.runs import live
from zoo.store import record
from zoo.store.journal import Tail
from zoo.store.run_store import Store
from zoo.trials.short_names import short_names
from zoo.trials.trial import Trial

WINDOW = 8  # rounds that the time of a round is averaged over


class View:
    """One trial of this sweep: waiting, running or ended. Created before the trial starts;
    rows that its journal has by then are of earlier launches."""

    def __init__(self, trial: Trial, name: str, store: Store, *, running: bool = False) -> None:
        self.trial, self.name, self.folder = trial, name, store.train(trial.id)
        self.resumes = 0
        """The round after which training continues; 0 = it begins."""
        self.begun: float | None = None
        """When it was started, in seconds of the monotonic clock."""
        self.ended: LaunchResult | None = None
        self.round = -1
        """The last round that ended; 0 = the base model was evaluated, -1 = nothing yet."""
        self.metrics: dict[str, Any] = {}
        self._times: list[float] = []
        self._tail = Tail(self.folder / "metrics.jsonl")
        rows = self._rows()
        for row in self._live(rows) if running else ():
            self._take(row)

    def begin(self) -> None:
        """The trial was started."""
        self.begun = time.monotonic()

    def finish(self, ended: LaunchResult) -> None:
        """The trial ended."""
        self.update()
        self.ended = ended
        if self.round < 0 and ended.state in record.OUTCOMES:  # it measured, and trained nothing
            self.round = self._recorded_round()

    def again(self, resumes: int) -> None:
        """The trial ended and waits to be tried again; `resumes` as the attribute."""
        self.begun = self.ended = None
        self.resumes = resumes

    def update(self) -> bool:
        """Read what is new; returns whether a round ended."""
        before = self.round
        for row in self._rows():
            self._take(row)
        return self.round > before

    def _take(self, row: dict[str, Any]) -> None:
        self.round, self.metrics = row["round"], row["metrics"]
        self._times = [*self._times[-WINDOW:], row["time"]]

    def _recorded_round(self) -> int:
        try:
            found = record.read(self.folder)
        except StateError:
            return -1
        return found.round if found is not None else -1

    def _live(self, rows: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """Rows of the launch that runs; where none does, those that count."""
        if tokens := processes.running(self.folder):
            latest = live.latest_launch(self.folder)
            lineage = latest.get("lineage", 0) if latest.get("token") in tokens else 0
            return [row for row in rows if live.lineage_of(row) == lineage]
        try:
            return live.of_rows(rows, [], record.read(self.folder)).rounds.values()
        except StateError:
            return ()

    def _rows(self) -> list[dict[str, Any]]:
        try:
            return list(self._tail)
        except (StateError, OSError):
            return []  # readers of the results report it, with the line; a display does not

    @property
    def state(self) -> str:
        """One word: waiting, starting, loading, base, training, evaluating, done, stopped, failed,
        interrupted."""
        if self.ended is not None:
            return "interrupted" if self.ended.state == "preempted" else self.ended.state
        if self.begun is None:
            return "waiting"
        return _phase(self.folder) if self.round >= 0 or self._recent_phase() else "starting"

    def _recent_phase(self) -> bool:
        """Whether the phase file is of this launch."""
        try:
            age = time.time() - (self.folder / "phase").stat().st_mtime
        except OSError:
            return False
        return self.begun is not None and age <= time.monotonic() - self.begun

    @property
    def reward(self) -> float | None:
        """Mean reward of the last round."""
        return number(self.metrics.get("train/reward"))

    @property
    def length(self) -> float | None:
        """Mean response length of the last round, in tokens."""
        return number(self.metrics.get("train/completions/mean_length"))

    @property
    def seconds(self) -> float:
        """Wall time so far, or in total."""
        if self.ended is not None:
            return self.ended.seconds
        return 0.0 if self.begun is None else time.monotonic() - self.begun

    @property
    def round_s(self) -> float | None:
        """Seconds a round, over the last few; None before the second one."""
        times = self._times if self.round > len(self._times) - 1 else self._times[1:]
        if len(times) < 2:
            return None
        return (times[-1] - times[0]) / (len(times) - 1)

    @property
    def reached(self) -> int:
        """The last round of this trial, by this launch or an earlier one that it continues; 0 =
        none."""
        return max(0, self.round, self.resumes if self.round < 0 else 0)

    @property
    def round_left_s(self) -> float | None:
        """Seconds until the round that runs ends, if it takes as long as those before it."""
        if self.ended is not None or self.begun is None or self.round_s is None:
            return None
        return max(0.0, self.round_s - (time.time() - self._times[-1]))

    @property
    def left_s(self) -> float | None:
        """Remaining seconds at the current speed; None where unknown."""
        if self.ended is not None:
            return 0.0
        if self.round_s is None:
            return None
        return max(0, self.trial.rounds - self.round) * self.round_s


class Watch:
    """All trials that a sweep runs."""

    def __init__(
        self,
        trials: Iterable[Trial],
        store: Store,
        concurrency: int,
        *,
        running: bool = False,
        names: Mapping[str, str] | None = None,
        resumes: Mapping[str, int] | None = None,
    ) -> None:
        """`running`: the trials run already, so existing rows of their journals count;
        `names`: short names by id, where the plan has more trials than these; `resumes`: rounds
        after which trials continue, by id."""
        trials = list(trials)
        names = names or short_names(trials)
        self.concurrency = concurrency
        self.views = {
            trial.id: View(trial, names[trial.id], store, running=running) for trial in trials
        }
        for id_, round_ in (resumes or {}).items():
            self.views[id_].resumes = round_
        self.begun = time.monotonic()

    def count(self) -> dict[str, int]:
        """How many are done, stopped, failed, interrupted, running, waiting."""
        found = Counter(view.state for view in self.views.values())
        words = ("done", "stopped", "failed", "interrupted", "waiting")
        known = {word: found.pop(word, 0) for word in words}
        return known | {"running": sum(found.values())}

    def round_left_s(self) -> float | None:
        """Seconds until every running trial has ended its round; None where unknown."""
        known = [s for view in self.views.values() if (s := view.round_left_s) is not None]
        return max(known, default=None)

    def left_s(self) -> float | None:
        """Seconds until the sweep is over; None before the first rows of a trial."""
        views = self.views.values()
        whole = [v.seconds for v in views if v.ended is not None and v.ended.state == "done"]
        whole = whole or [v.seconds + v.left_s for v in views if v.left_s is not None]
        if not whole:
            return None
        mean = sum(whole) / len(whole)
        work = 0.0
        for view in views:
            if view.ended is None:
                left = view.left_s
                work += max(0.0, mean - view.seconds) if left is None else left
        return work / max(1, min(self.concurrency, len(views)))


def number(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _phase(folder: Path) -> str:
    try:
        return (folder / "phase").read_text(encoding="utf-8").strip() or "starting"
    except OSError:
        return "starting"
