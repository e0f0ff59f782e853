"""Whether a trial's job is likely to fail as another job of its sweep has: there is no driver that
would hold it back, so it looks itself before it starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from zoo.errors import StateError
from zoo.executors.slurm_task import NAME, read_input
from zoo.launching.task import Task
from zoo.orchestrate.retries import POLICIES, FailurePolicy, SharedCauses
from zoo.store import record
from zoo.store.record import Record
from zoo.trials.trial import Trial


class _Ended(NamedTuple):
    """Another trial of the sweep, whose job has ended once at least."""

    trial: Trial
    record: Record


def failed_alike(task: Task, path: Path) -> Record | None:
    """The record of a trial that failed since this job was submitted, for a cause that it shares
    with `task` and with no trial that came to an outcome.

    Args:
        path: the input of the job.
    """
    others = [*_others(task, path)]
    causes = SharedCauses(one.trial for one in others if one.record.state in record.OUTCOMES)
    submitted, folder = path.stat().st_mtime, task.store.train
    for trial, found in others:
        if found.state != "failed" or not _shares(found):
            continue
        if (folder(trial.id) / "record.json").stat().st_mtime <= submitted:
            continue  # the sweep that submitted this job tries it again
        if causes.suspects(trial, found.failure_class)(task.trial):
            return found
    return None


def _shares(found: Record) -> bool:
    """Whether a failure of this class may be that of others, too."""
    return POLICIES.get(found.failure_class or "", FailurePolicy()).cause is not None


def _others(task: Task, path: Path) -> Iterator[_Ended]:
    """The other trials of the sweep with a record; those whose files cannot be read do not count,
    as each job reports its own."""
    for other in path.parents[1].glob(f"*/{NAME}"):
        with suppress(StateError):
            found = record.read(task.store.train(other.parent.name))
            if found is not None and other != path:
                yield _Ended(read_input(other, "").task.trial, found)
