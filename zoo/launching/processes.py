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

from zoo.store.run_store import claimed, read_json, write_json

TOKEN_VARIABLE = "ZOO_LAUNCH"
NO_TOKEN = "-" * 64
"""Of a fork server: room in its environment for the tokens of the processes that it forks."""
LAUNCHES = "launches"
NOTE = "process.json"
ABANDONED_S = 600.0
"""A launch folder of this age is of a launcher that died, where it has no note, or one of another
machine and nobody holds the trial: a process holds it within this time of its start."""


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where it is gone (or a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rfind(")") + 2 :].split()  # the command before it may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id() -> str:
    """Identifies what the numbers of processes are of: a machine since its boot, and the container
    in it. A note from before a reboot, or of another machine, matches nothing."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"


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
    def of(cls, token: str, pid: int = 0) -> ProcessStamp:
        """The note of a process that this one has just started; 0 = it is about to."""
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
    """Tokens of the launches whose process works on a trial, or waits to; of another machine one
    that may be, as somebody holds the trial."""
    notes = read_notes(folder).values()
    found = {note.token for note in notes if note.leader_alive}
    others = {note.token for note in notes if note.boot != boot_id()}
    return found | others if others and claimed(folder) else found


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
    a live launcher is not touched. On a store that several machines share, a launch of another one
    counts as live while somebody holds the trial, and for `ABANDONED_S` after its start.

    Such processes end by themselves when their launcher goes (their standard input closes), so they
    get `patience_s` first. Returns the processes that had to be killed.
    """
    killed: list[int] = []
    for launch, note in read_notes(folder).items():
        if note.launcher_alive or note.boot != boot_id():
            continue
        end = time.monotonic() + patience_s
        while of_launch(note.token) and time.monotonic() < end:
            time.sleep(0.05)
        killed += kill_launch(note.token)
        shutil.rmtree(launch, ignore_errors=True)
    for launch in (folder / LAUNCHES).glob("*"):
        with contextlib.suppress(FileNotFoundError):
            old = time.time() - launch.stat().st_mtime > ABANDONED_S
            if old and (not (launch / NOTE).exists() or _abandoned(folder, launch)):
                shutil.rmtree(launch, ignore_errors=True)
    return killed


def _abandoned(folder: Path, launch: Path) -> bool:
    """Whether an old launch of another machine works on nothing any more."""
    note = read_notes(folder).get(launch)
    return note is not None and note.boot != boot_id() and not claimed(folder)
