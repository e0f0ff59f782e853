"""The launcher of a trial's processes on a node other than its first."""

from __future__ import annotations

import time
from contextlib import closing

from zoo.errors import FailureClass
from zoo.launching.launch import Grace, LaunchResult
from zoo.launching.link import MEETING_S, POLL_S, Link, join
from zoo.launching.out_of_memory import kernel_kills
from zoo.launching.ranks import Rank, start_ranks
from zoo.launching.task import Task, environment
from zoo.store.failures import classify


def assist(task: Task, grace: Grace) -> LaunchResult:
    """Run the processes of a trial that belong to this node, which is not its first, until the
    trial ends. What became of it the first node records."""
    link, end = None, time.monotonic() + MEETING_S
    while link is None and grace() is None and time.monotonic() < end:
        link = join(task.where, task.token)
    if link is None:
        if grace() is not None:
            return LaunchResult("preempted", FailureClass.INTERRUPTED)
        at = f"{task.where.address}:{task.where.port}"
        why = f"no launcher of node 0 at {at} within {MEETING_S:.0f} s"
        return LaunchResult("failed", FailureClass.INFRA, why)
    ranks: list[Rank] = []
    with closing(link):
        try:
            while (begin := link.receive(POLL_S)) is None:
                if link.gone:
                    why = "node 0 let go of this node before the trial began"
                    return LaunchResult("failed", FailureClass.INFRA, why)
                if grace() is not None:
                    return LaunchResult("preempted", FailureClass.INTERRUPTED)
            path, env = task.launch / "trial.json", environment(task)
            port = int(begin["port"])
            ranks = start_ranks(path, task.folder, env, task.processes, task.where, port)
            return _attend(ranks, link, grace, kernel_kills())
        finally:
            for rank in ranks:
                rank.end()


def _attend(ranks: list[Rank], link: Link, grace: Grace, kills: int) -> LaunchResult:
    """Wait for the end of this node's processes, or of the trial. `kills`: processes that the
    kernel had ended for want of memory before."""
    while not link.gone and not all(rank.exited() for rank in ranks):
        link.receive(POLL_S)
        if (left := grace()) is not None and left <= 0:
            return LaunchResult("preempted", FailureClass.INTERRUPTED)
        if (failed := next((rank for rank in ranks if rank.failed()), None)) is not None:
            link.receive(1.0)
            if link.gone:  # the trial has ended; the exit status of this process no longer matters
                break
            why, kernel = f"process {failed.number} {failed.last_words()}", kernel_kills() > kills
            kind = classify(failed.process.await_end(), log=failed.log_tail(), kernel=kernel)
            link.send({"failed": why, "class": kind})
            return LaunchResult("failed", kind, why)
    return LaunchResult("done")
