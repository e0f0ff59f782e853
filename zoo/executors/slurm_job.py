"""The program of a trial's job, on a compute node: `python -m zoo.executors.slurm_job task.json`.

One run of the job is one launch of the trial. Slurm signals USR1 ahead of the time limit: the trial
saves, and the job requeues itself and goes on from there. SIGTERM (cancelled, or preempted, where
Slurm requeues it) saves as well and requeues nothing. A failure that its class allows to be tried
again requeues the job; the counts are in the journal of the job's folder, which it finds again. A
budget that is used up ends the trial at the end of its round, and requeues nothing. Of
a trial over several nodes this runs on the first one and starts the launchers of the others.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from zoo.errors import FailureClass, StateError, ZooError
from zoo.executors import slurm
from zoo.executors.slurm_budget import JobBudget
from zoo.executors.slurm_causes import failed_alike
from zoo.executors.slurm_task import read_input
from zoo.launching import processes
from zoo.launching.assist import assist
from zoo.launching.launch import LaunchResult, failed_launch, run
from zoo.launching.lost import record_lost
from zoo.launching.ranks import Rendezvous, free_port
from zoo.launching.task import Task
from zoo.orchestrate.budget_guard import mark
from zoo.orchestrate.retries import retry_wait
from zoo.orchestrate.sweep_journal import SweepJournal
from zoo.runs.sweep_status import trial_status
from zoo.scheduling.executor import ROUND_END
from zoo.store import record

MEETING = "ZOO_RENDEZVOUS"
"""Variable that tells the launchers of other nodes where they meet the first one."""
END = signal.SIGUSR2
"""From the first node to the launchers of the others; srun passes it on."""
IDLE = 2
"""How often a job may come to its time limit without progress and try again."""
LOST = "the job was lost before it could record why, with its node or killed"


class JobSignals:
    """The signals of Slurm to a job, and a budget that is used up, as a stop request to its
    trial."""

    def __init__(self, task: Task, journal: SweepJournal, budget: JobBudget) -> None:
        self.task, self.journal, self.budget = task, journal, budget
        self.came: list[int] = []
        self._recorded = 0
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self.came.append(number))

    @property
    def requeue(self) -> bool:
        """Whether the job has to come back by itself: only its time is up."""
        return bool(self.came) and set(self.came) == {signal.SIGUSR1}

    def grace(self) -> float | None:
        """Seconds that the trial has to end; None = go on. A second signal leaves none."""
        if not self.came:
            return ROUND_END if self.budget.look() else None
        if (times := len(self.came)) > self._recorded:
            self._recorded = times
            self.journal.stopping(times)
        return self.task.profile.grace_s if times == 1 else 0.0


def lead(path: Path) -> int:
    """Run a launch of the trial of `path` on the first node of its job; returns the exit status."""
    task, limits = read_input(path, secrets.token_hex(8))
    said = {"durable": not task.trial.simulated, "profile": task.profile, "store": task.store}
    journal = SweepJournal(path.parent, **said)
    budget = JobBudget(task, path.parent, limits)
    signals = JobSignals(task, journal, budget)
    lost = journal.lost.get(task.trial.id)
    if lost is not None and not _goes_on(task, lost, journal):
        return 1
    processes.reap(task.folder)
    if (level := budget.look()) is not None:
        return _over_budget(task, level, journal, cut=False)
    if (other := failed_alike(task, path)) is not None:
        journal.held(task.trial.id, other.id, other.failure_class or "")
        like = f"{other.id} [{other.failure_class}]"
        _say(f"{task.trial.id}: held back, likely to fail like {like}; the next sweep tries it")
        return 1
    journal.launched(task)
    before = _progress(task)
    try:
        with _other_nodes(task) as placed:
            ended = run(placed, signals.grace)
    except Exception as error:  # of the launch itself: a full disk, an unreadable record
        ended = failed_launch(task, error)
    journal.ended(task, ended)
    _say(f"{task.trial.id}: {ended.state} {ended.message}".rstrip())
    if ended.state in record.OUTCOMES:
        return 0
    if budget.reached and ended.state == "preempted" and not signals.came:
        mark(task, budget.reached)
        return _over_budget(task, budget.reached, journal, cut=True)
    if not signals.came:
        return _after_failure(task, ended, journal)
    if not signals.requeue:
        return 128 + signals.came[0]
    return _requeue() if _progress(task) != before or _may_idle(task, journal) else 1


def _over_budget(task: Task, level: str, journal: SweepJournal, *, cut: bool) -> int:
    """Say that the budget ended a trial, or kept it from its start; returns the exit status."""
    journal.budget(task.trial.id, level, cut=cut)
    went_on = "the trial saved and ended" if cut else "the trial is not started"
    _say(f"{task.trial.id}: the budget is used up ({level}): {went_on}; raise it and sweep again")
    return 1


def _progress(task: Task) -> tuple[object, ...]:
    """Changes whenever a launch adds to what the next one finds."""
    status = trial_status(task.trial, task.store, retrain=task.retrain, extend=task.extend)
    return status.trains, status.saved and status.saved.round, len(status.due)


def _may_idle(task: Task, journal: SweepJournal) -> bool:
    """Whether a job that came to its time limit without any progress may try again."""
    id_, kind = task.trial.id, FailureClass.INTERRUPTED
    if journal.retries(id_, kind) >= IDLE:
        why = f"its time limit came {IDLE + 1} times before anything was saved"
        _say(f"{id_}: {why}; set a longer `slurm.time` or a smaller `save_every` in the profile")
        return False
    journal.retried(id_, kind, 0.0)
    return True


def _goes_on(task: Task, before: FailureClass, journal: SweepJournal) -> bool:
    """Take note of a launch that recorded no end; returns whether the trial is tried again."""
    stopped = before is FailureClass.INTERRUPTED
    lost = LaunchResult("preempted" if stopped else "failed", before, "" if stopped else LOST)
    record_lost(task, lost)
    journal.ended(task, lost)
    if not int(os.environ.get("SLURM_RESTART_COUNT", "0")):
        return True  # a sweep tries every failed trial again
    if (wait_s := retry_wait(task.trial.id, lost, journal)) is None:
        _say(f"{task.trial.id}: {LOST}; not tried again, as that was done too often")
        return False
    journal.retried(task.trial.id, before, wait_s)
    return True


def _after_failure(task: Task, ended: LaunchResult, journal: SweepJournal) -> int:
    """Requeue the job where its failure class allows that; returns the exit status."""
    wait_s = retry_wait(task.trial.id, ended, journal)
    if wait_s is None or ended.failure_class in (None, FailureClass.DISK):  # who would make room?
        return 1
    journal.retried(task.trial.id, ended.failure_class, wait_s)
    return _requeue()


def _requeue() -> int:
    """Give the job back to Slurm's queue, which ends this run of it."""
    try:
        slurm.call("scontrol", "requeue", os.environ["SLURM_JOB_ID"])
    except StateError as error:
        _say(f"{error}; run the sweep again, it submits what is left")
    return 1


@contextmanager
def _other_nodes(task: Task) -> Iterator[Task]:
    """Start the launchers of the other nodes of the job, where it has some; yields the task with
    where they meet."""
    count = int(os.environ.get("SLURM_JOB_NUM_NODES", "1"))
    if count == 1 or task.trained:
        yield task
        return
    said = slurm.call("scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"])
    address = _address_towards(said.split()[1])
    where = Rendezvous(count, 0, address, free_port(address))
    told = {"token": task.token, "where": asdict(where)}
    others = subprocess.Popen(
        [
            "srun",
            f"--nodes={count - 1}",
            f"--ntasks={count - 1}",
            "--ntasks-per-node=1",
            "--relative=1",
            f"--cpus-per-task={slurm.nodes_of(task).cpus}",
            *slurm.python(task.profile),
            *("-m", "zoo.executors.slurm_job", sys.argv[1]),
        ],
        env=os.environ | {MEETING: json.dumps(told)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # signals to this node's group are not for it
    )
    try:
        yield replace(task, where=where)
    finally:
        others.send_signal(END)
        try:
            others.wait(30.0)
        except subprocess.TimeoutExpired:
            others.kill()
            others.wait()


def _address_towards(node: str) -> str:
    """The address of this node on the network of another one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((node, 9))  # sends nothing
        return probe.getsockname()[0]


def follow(path: Path, told: str) -> int:
    """Be the launcher of another node than the first, until that one ends this step."""
    data = json.loads(told)
    node = int(os.environ.get("SLURM_NODEID", os.environ.get("SLURM_PROCID", "0"))) + 1
    task, _ = read_input(path, data["token"])
    task = replace(task, where=Rendezvous(**data["where"] | {"node": node}))
    over: list[int] = []
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the first node decides how the round ends
    signal.signal(END, lambda number, frame: over.append(number))
    while (ended := assist(task, lambda: 0.0 if over else None)).failure_class == "infra":
        time.sleep(1.0)  # the first node waits for the trial, which another job holds
    return 0 if ended.state == "done" else 1


def _say(text: str) -> None:
    print(f"zoo: {text}", flush=True)


def main() -> None:
    """Entry point of the program."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m zoo.executors.slurm_job FOLDER/task.json")
    path, told = Path(sys.argv[1]), os.environ.pop(MEETING, "")
    try:
        sys.exit(follow(path, told) if told else lead(path))
    except ZooError as error:
        _say(str(error))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
