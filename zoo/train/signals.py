"""How a trial handles a stop request: at once, or at the end of the current round.

SIGINT waits for the round's end, however long that takes. SIGTERM does so where the round can end
and be saved within the profile's `grace_s`, and else ends at once, which loses what came after the
last checkpoint. The same signal again ends at once. Before and after training there is nothing to
save.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

from zoo.train.endings import Interrupted
from zoo.train.session import Session

MARGIN = 0.1
"""Share of the grace that is left for writing the record."""


class Requests:
    """Signals of a trial process. `session` is set once there is one."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._asked = 0

    def install(self) -> None:
        """Take the signals of this process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)
        signal.signal(signal.SIGALRM, self._time_is_up)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})  # Ray blocks it

    def _take(self, number: int, frame: FrameType | None) -> None:
        session = self.session
        again = self._asked and number == self._asked  # SIGTERM after SIGINT: time is limited now
        if again or session is None or not session.training:
            self._end(number)
        self._asked = number
        left = session.round_left_s()
        if number == signal.SIGTERM:
            grace = session.job.profile.grace_s * (1 - MARGIN)
            if left is None or left > grace:
                print("zoo: the round cannot end in time; ends now", flush=True)
                self._end(number)
            signal.setitimer(signal.ITIMER_REAL, grace)
        about = "" if left is None else f", in about {left:.0f} s"
        print(f"zoo: ends with this round{about}", flush=True)
        session.requested = session.requested or Interrupted(128 + number)

    def _time_is_up(self, number: int, frame: FrameType | None) -> None:
        if self.session is not None and self.session.training:
            self._end(signal.SIGTERM)

    def _end(self, number: int) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(128 + number)
