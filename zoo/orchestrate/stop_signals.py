"""Signals to a driver as a stop request: how many came, and what that means for its trials."""

from __future__ import annotations

import signal
import threading
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.orchestrate.progress import Display, clock
from zoo.orchestrate.watch import Watch
from zoo.scheduling.executor import ROUND_END, Stop


class Signals:
    """Ctrl-C and SIGTERM as a stop request. The first Ctrl-C lets trials end their rounds, the
    first SIGTERM gives them the profile's grace; the next one of either ends them at once."""

    HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.number: int | None = None
        """The first signal that came."""
        self.times = self._told = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._take) for n in self.HANDLED}
        return self

    def rearm(self) -> None:
        """Take the signals again: Ray's native library installs a handler of its own that dies."""
        for number in self._before:
            signal.signal(number, self._take)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: object) -> None:
        self.number = self.number or number
        self.times += 1

    def pass_on(self, stop: Stop, display: Display, watch: Watch, profile: ComputeProfile) -> bool:
        """Hand what came to the executor and tell the user, with how long it takes; returns whether
        anything came."""
        if self.times == self._told:
            return False
        self._told = self.times
        if self.times > 1:
            stop.set(0.0)
        elif self.number == signal.SIGINT:
            stop.set(ROUND_END)
            left = watch.round_left_s()
            takes = "" if left is None else f", in about {clock(left)}"
            display.say(
                f"stopping: trials end their rounds and save them{takes} (again = at once, and "
                "rounds since the last save are lost)"
            )
        else:
            stop.set(profile.grace_s)
            display.say(
                f"stopping: trials have {profile.grace_s:g} s to end their rounds and save them"
            )
        return True
