"""One trial as its own process group: start it, monitor it, report how it ended.

The process reads its input from the `trial.json` of its launch folder (`launches/TOKEN/`, removed
when the launch ends), holds the trial's lock while it works, and writes `record.json`. Several
launchers may try one trial: without the lock only the log is written. If the process leaves no
record (killed, out of memory, died at its start), it is written here, unless another process has
held the trial since. Independent of Ray, of scheduling and of what a trial does.
"""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace

from zoo.errors import FailureClass
from zoo.launching import processes
from zoo.launching.link import Host
from zoo.launching.out_of_memory import kernel_kills, less_text, with_less
from zoo.launching.ranks import ONE_NODE, Rank, free_port, start_ranks
from zoo.launching.task import Task, environment, write_task
from zoo.launching.warm_starts import NotStarted, spawner
from zoo.launching.watchdog import Watchdog
from zoo.resources.memory_advice import advice
from zoo.runs import live
from zoo.runs.sweep_status import trial_status
from zoo.runs.training_record import training_record
from zoo.store import journal, record
from zoo.store.failures import classify
from zoo.store.record import Record
from zoo.store.run_store import claim, claimed, full_text, is_full
from zoo.store.stack import SIMULATED, stack

POLL_S = 0.1
MEASURING_FAILED = "training is done; evaluating it failed"
EXTENDING_FAILED = "continuing it failed; previous results are kept"
RETRAINING_FAILED = "training again failed; previous results are kept"


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """How a launch ended; `seconds` is wall time."""

    state: record.State
    failure_class: str | None = None
    """A `FailureClass`, or the status of a record."""
    message: str = ""
    seconds: float = 0.0


Grace = Callable[[], float | None]
"""Polled: None = continue; a number = stop, with that many seconds of grace; infinite = end the
round, however long that takes."""


def run(task: Task, grace: Grace, tick: Callable[[], None] = lambda: None) -> LaunchResult:
    """Run a trial to its end, or until `grace` requests a stop; then no process of it is left."""
    while grace() is None and _somebody_has(task):
        time.sleep(POLL_S)
    if grace() is not None:
        return LaunchResult("preempted", FailureClass.INTERRUPTED)
    if not trial_status(task.trial, task.store, retrain=task.retrain, extend=task.extend).runs:
        return _outcome(record.read(task.folder))  # by another sweep, while we waited
    if task.trained:
        task = replace(task, where=ONE_NODE)
    with closing(Host(task.where, task.token)) if task.where.nodes > 1 else nullcontext() as host:
        if host is not None and (why := _meet(host, grace)):
            return why
        ended = _work(task, host, grace, tick)
        while grace() is None and (less := with_less(task, ended.failure_class, ended.message)):
            task = less
            _note(task, f"zoo: out of memory; {less_text(task)}")
            ended = _work(task, host, grace, tick)
    if not (ended.state == "stopped" or (task.extend and ended.state == "done")):
        return ended
    if grace() is None and trial_status(task.trial, task.store).runs:  # from weights that it kept
        task = replace(task, retrain=False, extend=False, where=ONE_NODE)
        return _work(task, None, grace, tick)
    return ended


def _meet(host: Host, grace: Grace) -> LaunchResult | None:
    """Wait for the launchers of the other nodes; returns the error if they do not connect."""
    end = time.monotonic() + host.where.meeting_s
    while not host.accept():
        if grace() is not None:
            return LaunchResult("preempted", FailureClass.INTERRUPTED)
        if time.monotonic() > end:
            there = f"{len(host.links) + 1} of {host.where.nodes} nodes"
            why = f"{there} met within {host.where.meeting_s:.0f} s"
            return LaunchResult("failed", FailureClass.INFRA, why)
    return None


def _work(task: Task, host: Host | None, grace: Grace, tick: Callable[[], None]) -> LaunchResult:
    """Run this node's processes once, to their end."""
    try:
        child = TrialProcess(task, host, lambda: grace() is not None)
    except NotStarted:
        shutil.rmtree(task.launch, ignore_errors=True)
        return LaunchResult("preempted", FailureClass.INTERRUPTED)
    watchdog = Watchdog(task)
    try:
        while not child.exited():
            if grace() is not None:
                child.stop(grace)
                break
            if (why := watchdog.hung()) is not None:
                child.end_hung(why)
                break
            tick()
            time.sleep(POLL_S)
        tick()
        return child.settle()
    finally:
        child.end()


class TrialProcess:
    """A running trial: its processes on this node, started by the constructor."""

    def __init__(
        self, task: Task, host: Host | None = None, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        """`host`: the links to the launchers of other nodes.

        Raises:
            NotStarted: a stop was requested (`stopped`) before it began.
        """
        self.task, self.host, self.stopped = task, host, False
        self.hung: str | None = None
        """Why it was ended as hung."""
        self.folder = task.folder
        # First of all who this is: a launcher may die at once.
        processes.ProcessStamp.of(task.token).write(task.launch)
        path = write_task(task)
        self.started, self._clock = time.time(), time.monotonic()
        self._kernel_kills = kernel_kills()
        env, port = environment(task), free_port(task.where.address)
        spawn = spawner(task, stopped)
        self.ranks = start_ranks(path, self.folder, env, task.processes, task.where, port, spawn)
        if host is not None:
            host.begin(port)
        self.leader = self.ranks[0]
        processes.ProcessStamp.of(task.token, self.leader.pid).write(task.launch)

    def exited(self) -> bool:
        """Whether the leader has ended, or another process or node failed, which the leader cannot
        do without. None is reaped until `settle`, so their numbers stay ours."""
        others = any(rank.failed() for rank in self.ranks[1:])
        return self.leader.exited() or others or (self.host is not None and self.host.over())

    def stop(self, grace: Grace) -> None:
        """Stop the trial: SIGINT where it may end its round, SIGTERM once the grace is limited, and
        SIGKILL to its group after that. The grace may shrink while we wait. Only the leader gets
        the signals: its children are still needed to end a round."""
        self.stopped = True
        begun, asked = time.monotonic(), None
        while not self.exited() and time.monotonic() - begun < (left := grace() or 0.0):
            wanted = signal.SIGINT if math.isinf(left) else signal.SIGTERM
            if wanted != asked:
                self.leader.process.send_signal(wanted)
                begun, asked = time.monotonic(), wanted
            time.sleep(0.05)
        self._kill()
        self.leader.process.await_end()

    def end_hung(self, why: str) -> None:
        """End a trial that does nothing; it would not listen to a signal that asks."""
        self.hung = why
        _note(self.task, f"zoo: {why}; it is ended")
        self._kill()
        self.leader.process.await_end()

    def settle(self) -> LaunchResult:
        """How the launch ended; writes the record where the process left none. To be called after
        its exit."""
        cause = self._cause()
        self._kill()  # whatever they left behind in their groups, too
        for rank in self.ranks:
            rank.reap()
        status = self.leader.process.await_end()
        seconds = time.monotonic() - self._clock
        found = record.read(self.folder)
        interrupted = self.stopped or classify(status) is FailureClass.INTERRUPTED
        if status == 0:
            return _outcome(found, seconds)
        if found is not None and found.finished():
            return self._after_training(found, cause, interrupted, seconds)
        if found is not None and self._is_of_this_launch(found):
            return LaunchResult(found.state, found.failure_class, found.message, seconds)
        return self._speak_for(cause, interrupted, seconds)

    def _is_of_this_launch(self, found: Record) -> bool:
        tried = tuple(found.about.get("out_of_memory", ()))
        return found.about.get("token") == self.task.token and tried == self.task.out_of_memory

    def _cause(self) -> Rank | None:
        """The process that ended the launch: one that was killed before the leader, which may have
        failed for want of it. None = another node did."""
        if killed := [rank for rank in self.ranks if rank.killed()]:
            return killed[0]
        if self.host is not None and self.host.failed:
            return None
        others = [rank for rank in self.ranks[1:] if rank.failed()]
        return self.leader if self.leader.exited() or not others else others[0]

    def _after_training(
        self, found: Record, cause: Rank | None, interrupted: bool, seconds: float
    ) -> LaunchResult:
        """Training is over and stays so, whatever became of what came after it."""
        again = self.task.retrain or self.task.extend
        again = again and found.about.get("token") != self.task.token
        if not again and not trial_status(self.task.trial, self.task.store).runs:
            return LaunchResult(found.state, seconds=seconds)
        if interrupted:
            what = "continuing it" if self.task.extend else "training again"
            what = what if again else "evaluating what is trained"
            return LaunchResult("preempted", FailureClass.INTERRUPTED, what, seconds)
        what = EXTENDING_FAILED if self.task.extend else RETRAINING_FAILED
        what = what if again else MEASURING_FAILED
        if self.hung is not None:
            return LaunchResult("failed", FailureClass.HANG, f"{what}\n{self.hung}", seconds)
        cause = cause or self.leader
        message = f"{what}\n{cause.log_tail()}".rstrip()
        return LaunchResult("failed", *self._classified(cause, message), seconds)

    def end(self) -> None:
        """Make sure that nothing of the launch is left; does nothing after a settled end."""
        if self.host is not None:
            self.host.end()
        for rank in self.ranks:
            rank.end()
        for pid in processes.kill_launch(self.task.token):
            _note(self.task, f"zoo: process {pid} outlived its trial and was killed")
        shutil.rmtree(self.task.launch, ignore_errors=True)

    def _kill(self) -> None:
        for rank in self.ranks:
            rank.process.kill_group()

    def _speak_for(self, cause: Rank | None, interrupted: bool, seconds: float) -> LaunchResult:
        """The record of a launch whose leader left none."""
        if interrupted:
            ended = LaunchResult("preempted", FailureClass.INTERRUPTED, "", seconds)
        elif self.hung is not None:
            ended = LaunchResult("failed", FailureClass.HANG, self.hung, seconds)
        elif cause is None:
            ended = LaunchResult("failed", *self._elsewhere(), seconds)
        else:
            ended = LaunchResult("failed", *self._failure(cause), seconds)
        record_end(self.task, ended, self.started)
        return ended

    def _failure(self, cause: Rank) -> tuple[FailureClass, str]:
        """Class and message of the failure of one process."""
        message = "" if len(self.ranks) == 1 else f"process {cause.number} "
        return self._classified(cause, message + cause.last_words())

    def _elsewhere(self) -> tuple[FailureClass, str]:
        """The same of a process of another node."""
        if self.host is None:
            return FailureClass.INFRA, "ended without a record"
        kind, message = self.host.failure_class, self.host.failed
        return kind, self._with_advice(kind, message)

    def _classified(self, cause: Rank, message: str) -> tuple[FailureClass, str]:
        """The class of a process's failure, and its message with advice where memory ran out."""
        kernel = kernel_kills() > self._kernel_kills
        kind = classify(cause.process.await_end(), log=cause.log_tail(), kernel=kernel)
        return kind, self._with_advice(kind, message)

    def _with_advice(self, kind: FailureClass, message: str) -> str:
        if kind is not FailureClass.OOM:
            return message
        task = self.task
        asked = task.trial, task.profile, task.out_of_memory, task.longest_prompt
        return f"{message}\n{advice(*asked, message=message)}"


def record_end(task: Task, ended: LaunchResult, started: float) -> None:
    """Write the record of a launch that left none, unless another has held the trial since, or
    training came to an outcome before. `started`: seconds since the epoch."""
    trial, folder = task.trial, task.folder
    with claim(folder, wait=False) as ours:
        latest, found = live.latest_launch(folder), record.read(folder)
        if not ours or latest.get("token") not in (task.token, None):
            return  # others hold or held it, and record it
        if found is not None and found.finished():
            return  # it stays so; only what came after it failed
        lineage = latest.get("lineage", 0)
        rounds = live.live_rounds(journal.read(folder / "metrics.jsonl"), lineage)
        reached = max(rounds, default=0)
        written = training_record(
            trial,
            token=task.token,
            profile=task.profile.name,
            message=ended.message,
            out_of_memory=task.out_of_memory,
            about={"written_by": "launcher"},
            id=folder.name,
            state=ended.state,
            round=reached,
            attempt=latest.get("attempt", 1),
            lineage=lineage,
            metrics=rounds[reached]["metrics"] if rounds else {},
            stack=SIMULATED if trial.simulated else stack(task.profile.engine, environment(task)),
            failure_class=ended.failure_class,
            started=started,
            seconds=round(ended.seconds, 3),
        )
        record.write(folder, written, durable=not trial.simulated)


def failed_launch(task: Task, error: Exception) -> LaunchResult:
    """The end of a launch that raised instead of running the trial."""
    text = full_text(error, task.folder) if is_full(error) else f"{type(error).__name__}: {error}"
    return LaunchResult("failed", classify(error=error), text)


def _note(task: Task, text: str) -> None:
    """A line of the launcher's in the trial's log."""
    with (task.folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(text + "\n")


def _outcome(found: Record | None, seconds: float = 0.0) -> LaunchResult:
    """What finished training came to."""
    if found is None:
        return LaunchResult("done", seconds=seconds)
    return LaunchResult(found.state, message=found.message, seconds=seconds)


def _somebody_has(task: Task) -> bool:
    """Whether another process (of another sweep) is at this trial right now."""
    return claimed(task.folder)
