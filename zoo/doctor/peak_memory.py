"""Peak memory of trials while a sweep runs, measured from outside: resident memory of each trial
process, and memory in use on each GPU above what was in use before.

GPU memory is read from nvidia-smi, since an engine's sleeping memory is not all of torch's.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from zoo.launching import processes

POLL_S = 0.5
GIB = 2**30
QUERY = ("index", "uuid", "name", "memory.used", "memory.total")


def read_gpus(visible: Sequence[str]) -> dict[str, tuple[str, float, float]]:
    """Index or UUID of each visible GPU -> name, GiB in use, GiB in all."""
    command = ["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"]
    found: dict[str, tuple[str, float, float]] = {}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return found
    for line in done.stdout.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != len(QUERY):
            continue
        index, uuid, name, used, total = parts
        for key in {index, uuid} & set(visible):
            with contextlib.suppress(ValueError):  # `[N/A]`
                found[key] = name, float(used) / 1024, float(total) / 1024
    return found


class PeakMemory:
    """Watches trials below a run store until it is closed. `resident`: trial id -> GiB of its
    process; `gpus`: GPU -> GiB above what was in use at the start."""

    def __init__(self, runs: Path, visible: Sequence[str]) -> None:
        self.runs, self.visible = runs, visible
        self.resident: dict[str, float] = {}
        self.gpus: dict[str, float] = {}
        self._before = read_gpus(visible) if visible else {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        for folder in (self.runs / "train").glob("*"):
            for note in processes.read_notes(folder).values():
                if note.leader_alive and (gib := _most_resident(note.pid)):
                    self.resident[folder.name] = max(gib, self.resident.get(folder.name, 0.0))
        if self._before:
            for key, (_, used, _) in read_gpus(self.visible).items():
                more = used - self._before[key][1] if key in self._before else 0.0
                self.gpus[key] = max(more, self.gpus.get(key, 0.0))


def _most_resident(pid: int) -> float:
    """The most GiB that a process had in memory; 0 where that cannot be read."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / GIB
    return 0.0
