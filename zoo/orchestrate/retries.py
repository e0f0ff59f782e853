"""What becomes of a failed trial within one invocation, by failure class; and which waiting trials
would fail for the same cause.

A new invocation tries every failed trial once, whatever its class. Retries are counted in the
journal of the sweep, so that a driver that dies again and again does not buy more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from zoo.errors import FailureClass
from zoo.launching.launch import LaunchResult
from zoo.resources import shape
from zoo.store import record
from zoo.trials.trial import Trial

WAITS_S = (2.0, 20.0, 200.0)
"""Seconds before the first, second and every further retry."""
Cause = Callable[[Trial], Hashable]


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What a failure class entitles a trial to."""

    retries: int | None = 0
    """How often it is tried again; None = always, at no charge."""
    cause: Cause | None = None
    """What trials have in common that fail in the same way; None = nothing."""


def _inputs(trial: Trial) -> Hashable:
    return trial.data.name, trial.reward.name


def _reward(trial: Trial) -> Hashable:
    return trial.reward.name


POLICIES: dict[str, FailurePolicy] = {
    FailureClass.INTERRUPTED: FailurePolicy(retries=None),
    FailureClass.KILLED: FailurePolicy(retries=3),
    FailureClass.INFRA: FailurePolicy(retries=3),
    FailureClass.HANG: FailurePolicy(retries=1),
    FailureClass.OOM: FailurePolicy(cause=shape),  # its launcher has tried it with less
    FailureClass.CONFIG: FailurePolicy(cause=shape),
    FailureClass.DATA: FailurePolicy(cause=_inputs),
    FailureClass.REWARD: FailurePolicy(cause=_reward),
    FailureClass.MISMATCH: FailurePolicy(),
    FailureClass.DISK: FailurePolicy(retries=None),  # once there is room: see `DiskPause`
    FailureClass.ERROR: FailurePolicy(),
}


class Spent(Protocol):
    """A count of retries."""

    def retries(self, trial: str, failure_class: str) -> int:
        """How often a trial was tried again after failures of this class."""
        ...


def retry_wait(trial: str, ended: LaunchResult, spent: Spent) -> float | None:
    """Seconds until a trial that ended is tried again; None = not in this invocation."""
    if ended.state in record.OUTCOMES or ended.failure_class is None:
        return None
    policy = POLICIES.get(ended.failure_class, FailurePolicy())
    before = spent.retries(trial, ended.failure_class)
    if policy.retries is not None and before >= policy.retries:
        return None
    return WAITS_S[min(before, len(WAITS_S) - 1)]


class SharedCauses:
    """Which causes of failure are of a single trial, since others with it have come to an end."""

    def __init__(self, finished: Iterable[Trial]) -> None:
        """`finished`: trials that have come to an outcome."""
        self._proven: set[Hashable] = set()
        for trial in finished:
            self.proven(trial)

    def proven(self, trial: Trial) -> None:
        """A trial came to an outcome, so what it shares with others is no cause of failure."""
        causes = {policy.cause for policy in POLICIES.values() if policy.cause}
        self._proven.update((cause, cause(trial)) for cause in causes)

    def suspects(self, failed: Trial, failure_class: str | None) -> Callable[[Trial], bool]:
        """Whether a trial is likely to fail as `failed` did."""
        cause = POLICIES.get(failure_class or "", FailurePolicy()).cause
        if cause is None or (cause, cause(failed)) in self._proven:
            return lambda trial: False
        return lambda trial: cause(trial) == cause(failed)
