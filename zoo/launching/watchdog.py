"""Notices a trial that hangs: its process runs, and nothing comes from it any more.

Signs of life are rows of its journals and changes of phase; outside of training also lines of its
log, as loading and evaluating take long between rows. While it trains, it may be silent for ten of
its own longest rounds, at least for the profile's `silence_s`. Before its second round, and while
it loads or evaluates, it may take six times `silence_s`, or ten times what the cost model expects.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from zoo.launching.ranks import log_name
from zoo.launching.task import Task
from zoo.resources import trial_cost

ROUNDS = 10
"""How many of its longest rounds a trial may be silent for."""
FIRST = 6
"""How many times `silence_s` everything may take that has no time of its own yet."""
POLL_S = 1.0


class Watchdog:
    """Looks at the files of one launch; asked again and again by its launcher."""

    def __init__(self, task: Task, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self.clock = str(task.folder), clock
        self.silence_s = task.profile.silence_s
        self.first_s = max(FIRST * self.silence_s, ROUNDS * expected_s(task))
        """Seconds of silence that are allowed where no round of this launch tells better."""
        self._poll_s = min(POLL_S, self.silence_s / 4)
        self._logs = [log_name(number) for number in range(task.processes)]
        self._longest = 0.0
        self._rows: int | None = None
        self._round_began: float | None = None
        self._signs: tuple[object, ...] = ()
        self._last = self._asked = clock()

    def hung(self) -> str | None:
        """Why the trial counts as hung, or None. Looks at most once a second."""
        now = self.clock()
        if not self.silence_s or now - self._asked < self._poll_s:
            return None
        self._asked = now
        phase = self._phase()
        rows = self._size("metrics.jsonl")
        signs = phase, rows, self._size("evals.jsonl"), *self._log_sizes(phase)
        if signs != self._signs:
            self._learn(now, rows)
            self._signs, self._last = signs, now
            return None
        silent = now - self._last
        allowed = self.allowed_s(phase)
        if silent <= allowed:
            return None
        return (
            f"nothing came from it for {silent:.0f} s while it was {phase or 'starting'}; "
            f"at most {allowed:.0f} s are allowed (`silence_s` of the profile)"
        )

    def allowed_s(self, phase: str) -> float:
        """Seconds of silence that are allowed in a phase."""
        if phase != "training" or not self._longest:
            return self.first_s
        return max(self.silence_s, ROUNDS * self._longest)

    def _learn(self, now: float, rows: int) -> None:
        """Take the time of a round: from one row of the journal to the next."""
        if rows == self._rows:
            return
        if self._round_began is not None:
            self._longest = max(self._longest, now - self._round_began)
        if self._rows is not None:  # the first look sees rows of earlier launches
            self._round_began = now
        self._rows = rows

    def _phase(self) -> str:
        try:
            with open(f"{self.folder}/phase", encoding="utf-8", errors="replace") as stream:
                return stream.read(64).strip()
        except OSError:
            return ""

    def _log_sizes(self, phase: str) -> list[int]:
        return [] if phase == "training" else [self._size(name) for name in self._logs]

    def _size(self, name: str) -> int:
        try:
            return os.stat(f"{self.folder}/{name}").st_size
        except OSError:
            return 0


def expected_s(task: Task) -> float:
    """Seconds that the longest step of a trial may take by the cost model: a round, or everything
    that it evaluates."""
    cost = trial_cost(task.trial, task.profile, prompt=task.longest_prompt)
    steps = cost.train.high / max(1, task.trial.rounds), cost.evaluation.high + cost.base.high
    return 3600 * max(steps) / max(1, cost.gpus)
