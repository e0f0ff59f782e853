"""A Slurm of one machine for tests: jobs are processes, each with a runner in place of its node.

`install(folder)` puts sbatch, squeue, sacct, scontrol, scancel and srun into `folder/bin`; their
state is in `folder/slurm`. A job starts when its dependencies have ended and a slot is free
(`FAKE_SLURM_SLOTS`), is signalled and killed at its time limit (seconds times `FAKE_SLURM_SCALE`),
comes back where it is requeued or its node is lost, and leaves no process. `warn`, `lose_node` and
`preempt` do to a running job what a cluster does. Standard library only; this file is also the
program behind the commands.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("sbatch", "squeue", "sacct", "scontrol", "scancel", "srun")
ROOT = "FAKE_SLURM"
MARK = "FAKE_SLURM_JOB"
KILL_WAIT_S = 3.0
OPTIONS = {
    *("job-name", "output", "open-mode", "nodes", "ntasks", "ntasks-per-node", "cpus-per-task"),
    *("gpus-per-node", "signal", "requeue", "partition", "account", "qos", "time", "constraint"),
    *("dependency", "parsable", "mem"),
}
Job = dict[str, Any]


def install(folder: Path) -> dict[str, str]:
    """Put the commands into `folder/bin`; returns the environment that uses them."""
    commands, state = folder / "bin", folder / "slurm"
    commands.mkdir()
    state.mkdir()
    for name in NAMES:
        file = commands / name
        start = shlex.join([sys.executable, "-S", "-E", __file__, name])
        file.write_text(f'#!/bin/sh\nexec {start} "$@"\n')
        file.chmod(0o755)
    return {"PATH": f"{commands}:{os.environ['PATH']}", ROOT: str(state)}


def jobs(folder: Path) -> dict[str, Job]:
    """All jobs that there ever were, by id."""
    return _read(folder / "slurm")["jobs"]


def warn(folder: Path, id_: str) -> None:
    """The time limit of a running job is near, whatever the clock says."""
    _request(folder / "slurm", id_, "warn")


def lose_node(folder: Path, id_: str) -> None:
    """The node of a running job dies, with all that runs there."""
    _request(folder / "slurm", id_, "node_fail")


def preempt(folder: Path, id_: str) -> None:
    """A running job has to make room: SIGTERM, and after a while SIGKILL."""
    _request(folder / "slurm", id_, "preempt")


def schedule(folder: Path) -> None:
    """Start what may start, after slots have changed."""
    _schedule(folder / "slurm")


# -- state -----------------------------------------------------------------------------------------


def _read(root: Path) -> dict[str, Any]:
    try:
        return json.loads((root / "state.json").read_text())
    except FileNotFoundError:
        return {"next": 1001, "jobs": {}}


@contextmanager
def _state(root: Path) -> Iterator[dict[str, Any]]:
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = _read(root)
        yield state
        beside = root / "state.tmp"
        beside.write_text(json.dumps(state))
        beside.rename(root / "state.json")


def _request(root: Path, id_: str, what: str) -> None:
    beside = root / f"{id_}.{os.getpid()}.tmp"
    beside.write_text(what)
    beside.rename(root / f"{id_}.request")


def _schedule(root: Path) -> None:
    """Start a runner for each job that may start."""
    with _state(root) as state:
        jobs, slots = state["jobs"], int(os.environ.get("FAKE_SLURM_SLOTS", "2"))
        for id_, job in jobs.items():
            if job["state"] != "PENDING":
                continue
            if any(jobs[other]["state"] in ("PENDING", "RUNNING") for other in job["after"]):
                job["reason"] = "Dependency"
            elif sum(other["state"] == "RUNNING" for other in jobs.values()) >= slots:
                job["reason"] = "Resources"
            else:
                job |= {"state": "RUNNING", "reason": "None"}
                subprocess.Popen(
                    [sys.executable, "-S", "-E", __file__, "runner", id_],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=(root / "runners.txt").open("a"),
                    start_new_session=True,
                )


# -- commands --------------------------------------------------------------------------------------


def sbatch(root: Path, words: list[str]) -> int:
    flags = [*_leading(words)]
    script, *args = words[len(flags) :]
    text = Path(script).read_text()
    said = [*re.findall(r"^#SBATCH (.*)$", text, re.MULTILINE), *flags]
    options: dict[str, str] = {}
    for line in said:
        name, _, value = line.removeprefix("--").partition("=")
        if name not in OPTIONS:
            print(f"sbatch: unrecognized option '--{name}'", file=sys.stderr)
            return 1
        options[name] = value.strip('"')
    if options.get("partition") == "nowhere":
        print("sbatch: error: invalid partition specified: nowhere", file=sys.stderr)
        why = "Invalid partition name specified"
        print(f"sbatch: error: Batch job submission failed: {why}", file=sys.stderr)
        return 1
    with _state(root) as state:
        id_ = str(state["next"])
        if len(state["jobs"]) >= int(os.environ.get("FAKE_SLURM_LIMIT", "1000")):
            why = "Job violates accounting/QOS policy (job submit limit)"
            print(f"sbatch: error: Batch job submission failed: {why}", file=sys.stderr)
            return 1
        state["next"] += 1
        state["jobs"][id_] = {
            "name": options.get("job-name", "sbatch"),
            "script": text,
            "args": args,
            "options": options,
            "cwd": os.getcwd(),
            "env": dict(os.environ),
            "after": options.get("dependency", "").split(":")[1:],
            "state": "PENDING",
            "reason": "Priority",
            "exit": "0:0",
            "restarts": 0,
        }
    print(id_)
    _schedule(root)
    return 0


def squeue(root: Path, words: list[str]) -> int:
    for id_, job in _read(root)["jobs"].items():
        if job["state"] in ("PENDING", "RUNNING"):
            print(f"{id_}|{job['state']}|{job['reason']}|{job['name']}")
    return 0


def sacct(root: Path, words: list[str]) -> int:
    wanted = next(word for word in words if word.startswith("--jobs=")).removeprefix("--jobs=")
    for id_, job in _read(root)["jobs"].items():
        if id_ in wanted.split(","):
            print(f"{id_}|{job['state']}|{job['exit']}")
    return 0


def scontrol(root: Path, words: list[str]) -> int:
    if words[0] == "show":
        print("\n".join(words[2].split(",")))
        return 0
    _request(root, words[1], "requeue")
    return 0


def scancel(root: Path, words: list[str]) -> int:
    with _state(root) as state:
        for id_ in words:
            if state["jobs"][id_]["state"] == "PENDING":
                state["jobs"][id_]["state"] = "CANCELLED by 1000"
            else:
                _request(root, id_, "cancel")
    _schedule(root)
    return 0


def srun(root: Path, words: list[str]) -> int:
    options = [word for word in words if word.startswith("--")]
    count = int(dict(word[2:].split("=") for word in options if "=" in word)["nodes"])
    command = words[len([*_leading(words)]) :]
    env = dict(os.environ)
    tasks = [subprocess.Popen(command, env=env | {"SLURM_NODEID": str(at)}) for at in range(count)]

    def forward(number: int, frame: object) -> None:
        for task in tasks:
            with contextlib.suppress(ProcessLookupError):
                task.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, forward)
    return max(abs(task.wait()) for task in tasks)


def _leading(words: list[str]) -> Iterator[str]:
    for word in words:
        if not word.startswith("--"):
            return
        yield word


# -- a job -----------------------------------------------------------------------------------------


def runner(root: Path, words: list[str]) -> int:
    (id_,) = words
    job = _read(root)["jobs"][id_]
    (root / f"{id_}.request").unlink(missing_ok=True)
    end, status = _run(root, id_, job)
    _end_all(id_)
    signalled = -status if status < 0 else 0
    with _state(root) as state:
        job = state["jobs"][id_]
        job["exit"] = f"{0 if status < 0 else status}:{signalled}"
        again = end == "requeue" or (
            end in ("node_fail", "preempt") and "requeue" in job["options"]
        )
        if again and "FAKE_SLURM_NO_REQUEUE" not in os.environ:
            job |= {"state": "PENDING", "reason": "BeginTime", "restarts": job["restarts"] + 1}
        else:
            ends = {"node_fail": "NODE_FAIL", "preempt": "PREEMPTED", "cancel": "CANCELLED by 1000"}
            ends |= {"timeout": "TIMEOUT"}
            job["state"] = ends.get(end, "FAILED" if status else "COMPLETED")
    _schedule(root)
    return 0


def _run(root: Path, id_: str, job: Job) -> tuple[str, int]:
    """How a run of a job ended, and the status of its script."""
    options, scale = job["options"], float(os.environ.get("FAKE_SLURM_SCALE", "1"))
    limit = _seconds(options["time"]) * scale if "time" in options else 1e9
    said = re.fullmatch(r"B:USR1@(\d+)", options.get("signal", ""))
    warn = limit - int(said[1]) * scale if said else 1e9
    script = root / f"{id_}.sh"
    script.write_text(job["script"])
    nodes = int(options.get("nodes", "1"))
    env = {k: v for k, v in job["env"].items() if not k.startswith("SLURM_")} | {
        MARK: id_,
        "SLURM_JOB_ID": id_,
        "SLURM_JOB_NUM_NODES": str(nodes),
        "SLURM_JOB_NODELIST": ",".join(["localhost"] * nodes),
    }
    if job["restarts"]:
        env["SLURM_RESTART_COUNT"] = str(job["restarts"])
    output = options["output"].replace("%%", "\0").replace("%j", id_).replace("\0", "%")
    with Path(job["cwd"], output).open("a") as stream:
        batch = subprocess.Popen(
            ["/bin/bash", str(script), *job["args"]],
            cwd=job["cwd"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    begun, kill_at, end, warned = time.monotonic(), 1e18, "", False
    while batch.poll() is None:
        time.sleep(0.02)
        now = time.monotonic() - begun
        if not warned and now > warn:
            batch.send_signal(signal.SIGUSR1)
            warned = True
        asked = "" if end else _asked(root, id_)
        if asked == "warn":
            batch.send_signal(signal.SIGUSR1)
        elif asked:
            end = asked
            if end == "node_fail":
                _end_all(id_)
            else:
                batch.send_signal(signal.SIGTERM)
                kill_at = now + KILL_WAIT_S
        elif not end and now > limit:
            end, kill_at = "timeout", now + KILL_WAIT_S
            batch.send_signal(signal.SIGTERM)
        if now > kill_at:
            _end_all(id_)
    return end or _asked(root, id_), batch.returncode


def _asked(root: Path, id_: str) -> str:
    file = root / f"{id_}.request"
    try:
        text = file.read_text()
    except FileNotFoundError:
        return ""
    file.unlink()
    return text


def _seconds(text: str) -> int:
    days, _, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    parts = [*parts, 0, 0][:3] if days or len(parts) == 3 else [0, *[*parts, 0][:2]]
    return ((int(days or 0) * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2]


def _end_all(id_: str) -> None:
    """SIGKILL every process of a job, as the node does."""
    wanted = f"{MARK}={id_}".encode()
    for _ in range(2):
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                    os.kill(int(name), signal.SIGKILL)
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(globals()[sys.argv[1]](Path(os.environ[ROOT]), sys.argv[2:]))
