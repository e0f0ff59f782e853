"""How long rounds and saves of a running trial take: when to save, and whether a round can end in
time. Never affects a result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from statistics import median

from zoo.resources.save_plan import is_due

WINDOW = 8
"""Rounds that the time of a round is taken from."""


class Pace:
    """Clocks of one launch; all times are seconds."""

    def __init__(self) -> None:
        self.begun = False
        self.save_s = 0.0
        self._rounds: list[float] = []
        self._round_began = self._last_save = 0.0

    def learn(self, times: Sequence[float]) -> None:
        """Take the time of a round from the moments at which earlier rounds ended."""
        self._rounds = [b - a for a, b in pairwise(times)][-WINDOW:]

    def begin(self) -> None:
        """The first round of this launch begins."""
        self.begun = True
        self._round_began = self._last_save = time.monotonic()

    def close(self) -> None:
        """A round ended and the next begins."""
        now = time.monotonic()
        self._rounds = [*self._rounds, now - self._round_began][-WINDOW:]
        self._round_began = now

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Time a save."""
        began = time.monotonic()
        yield
        self._last_save = time.monotonic()
        self.save_s = self._last_save - began

    @property
    def round_s(self) -> float | None:
        """Of a round, with the evaluations after it; None before the first."""
        return median(self._rounds) if self._rounds else None

    def save_is_due(self) -> bool:
        """Whether the default rule requires a save now; always after a launch's first round, which
        shows the cost of one."""
        now = time.monotonic()
        round_s = self.round_s or now - self._round_began
        return is_due(now - self._last_save, round_s, self.save_s)

    def left_s(self) -> float | None:
        """Until the current round has ended and is saved; None where unknown."""
        if self.round_s is None:
            return None
        return max(0.0, self.round_s - (time.monotonic() - self._round_began)) + self.save_s
