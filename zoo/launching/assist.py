"""The launcher of a trial's processes on a node other than its first."""

from __future__ import annotations

import time
from contextlib import closing

from zoo.errors import FailureClass
from zoo.launching.launch import Grace, LaunchResult
from zoo.launching.link import POLL_S, Link, join
from zoo.launching.out_of_memory import kernel_kills
from zoo.launching.ranks import start_ranks
from zoo.launching.task import Task, environment
from zoo.store.failures import classify


def assist(task: Task, grace: Grace) -> LaunchResult:
    """Run the processes of a trial that belong to this node, which is not its first, until the
    trial ends; how its last launch ended. What became of it the first node records."""
    link, end = None, time.monotonic() + task.where.meeting_s
    while link is None and grace() is None and time.monotonic() < end:
        link = join(task.where, task.token)
    if link is None:
        if grace() is not None:
            return LaunchResult("preempted", FailureClass.INTERRUPTED)
        at = f"{task.where.address}:{task.where.port}"
        why = f"no launcher of node 0 at {at} within {task.where.meeting_s:.0f} s"
        return LaunchResult("failed", FailureClass.INFRA, why)
    ended: LaunchResult | None = None
    with closing(link):
        while (port := _next_port(link, grace)) is not None:
            ended = _launch(task, link, grace, port)
    if grace() is not None:
        return LaunchResult("preempted", FailureClass.INTERRUPTED)
    why = "node 0 let go of this node before the trial began"
    return ended or LaunchResult("failed", FailureClass.INFRA, why)


def _next_port(link: Link, grace: Grace) -> int | None:
    """Wait for the next launch, for the port at which its processes meet; None = there is none."""
    while not link.gone and ((left := grace()) is None or left > 0):
        if port := (link.receive(POLL_S) or {}).get("port"):
            return int(port)
    return None


def _launch(task: Task, link: Link, grace: Grace, port: int) -> LaunchResult:
    """Run this node's processes of one launch to their end, or to that of the launch."""
    path, kills = task.launch / "trial.json", kernel_kills()
    ranks = start_ranks(path, task.folder, environment(task), task.processes, task.where, port)
    over = False
    try:
        while not over and not link.gone:
            over = "over" in (link.receive(POLL_S) or {})
            if (left := grace()) is not None and left <= 0:
                return LaunchResult("preempted", FailureClass.INTERRUPTED)
            if (failed := next((rank for rank in ranks if rank.failed()), None)) is None:
                continue
            if over or "over" in (link.receive(1.0) or {}) or link.gone:
                break  # the launch has ended; the exit status of this process no longer matters
            why, kernel = f"process {failed.number} {failed.last_words()}", kernel_kills() > kills
            kind = classify(failed.process.await_end(), log=failed.log_tail(), kernel=kernel)
            link.send({"failed": why, "class": kind, "port": port})
            return LaunchResult("failed", kind, why)
        return LaunchResult("done")
    finally:
        for rank in ranks:
            rank.end()
