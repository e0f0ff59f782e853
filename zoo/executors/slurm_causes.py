"""Whether a trial's job is likely to fail as another job of its sweep has: there is no driver that
would hold it back, so it looks itself before it starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.executors.slurm_task import NAME, read_input
from zoo.launching.task import Task
from zoo.orchestrate.retries import POLICIES, SharedCauses
from zoo.store import record
from zoo.store.record import Record


def failed_alike(task: Task, path: Path) -> Record | None:
    """The record of a trial that failed since this job was submitted, for a cause that it shares
    with `task` and with no trial that came to an outcome.

    Args:
        path: the input of the job.
    """
    submitted, folder = path.stat().st_mtime, task.store.train
    others = [other for other in path.parents[1].glob(f"*/{NAME}") if other != path]
    found = {other: record.read(folder(other.parent.name)) for other in others}
    failed = [
        (other, one)
        for other, one in found.items()
        if one is not None
        and one.state == "failed"
        and POLICIES[one.failure_class or "error"].cause is not None
        and (folder(one.id) / "record.json").stat().st_mtime > submitted
    ]
    if not failed:
        return None
    ended = (at for at, one in found.items() if one is not None and one.state in record.OUTCOMES)
    causes = SharedCauses(_task(at).trial for at in ended)
    return next(_alike(task, failed, causes), None)


def _alike(task: Task, failed: list[tuple[Path, Record]], causes: SharedCauses) -> Iterator[Record]:
    for other, one in failed:
        if causes.suspects(_task(other).trial, one.failure_class)(task.trial):
            yield one


def _task(path: Path) -> Task:
    return read_input(path, "").task
