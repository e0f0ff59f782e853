"""Slurm's commands, as zoo calls them: the script of a job, what squeue and sacct answer, cancel.

A job's name has a tag of the sweep's folder and what it works on (a trial's id, or `report`), so
that squeue alone tells which trials have a job, also where a submission was cut off. Light.
"""

from __future__ import annotations

import hashlib
import math
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.catalog import ComputeProfile
from zoo.catalog.profile import SLURM_MARGIN_S, SlurmOptions
from zoo.errors import FailureClass, Fault, InputError, StateError, printable
from zoo.launching.launch import LaunchResult
from zoo.launching.task import Task, source_folder
from zoo.store import sweep_rows
from zoo.store.sweep_rows import JOBS

REPORT = "report"
"""What the last job of a sweep works on."""
PATIENCE_S = 120.0
RUNNING = ("RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING")
WAITING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
ENDS: dict[str, tuple[FailureClass, str]] = {
    "OUT_OF_MEMORY": (FailureClass.OOM, "ran out of the memory that it had requested"),
    "NODE_FAIL": (FailureClass.INFRA, "lost a node"),
    "BOOT_FAIL": (FailureClass.INFRA, "got a node that did not start"),
    "TIMEOUT": (FailureClass.INTERRUPTED, "reached its time limit"),
    "DEADLINE": (FailureClass.INTERRUPTED, "reached its deadline"),
    "PREEMPTED": (FailureClass.INTERRUPTED, "was preempted"),
    "CANCELLED": (FailureClass.INTERRUPTED, "was cancelled"),
    "REVOKED": (FailureClass.INTERRUPTED, "was revoked"),
}
"""Final states of a job -> failure class of a trial that could not record its end, and why."""


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job as squeue or sacct describe it."""

    id: str
    state: str
    """As Slurm writes it, in full: `PENDING`, `RUNNING`, `NODE_FAIL`."""
    reason: str = ""
    """Why it waits: `Priority`, `Resources`; of an ended one, exit status and signal (`1:0`)."""

    @property
    def waits(self) -> bool:
        """Whether it waits for its turn."""
        return self.state in WAITING

    @property
    def runs(self) -> bool:
        """Whether it has its nodes."""
        return self.state in RUNNING

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.waits and self.reason not in ("", "None") else ""
        return f"job {self.id} {self.state.lower().replace('_', ' ')}{why}"


def must_be_there() -> None:
    """Refuse a machine without Slurm's commands.

    Raises:
        InputError: those that are missing.
    """
    lacking = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if lacking:
        found = f"not on PATH: {', '.join(lacking)}"
        hint = "submit from a login node of the cluster, or choose another profile with --on"
        raise InputError(Fault("Slurm", found, "Slurm's commands", hint))


def prefix(folder: Path) -> str:
    """How the names of a sweep's jobs begin; `folder` is the sweep's in the run store."""
    return f"zoo-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}."


def active(folder: Path) -> dict[str, SlurmJob]:
    """What has a job that waits or runs, with the job: ids of trials, and `report`.

    Raises:
        StateError: squeue fails.
    """
    asked = ["--noheader", f"--user={os.getuid()}", "--format=%i|%T|%r|%j"]
    return parse_squeue(call("squeue", *asked), prefix(folder))


def parse_squeue(text: str, start: str) -> dict[str, SlurmJob]:
    """The jobs whose names begin with `start`, by the rest of it; of several of one name the first
    that was submitted."""
    found: dict[str, SlurmJob] = {}
    for line in text.splitlines():
        id_, state, reason, name = [*line.strip().split("|", 3), "", "", ""][:4]
        if name.startswith(start):
            job, before = SlurmJob(id_, state, reason), found.get(name.removeprefix(start))
            if before is None or int(id_) < int(before.id):
                found[name.removeprefix(start)] = job
    return found


def ended(ids: Collection[str]) -> dict[str, SlurmJob]:
    """What Slurm's accounting says of jobs that are gone; none where it is not kept."""
    if not ids or shutil.which("sacct") is None:
        return {}
    shape = ["--noheader", "--parsable2", "--allocations", "--format=JobIDRaw,State,ExitCode"]
    try:
        return parse_sacct(call("sacct", *shape, f"--jobs={','.join(ids)}"))
    except StateError:
        return {}


def jobs_of(folder: Path, left: Collection[str]) -> dict[str, SlurmJob]:
    """The jobs of a sweep that waits on Slurm, by what they work on: those that wait or run, and of
    the trials that are `left` the last one that is gone. None where it is not run by Slurm, or
    where Slurm's commands are not on PATH.

    Raises:
        StateError: squeue fails.
    """
    if not (folder / JOBS).is_dir() or shutil.which("squeue") is None:
        return {}
    found, last = active(folder), dict[str, str]()
    for row in sweep_rows.read(folder / sweep_rows.NAME).rows:
        if row["event"] == "submit":
            last[row["trial"]] = row["job"]
    gone = {id_: last[id_] for id_ in left if id_ in last and id_ not in found}
    ends = ended(gone.values())
    return found | {id_: ends.get(job, SlurmJob(job, "GONE")) for id_, job in gone.items()}


def parse_sacct(text: str) -> dict[str, SlurmJob]:
    """Jobs by id; `CANCELLED by 1000` is `CANCELLED`."""
    rows = [line.split("|") for line in text.splitlines()]
    return {
        row[0]: SlurmJob(row[0], row[1].split(" ")[0], row[2])
        for row in rows
        if len(row) == 3 and row[1]
    }


def end_of(job: SlurmJob) -> LaunchResult:
    """What the end of a job means for a trial that did not record its own."""
    kind, why = ENDS.get(job.state, (FailureClass.ERROR, f"ended as {job.state} ({job.reason})"))
    if job.state == "FAILED" and not job.reason.endswith(":0"):
        kind, why = FailureClass.KILLED, f"was ended by signal {job.reason.rpartition(':')[2]}"
    state = "preempted" if kind is FailureClass.INTERRUPTED else "failed"
    return LaunchResult(state, kind, f"Slurm's job {job.id} {why}")


def cancel(folder: Path) -> list[str]:
    """Cancel all jobs of a sweep, by its folder in the run store, if it was ever submitted; returns
    their ids. Trials that run get SIGTERM: they save within Slurm's KillWait (30 s unless
    configured) and are not requeued.

    Raises:
        StateError: a command of Slurm's fails.
        InputError: there is no Slurm here.
    """
    if not (folder / JOBS).is_dir():
        return []
    must_be_there()
    jobs = sorted((job.id for job in active(folder).values()), key=int)
    if jobs:
        call("scancel", *jobs)
    return jobs


def has_jobs(folder: Path) -> bool:
    """Whether a sweep has jobs that wait or run, by its folder in the run store; also where it was
    submitted and Slurm cannot be asked."""
    if not (folder / JOBS).is_dir():
        return False
    try:
        return bool(active(folder))
    except StateError:
        return True


def submit(script: Path, after: Sequence[str] = ()) -> str:
    """Submit a script that may start once the jobs `after` have ended, however; returns its job.

    Raises:
        StateError: Slurm refuses it; with Slurm's message.
    """
    wait = [f"--dependency=afterany:{':'.join(after)}"] if after else []
    said = call("sbatch", "--parsable", *wait, str(script)).strip()
    id_ = said.splitlines()[-1].split(";")[0] if said else ""
    if not id_.isdigit():
        raise StateError(f"sbatch answered '{printable(said)}' instead of the number of a job")
    return id_


def call(name: str, *words: str) -> str:
    """What a command of Slurm's prints.

    Raises:
        StateError: it fails, or does not answer.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_GET_USER"))}
    try:
        done = subprocess.run(
            [name, *words],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise StateError(f"{name} did not answer within {PATIENCE_S:.0f} s") from error
    except OSError as error:
        raise StateError(f"{name} cannot be run ({error.strerror})") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        told = "; ".join(map(printable, lines)) or f"exit status {done.returncode}"
        raise StateError(f"{name}: {told.removeprefix(f'{name}: ')}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Nodes:
    """What a job allocates."""

    nodes: int
    cpus: int
    """Of each node."""
    gpus: int
    """Of each node; 0 = none."""


def nodes_of(task: Task) -> Nodes:
    """The allocation of a trial: whole GPUs, as Slurm has no parts of one."""
    profile, gpus = task.profile, math.ceil(task.gpus)
    nodes = max(1, math.ceil(gpus / profile.gpus_per_node))
    times = max(1.0, gpus / max(1.0, profile.gpus_per_trial))
    cpus = math.ceil(profile.cpus_per_trial * times / nodes)
    return Nodes(nodes, max(1, cpus), math.ceil(gpus / nodes))


def trial_script(name: str, folder: Path, task: Task, file: Path) -> str:
    """The script of a trial's job. `folder`: for its output; `file`: the input of its program."""
    profile, said = task.profile, task.profile.slurm
    size, warn_s = nodes_of(task), math.ceil(profile.grace_s) + SLURM_MARGIN_S
    lines = [
        f"--nodes={size.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={size.cpus}",
        *([f"--gpus-per-node={size.gpus}"] if size.gpus else []),
        f"--signal=B:USR1@{warn_s}",
        "--requeue",
        *_common(said, said.partition),
        *([f"--time={said.time}"] if said.time else []),
        *([f"--constraint={said.constraint}"] if said.constraint else []),
        *said.extra,
    ]
    program = [*python(profile), "-m", "zoo.executors.slurm_job", str(file)]
    return _script(name, folder, lines, said, {}, f"exec {shlex.join(program)}")


def report_script(
    name: str, folder: Path, profile: ComputeProfile, words: str, env: Mapping[str, str]
) -> str:
    """The script of a sweep's last job. `words`: manifest and options, quoted for a shell."""
    said = profile.slurm
    lines = [
        "--nodes=1",
        "--ntasks=1",
        "--time=60" if said.time else "",
        *_common(said, said.report_partition or said.partition),
    ]
    zoo = shlex.join([*python(profile), "-m", "zoo.cli.main"])
    body = f"{zoo} report {words}\nreport=$?\n{zoo} sync {words} && exit $report"
    return _script(name, folder, lines, said, env, body)


def python(profile: ComputeProfile) -> list[str]:
    """The command that runs Python in a job."""
    return shlex.split(profile.slurm.python) if profile.slurm.python else [sys.executable]


def _common(said: SlurmOptions, partition: str | None) -> list[str]:
    options = {"partition": partition, "account": said.account, "qos": said.qos}
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


def _script(
    name: str,
    folder: Path,
    lines: Iterable[str],
    said: SlurmOptions,
    env: Mapping[str, str],
    body: str,
) -> str:
    output = str(folder / "job-").replace("%", "%%") + "%j.txt"
    head = [f"--job-name={name}", f'--output="{output}"', "--open-mode=append", *lines]
    source = source_folder()
    path = (
        []
        if source is None
        else [f"export PYTHONPATH={shlex.quote(source)}${{PYTHONPATH:+:$PYTHONPATH}}"]
    )
    names = [f"export {key}={shlex.quote(value)}" for key, value in env.items()]
    options = [f"#SBATCH {line}" for line in head if line]
    return "\n".join(["#!/bin/bash", *options, *said.setup, *path, *names, body]) + "\n"
