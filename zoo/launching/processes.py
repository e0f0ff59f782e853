"""Processes by identity and not by number: pid, start time and the token in their environment.

Every launch puts a random token into the environment of its process group (`ZOO_LAUNCH`) and a file
with its identity into the trial's folder. A pid that the kernel has reused does not match, and no
process that zoo did not start is ever signalled. Linux only (`/proc`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.store.run_store import read_json, write_json

TOKEN_VARIABLE = "ZOO_LAUNCH"
NO_TOKEN = "-" * 64
"""Of a fork server: room in its environment for the tokens of the processes that it forks."""
LAUNCHES = "launches"
NOTE = "process.json"
NO_NOTE_S = 600.0
"""A launch folder without a note that is so old is of a launcher that died before it wrote one."""


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where it is gone (or a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rfind(")") + 2 :].split()  # the command before it may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id() -> str:
    """Changes with every boot, so that a note from before a reboot matches nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class ProcessStamp:
    """Who runs a trial: the leader of its process group, and the process that started it."""

    token: str
    boot: str
    pid: int
    started: int
    launcher: int
    launcher_started: int

    @classmethod
    def of(cls, token: str, pid: int) -> ProcessStamp:
        """The note of a process that this one has just started."""
        me = os.getpid()
        return cls(token, boot_id(), pid, start_time(pid) or 0, me, start_time(me) or 0)

    def write(self, folder: Path) -> None:
        """Leave the note in the folder of a launch."""
        write_json(folder / NOTE, asdict(self), durable=False)

    @property
    def leader_alive(self) -> bool:
        """Whether the process that was started is still that process, and running."""
        return self.boot == boot_id() and start_time(self.pid) == self.started

    @property
    def launcher_alive(self) -> bool:
        """Whether its launcher is still alive."""
        return self.boot == boot_id() and start_time(self.launcher) == self.launcher_started


def read_notes(folder: Path) -> dict[Path, ProcessStamp]:
    """The notes of a trial's launches, by their folders; those that cannot be read are left out."""
    found: dict[Path, ProcessStamp] = {}
    try:
        launches = os.listdir(f"{folder}/{LAUNCHES}")
    except OSError:
        return found
    for launch in (folder / LAUNCHES / name for name in launches):
        with contextlib.suppress(ValueError, TypeError, OSError):
            if (data := read_json(launch / NOTE)) is not None:
                found[launch] = ProcessStamp(**data)
    return found


def running(folder: Path) -> set[str]:
    """Tokens of the launches whose process works on a trial, or waits to."""
    return {note.token for note in read_notes(folder).values() if note.leader_alive}


def of_launch(*tokens: str) -> list[int]:
    """All processes, still running, that carry a token of these launches in their environment."""
    wanted = {f"{TOKEN_VARIABLE}={token}".encode() for token in tokens}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            carries = not wanted.isdisjoint((entry / "environ").read_bytes().split(b"\0"))
            if carries and start_time(int(entry.name)) is not None:
                found.append(int(entry.name))
    return sorted(found)


def kill_launch(*tokens: str, wait_s: float = 5.0) -> list[int]:
    """SIGKILL every process of these launches, until none is left; returns those that were met."""
    met: set[int] = set()
    end = time.monotonic() + wait_s
    while (left := of_launch(*tokens)) and time.monotonic() < end:
        met.update(left)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return sorted(met)


def reap(folder: Path, *, patience_s: float = 1.0) -> list[int]:
    """End processes of a trial whose launchers died, and remove their launch folders; a trial with
    a live launcher is not touched.

    Such processes end by themselves when their launcher goes (their standard input closes), so they
    get `patience_s` first. Returns the processes that had to be killed.
    """
    killed: list[int] = []
    for launch, note in read_notes(folder).items():
        if note.launcher_alive:
            continue
        if note.boot == boot_id():
            end = time.monotonic() + patience_s
            while of_launch(note.token) and time.monotonic() < end:
                time.sleep(0.05)
            killed += kill_launch(note.token)
        shutil.rmtree(launch, ignore_errors=True)
    for launch in (folder / LAUNCHES).glob("*"):
        with contextlib.suppress(FileNotFoundError):
            age = time.time() - launch.stat().st_mtime
            if age > NO_NOTE_S and not (launch / NOTE).exists():
                shutil.rmtree(launch, ignore_errors=True)
    return killed
