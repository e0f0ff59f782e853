"""The thread that feeds the MLflow mirror while a sweep runs, and the mirror's interface.

Whatever the mirror does, the sweep does not notice: it may be slow, fail or never answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from zoo.orchestrate.progress import Display
from zoo.orchestrate.stop_signals import Signals

SYNC_S = 3.0
MIRROR_PATIENCE_S = 60.0
UNHARMED = "the run folders are not affected"


class Mirror(Protocol):
    """The interface of the MLflow mirror. No method raises."""

    problem: str | None

    def begin(self) -> bool:
        """Prepare the pages of the sweep; False where that failed, as below."""
        ...

    def sync(self) -> bool:
        """Send what is new in the journals."""
        ...

    def finish(self, sweep_ok: bool | None, report: Path | None = None) -> bool:
        """Send the rest and the final statuses; `sweep_ok` is None where it was interrupted."""
        ...


class Mirroring:
    """The thread that feeds the mirror. Whatever the mirror does, the sweep does not notice."""

    def __init__(self, make: Callable[[], Mirror], display: Display, name: str) -> None:
        self.make, self.display, self.name = make, display, name
        self.ending = threading.Event()
        self.verdict: tuple[bool | None, Path | None] = (None, None)
        self.thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self.thread.start()

    def close(self, sweep_ok: bool | None, report: Path | None, signals: Signals) -> None:
        """Send the rest and set final statuses; gives up after a while, or at another signal."""
        self.verdict = (sweep_ok, report)
        self.ending.set()
        end, times = time.monotonic() + MIRROR_PATIENCE_S, signals.times
        while self.thread.is_alive() and time.monotonic() < end and signals.times == times:
            self.thread.join(0.1)
        if self.thread.is_alive():
            self._tell(f"MLflow takes too long; `zoo sync {self.name}` sends the rest")

    def _work(self) -> None:
        try:
            mirror = self.make()
            mirror.begin()
            while not self.ending.wait(SYNC_S):
                mirror.sync()
            mirror.finish(*self.verdict)
            if mirror.problem:
                again = f"`zoo sync {self.name}` sends what is missing"
                self._tell(f"MLflow lags behind ({mirror.problem}); {UNHARMED}, and {again}")
        except Exception as error:
            self._tell(f"no MLflow mirror ({type(error).__name__}: {error}); {UNHARMED}")

    def _tell(self, text: str) -> None:
        self.display.say(f"note: {text}")
