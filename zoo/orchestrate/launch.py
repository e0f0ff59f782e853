"""One trial as a process group of its own: start it, look after it, say how it ended.

The process is told everything by the `trial.json` of its launch folder (`launches/TOKEN/`, gone
when the launch is over), holds the trial's lock while it works, and leaves `record.json`. Several
launchers may be after one trial: nothing but the log is written beside the lock. Where the process
left no record (killed from outside, out of memory, died before its first line), it is written here
on its behalf, unless somebody else has held the trial since. Knows no Ray, no scheduling and
nothing of what a trial does.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from zoo.catalog import ComputeProfile
from zoo.errors import FailureClass
from zoo.orchestrate import processes
from zoo.runs import live
from zoo.runs.sweep_status import trial_status
from zoo.store import journal, record
from zoo.store.failures import classify
from zoo.store.record import Record
from zoo.store.run_store import Store, claim, claimed, full_text, is_full, write_json
from zoo.store.stack import SIMULATED, provenance, stack
from zoo.trials.trial import Trial

POLL_S = 0.1
MEASURING_FAILED = "training is done; measuring it failed"
EXTENDING_FAILED = "continuing it failed; what was there stands"
RETRAINING_FAILED = "training again failed; what was there stands"
PORTS = range(20_000, 32_000)  # below what the kernel hands out to outgoing connections


@dataclass(frozen=True, slots=True)
class Task:
    """A trial to run, and where. Picklable; `token` is random and of this launch alone."""

    trial: Trial
    profile: ComputeProfile
    runs: str
    """Root of the run store."""
    token: str
    retrain: bool = False
    """Train again what finished, as somebody asked."""
    extend: bool = False
    """Continue what finished with fewer rounds."""
    longest_prompt: int | None = None
    """Tokens of the longest prompt that the trial sends; None = not measured."""
    across_stacks: bool = False
    """Continue also what another stack or geometry began."""
    devices: str | None = None
    """`CUDA_VISIBLE_DEVICES` of its process; None = as it is here, or as the profile says."""

    @property
    def store(self) -> Store:
        """The run store."""
        return Store(self.runs)

    @property
    def folder(self) -> Path:
        """The trial's folder in the store."""
        return self.store.train(self.trial.id)

    @property
    def launch(self) -> Path:
        """Folder of this launch."""
        return self.folder / processes.LAUNCHES / self.token


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """How a launch ended; `seconds` is wall time."""

    state: record.State
    failure_class: str | None = None
    """A `FailureClass`, or the word of a record."""
    message: str = ""
    seconds: float = 0.0


Grace = Callable[[], float | None]
"""Asked again and again: None = go on; a number = stop, with so many seconds of grace; infinite =
end the round, however long that takes."""


def run(task: Task, grace: Grace, tick: Callable[[], None] = lambda: None) -> LaunchResult:
    """Run a trial to its end, or until `grace` says to stop; no process of it is left after
    that."""
    while grace() is None and _somebody_has(task):
        time.sleep(POLL_S)
    if grace() is not None:
        return LaunchResult("preempted", FailureClass.INTERRUPTED)
    if not trial_status(task.trial, task.store, retrain=task.retrain, extend=task.extend).runs:
        return _outcome(record.read(task.folder))  # by another sweep, while we waited
    ended = _launch(task, grace, tick)
    if not (ended.state == "stopped" or (task.extend and ended.state == "done")):
        return ended
    if grace() is None and trial_status(task.trial, task.store).runs:  # from weights that it kept
        return _launch(replace(task, retrain=False, extend=False), grace, tick)
    return ended


def _launch(task: Task, grace: Grace, tick: Callable[[], None]) -> LaunchResult:
    """Run one process of a trial to its end."""
    child = TrialProcess(task)
    try:
        while not child.exited():
            if grace() is not None:
                child.stop(grace)
                break
            tick()
            time.sleep(POLL_S)
        tick()
        return child.settle()
    finally:
        child.end()


class TrialProcess:
    """A running trial process. Made = started."""

    def __init__(self, task: Task) -> None:
        self.task, self.stopped = task, False
        self.folder = task.folder
        told = write_task(task)
        self.started, self._clock = time.time(), time.monotonic()
        with (self.folder / "log.txt").open("ab") as log:
            self._log_start = log.tell()
            self.process = _start(task, told, log)
        processes.ProcessStamp.of(task.token, self.process.pid).write(task.launch)

    def exited(self) -> bool:
        """Whether the leader has ended. It stays unreaped until `end`, so its number stays
        ours."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, flags) is not None

    def stop(self, grace: Grace) -> None:
        """Ask the trial to end: SIGINT where it may end its round, SIGTERM once the grace is
        limited, and SIGKILL to its group after that. The grace may shrink while we wait. Only the
        leader is asked: what it started is still needed to end a round."""
        self.stopped = True
        begun, asked = time.monotonic(), None
        while not self.exited() and time.monotonic() - begun < (left := grace() or 0.0):
            wanted = signal.SIGINT if math.isinf(left) else signal.SIGTERM
            if wanted != asked:
                self.process.send_signal(wanted)
                begun, asked = time.monotonic(), wanted
            time.sleep(0.05)
        self._signal(signal.SIGKILL)
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)

    def settle(self) -> LaunchResult:
        """How the launch ended; writes the record where the process left none. To be called after
        its exit."""
        self._signal(signal.SIGKILL)  # whatever the leader left behind in its group
        status = self.process.wait()
        seconds = time.monotonic() - self._clock
        found = record.read(self.folder)
        interrupted = self.stopped or classify(status) is FailureClass.INTERRUPTED
        if status == 0:
            return _outcome(found, seconds)
        if found is not None and found.finished():
            return self._after_training(found, interrupted, seconds)
        if found is not None and found.about.get("token") == self.task.token:
            return LaunchResult(found.state, found.failure_class, found.message, seconds)
        return self._speak_for(status, interrupted, seconds)

    def _after_training(self, found: Record, interrupted: bool, seconds: float) -> LaunchResult:
        """Training is over and stays so, whatever became of what came after it."""
        again = self.task.retrain or self.task.extend
        again = again and found.about.get("token") != self.task.token
        if not again and not trial_status(self.task.trial, self.task.store).runs:
            return LaunchResult(found.state, seconds=seconds)
        if interrupted:
            what = "continuing it" if self.task.extend else "training again"
            what = what if again else "measuring what is trained"
            return LaunchResult("preempted", FailureClass.INTERRUPTED, what, seconds)
        what = EXTENDING_FAILED if self.task.extend else RETRAINING_FAILED
        what = what if again else MEASURING_FAILED
        message = f"{what}\n{self._log_tail()}".rstrip()
        return LaunchResult("failed", FailureClass.ERROR, message, seconds)

    def end(self) -> None:
        """Make sure that nothing of the launch is left; does nothing after a settled end."""
        if self.process.returncode is None:
            self._signal(signal.SIGKILL)
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        for pid in processes.kill_launch(self.task.token):
            self._say(f"zoo: process {pid} outlived its trial and was killed")
        shutil.rmtree(self.task.launch, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def _say(self, text: str) -> None:
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(text + "\n")

    def _speak_for(self, status: int, interrupted: bool, seconds: float) -> LaunchResult:
        """The record of a process that left none of its own."""
        if interrupted:
            ended = LaunchResult("preempted", FailureClass.INTERRUPTED, "", seconds)
        else:
            how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            message = f"ended by {how} without a record\n{self._log_tail()}".rstrip()
            ended = LaunchResult(
                "failed", FailureClass.KILLED if status < 0 else "error", message, seconds
            )
        with claim(self.folder, wait=False) as ours:
            latest = live.latest_launch(self.folder)
            if ours and latest.get("token") in (self.task.token, None):
                self._write_record(ended, latest)  # else others hold or held it, and record it
        return ended

    def _write_record(self, ended: LaunchResult, latest: dict[str, Any]) -> None:
        task, trial, folder = self.task, self.task.trial, self.folder
        found = record.read(folder)
        if found is not None and found.finished():
            return  # it stays so; only what came after it failed
        lineage = latest.get("lineage", 0)
        rounds = live.live_rounds(journal.read(folder / "metrics.jsonl"), lineage)
        env = environment(task)
        reached = max(rounds, default=0)
        about = {"token": task.token, "provenance": provenance(), "cell": trial.cell}
        about |= {"seed": trial.seed, "rounds": trial.rounds, "profile": task.profile.name}
        written = Record(
            form=record.FORM,
            id=folder.name,
            stage="train",
            state=ended.state,
            round=reached,
            attempt=latest.get("attempt", 1),
            lineage=lineage,
            metrics=rounds[reached]["metrics"] if rounds else {},
            stack=SIMULATED if trial.simulated else stack(task.profile.engine, env),
            identity=trial.identity,
            failure_class=ended.failure_class,
            message=ended.message[-4000:],
            simulated=trial.simulated,
            rehearsal=trial.rehearsal,
            started=self.started,
            seconds=round(ended.seconds, 3),
            about=about | {"written_by": "launcher"},
        )
        record.write(folder, written, durable=not trial.simulated)

    def _log_tail(self, lines: int = 15) -> str:
        """The last lines that this launch wrote into the log."""
        with (self.folder / "log.txt").open("rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(self._log_start, end - 16_384))
            text = stream.read().decode("utf-8", "replace")
        return "\n".join(text.replace("\r", "\n").splitlines()[-lines:])


def failed_launch(task: Task, error: Exception) -> LaunchResult:
    """The end of a launch that raised instead of running the trial."""
    text = full_text(error, task.folder) if is_full(error) else f"{type(error).__name__}: {error}"
    return LaunchResult("failed", classify(error=error), text)


def _outcome(found: Record | None, seconds: float = 0.0) -> LaunchResult:
    """What finished training came to."""
    if found is None:
        return LaunchResult("done", seconds=seconds)
    return LaunchResult(found.state, message=found.message, seconds=seconds)


def _somebody_has(task: Task) -> bool:
    """Whether another process (of another sweep) is at this trial right now."""
    return claimed(task.folder)


def write_task(task: Task, launch: Path | None = None) -> Path:
    """Write the `trial.json` that tells the process everything; returns its path. `launch`: the
    folder of the launch, where it is known."""
    run_ = {
        "store": str(task.store.root),
        "profile": task.profile.model_dump(mode="json", by_alias=True),
        "token": task.token,
        "retrain": _finished_lineage(task) if task.retrain else 0,
        "extend": task.extend,
        "longest_prompt": task.longest_prompt,
        "across_stacks": task.across_stacks,
    }
    path = (launch or task.launch) / "trial.json"
    data = {"trial": task.trial.model_dump(mode="json", by_alias=True), "run": run_}
    write_json(path, data, durable=not task.trial.simulated)
    return path


def _finished_lineage(task: Task) -> int:
    """The lineage that stands now, which is to be trained again; 0 = none does."""
    found = record.read(task.folder)
    return found.lineage if found is not None and found.finished() else 0


def environment(task: Task) -> dict[str, str]:
    """The environment of a trial process."""
    return profile_environment(task.profile, task.token, task.devices)


def profile_environment(
    profile: ComputeProfile, token: str, devices: str | None = None
) -> dict[str, str]:
    """The environment of a process with an engine: ours, the profile's, and what zoo sets."""
    env = dict(os.environ) | profile.env
    env.pop("PYDANTIC_DISABLE_PLUGINS", None)  # for the command line alone, see `zoo.cli.main`
    env |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
        "ZOO_LAUNCHER_PIPE": "1",
        processes.TOKEN_VARIABLE: token,
    }
    if devices is not None:
        env["CUDA_VISIBLE_DEVICES"] = devices
    if (path := source_folder()) is not None:
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [path, env.get("PYTHONPATH")]))
    return env


def source_folder() -> str | None:
    """Where this very zoo is imported from, for processes that must run the same code; None where
    it is installed."""
    folder = Path(__file__).resolve().parents[2]
    return None if folder.name in ("site-packages", "dist-packages") else str(folder)


def free_port() -> int:
    """A port that nobody listens on; random, so that two launches do not choose the same one."""
    for _ in range(100):
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port from {PORTS.start} to {PORTS.stop - 1}")


def _start(task: Task, told: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo.train", str(told)],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment(task),
        start_new_session=True,
    )
