"""`zoo stop`: ends a running sweep from another terminal, as Ctrl-C in its own does.

The sweep's lock tells that it runs, but not by whom: its driver writes pid, start time and boot
into `driver.json`. A signal goes through a handle of the process (pidfd) that was opened before it
was checked, and only to a process with that start time that has the sweep's lock open; so a pid
that the kernel has reused never gets one.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import Fault, InputError, StateError, ZooError, did_you_mean, listed
from zoo.launching import processes
from zoo.orchestrate.driver_lock import holder
from zoo.orchestrate.progress import clock
from zoo.planning.options import last_start
from zoo.planning.study import load_study
from zoo.render.plan_text import summary
from zoo.runs.sweep_status import read_status
from zoo.store import sweep_rows
from zoo.store.run_store import Store, claimed

Say = Callable[[str], None]
SETTLE_S = 3.0
"""A driver has the lock a moment before `driver.json` is its own."""
POLL_S = 0.1
REMIND_S = 60.0


@dataclass
class DriverProcess:
    """The process that runs a sweep, by a handle that no other process can take over."""

    pid: int
    handle: int

    def send(self, number: signal.Signals) -> None:
        """Signal it; one that has ended gets nothing."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)

    def ended(self, wait_s: float) -> bool:
        """Whether it ends within `wait_s`."""
        poll = select.poll()
        poll.register(self.handle, select.POLLIN)
        return bool(poll.poll(wait_s * 1000))


def run(name: str, say: Say, cancel: Callable[[Path], list[str]], *, now: bool = False) -> int:
    """End a sweep and wait until it has ended; returns the exit status.

    Args:
        name: of the sweep, or the path of its manifest.
        cancel: cancels the cluster's jobs of a sweep by its folder, where it was submitted; returns
            their ids.
        now: within the profile's grace, and at once where it is being stopped already.

    Raises:
        InputError: no such sweep.
        StateError: it runs on another host, or by a process that cannot be identified.
    """
    store = Store()
    sweep = _sweep_called(name, store)
    driver = _driver(store, sweep)
    if driver is None:
        jobs = cancel(store.sweep(sweep))
        if not jobs:
            say(f"{sweep} is not running")
            return 0
        say(f"{sweep}: cancelled jobs {listed(jobs, 8)}; trials that run save and end")
        say(f"`zoo status {shlex.quote(sweep)}` shows where they are")
        return 0
    try:
        _request(driver, store.sweep(sweep), sweep, say, now=now)
        _wait(driver, sweep, say)
    finally:
        os.close(driver.handle)
    for line in _outcome(store, sweep):
        say(line)
    return 0


def _sweep_called(name: str, store: Store) -> str:
    """The name of a sweep that started at some time, or whose manifest is there."""
    path = name.endswith((".yaml", ".yml")) or os.sep in name
    sweep = Path(name).stem if path else name
    started = {p.parent.name for p in (store.root / "sweeps").glob("*/driver.json")}
    known = sorted(started | {p.stem for p in Path("experiments").glob("*.yaml")})
    manifest = Path(name) if path else Path("experiments") / f"{sweep}.yaml"
    if sweep in known or manifest.is_file():
        return sweep
    hint = did_you_mean(sweep, known) or (f"available: {', '.join(known)}" if known else "")
    raise InputError(Fault("sweep", f"no sweep '{name}' has started here", hint=hint))


def _driver(store: Store, sweep: str) -> DriverProcess | None:
    """The process that runs a sweep, identified; None where none does."""
    folder, end = store.sweep(sweep), time.monotonic() + SETTLE_S
    while (told := holder(store, sweep)) is not None:
        _must_be_here(told, sweep)
        if (found := _identified(told, folder / ".lock")) is not None:
            return found
        if time.monotonic() > end:
            raise StateError(
                f"{folder}: the sweep is claimed by another process than {_who(told)} of "
                "driver.json, which may be in another container or of an earlier version of zoo; "
                "no process was signalled. Press Ctrl-C where the sweep runs"
            )
        time.sleep(POLL_S)
    return None


def _must_be_here(told: dict[str, Any], sweep: str) -> None:
    if told["host"] != os.uname().nodename:
        raise StateError(
            f"{sweep} is run by {_who(told)} on {told['host']}; run "
            f"`zoo stop {shlex.quote(sweep)}` there"
        )


def _who(told: dict[str, Any]) -> str:
    return f"process {told['pid']}"


def _identified(told: dict[str, Any], lock: Path) -> DriverProcess | None:
    """A handle of the driver that `driver.json` names; None where that process is another."""
    pid = told["pid"]
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        stamp = processes.boot_id(), processes.start_time(pid)
        if stamp == (told.get("boot"), told.get("started")) and _has_open(pid, lock):
            return DriverProcess(pid, handle)
    except PermissionError as error:
        os.close(handle)
        raise StateError(
            f"the sweep is run by {_who(told)} of another user; nothing was signalled"
        ) from error
    os.close(handle)
    return None


def _has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open.

    Raises:
        PermissionError: it is another user's.
    """
    wanted = path.stat()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            found = entry.stat()
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    return False


def _request(driver: DriverProcess, folder: Path, sweep: str, say: Say, *, now: bool) -> None:
    """Signal the driver. A second Ctrl-C would lose rounds, so that only `now` sends another."""
    before = _stopping(folder)
    if before and not now:
        say(f"{sweep} is being stopped already; waiting for process {driver.pid}")
        return
    if not claimed(folder):  # it ended by itself since it was identified
        return
    driver.send(signal.SIGTERM if now else signal.SIGINT)
    if before:
        how = "trials end at once"
    elif now:
        how = "trials have the profile's grace to end their rounds and save them"
    else:
        how = "trials end their rounds and save them"
    say(f"stopping {sweep} (process {driver.pid}): {how}")


def _stopping(folder: Path) -> bool:
    """Whether the present driver was asked to stop before, as its journal says."""
    try:
        rows = sweep_rows.read(folder / sweep_rows.NAME).rows
    except (StateError, OSError):
        return False
    epoch = max((row["epoch"] for row in rows), default=0)
    return any(row["epoch"] == epoch and row["event"] == "stopping" for row in rows)


def _wait(driver: DriverProcess, sweep: str, say: Say) -> None:
    begun = time.monotonic()
    while not driver.ended(REMIND_S):
        passed = clock(time.monotonic() - begun)
        say(
            f"still running after {passed}; `zoo stop {shlex.quote(sweep)} --now` does not wait "
            "for the rounds (Ctrl-C ends this command and not the stop)"
        )


def _outcome(store: Store, sweep: str) -> list[str]:
    """What a sweep came to, and the command that goes on; less where its manifest is not usable."""
    try:
        study = load_study(sweep, started=True)
        status = read_status(study.chosen, study.store, study.changes.changed)
    except ZooError:
        return [f"{sweep} has ended"]
    told = [f"{sweep} has ended: {summary(status)}"]
    if status.left:
        command = (last_start(store, sweep) or {}).get("command") or study.to("sweep")
        told.append(f"`{command}` does what is left")
    return told
