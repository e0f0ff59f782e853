"""The first trial of a shape goes ahead of the others until its first round has ended.

By then it has loaded, measured its base model, sampled, graded and trained: what would fail all
trials of its shape (`zoo.resources.shape`) has shown before the others cost anything, and none of
them waits for a base model with its GPUs. A shape is proven once a trial of it ended its first
round. Where trials have fewer than `LEAST_ROUNDS` rounds, none waits: a round is too large a part.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from zoo.resources import shape
from zoo.runs.sweep_status import TrialStatus
from zoo.trials.trial import Trial

LEAST_ROUNDS = 10


class Canaries:
    """Which shapes are proven, and which trials go ahead of the others of theirs."""

    def __init__(self, proven: Iterable[Trial] = ()) -> None:
        """`proven`: trials that ended a round."""
        self._shapes: dict[str, Hashable] = {}
        self._proven: set[Hashable] = {shape(trial) for trial in proven}
        self.ahead: dict[str, Hashable] = {}
        """Running trials that no other of their shape may start beside, with their shape."""

    def allows(self, trial: Trial) -> bool:
        """Whether a trial may start now."""
        if not self.ahead or not waits(trial):
            return True
        return self._shape(trial) not in self.ahead.values()

    def started(self, trial: Trial) -> None:
        """A trial started."""
        own = self._shape(trial)
        if waits(trial) and own not in self._proven:
            self.ahead[trial.id] = own

    def passed(self, trial: Trial) -> None:
        """A trial ended its first round."""
        self._proven.add(self._shape(trial))
        self.ahead.pop(trial.id, None)

    def ended(self, trial: Trial) -> None:
        """A trial ended; where it ended no round, another of its shape goes ahead."""
        self.ahead.pop(trial.id, None)

    def _shape(self, trial: Trial) -> Hashable:
        found = self._shapes.get(trial.id)
        if found is None:
            found = self._shapes[trial.id] = shape(trial)
        return found


def waits(trial: Trial) -> bool:
    """Whether a trial waits for another one of its shape that goes ahead."""
    return trial.rounds >= LEAST_ROUNDS and trial.trainer != "external"


def proven_by(status: Iterable[TrialStatus]) -> list[Trial]:
    """Trials that have ended a round: finished, or with a checkpoint."""
    return [one.trial for one in status if not one.trains or one.saved is not None]
