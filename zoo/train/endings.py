"""Why training ends before its last round: a signal, or an outcome that is one of the trial."""

from __future__ import annotations

from pathlib import Path

from zoo.runs import tripwires
from zoo.trials.trial import Trial


class Interrupted(BaseException):
    """A signal asked the trial to stop; carries the exit status (130 or 143). Not an `Exception`:
    no handler may catch it.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class Stopped(Exception):
    """Training ends here for a reason that is an outcome, such as `diverged`."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Followed(Exception):
    """The leader of a trial of several processes ended training; this one has nothing to do."""


Ending = Interrupted | Stopped
"""Why training ends after a round."""


def line_crossed(trial: Trial, folder: Path) -> Stopped | None:
    """The stop that a tripwire of a trial requires, from the journals of its newest lineage.

    Raises:
        StateError: a journal that cannot be read.
    """
    if all(wire.then != "stop" for wire in trial.tripwires):
        return None
    crossed = tripwires.crossed_in(trial, folder, None)
    found = next((one for one in crossed if one.wire.then == "stop"), None)
    return Stopped(found.reason, str(found)) if found else None
