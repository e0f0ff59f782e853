"""A Ray cluster of several nodes on this machine, as a user's: started and ended by the test."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CARD = """\
schema: profile/1
name: three
about: The Ray cluster of a test.
device: cpu
executor: ray
address: {address}
engine: transformers
micro_batch: 4
concurrency: {concurrency}
cpus_per_trial: {cpus}
{more}env:
  OMP_NUM_THREADS: "1"
"""
AUTHENTICATION = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
"""Nodes and drivers need the same; without, it depends on what is in the home folder."""
SERVERS = ("gcs_server", "raylet")


class RayNodes:
    """Nodes by number; 0 is the head, and the node that drivers of this machine join."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sessions: dict[int, subprocess.Popen[bytes]] = {}
        self._out: list[Path] = []
        self.address = f"127.0.0.1:{free_port()}"

    def start(self, cpus: int = 1, prefix: tuple[str, ...] = (), **env: str) -> int:
        """Start one more node; returns its number. `prefix`: a command that runs the rest."""
        number = len(self._sessions)
        port = self.address.rpartition(":")[2]
        role = ["--head", f"--port={port}"] if not number else [f"--address={self.address}"]
        command = [
            *prefix,
            *(sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start"),
            *(
                *role,
                "--block",
                f"--num-cpus={cpus}",
                "--num-gpus=0",
                "--node-ip-address=127.0.0.1",
            ),
            *("--object-store-memory=80000000", "--disable-usage-stats"),
            *("--min-worker-port=0", "--max-worker-port=0"),
            *(["--include-dashboard=false"] if not number else []),
            *([f"--temp-dir={self.folder / 'ray'}"] if not number else []),
        ]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "RAY_"))}
        self._out.append(self.folder / f"node-{number}.txt")
        self._sessions[number] = subprocess.Popen(
            command,
            env=kept | {name: os.environ[name] for name in AUTHENTICATION} | env,
            stdout=self._out[number].open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.wait(number)  # nodes of one machine that start together take each other's ports
        return number

    def wait(self, number: int, timeout_s: float = 90.0) -> None:
        """Wait until a node is up."""
        end = time.monotonic() + timeout_s
        while "Ray runtime started" not in (told := self._out[number].read_text()):
            assert time.monotonic() < end, told
            assert self._sessions[number].poll() is None, told
            time.sleep(0.1)

    def kill(self, number: int, only: tuple[str, ...] = ()) -> None:
        """SIGKILL everything of a node, as a power cut does, with trials that run there; or `only`
        these programs."""
        session = self._sessions[number]
        for _ in range(1 if only else 3):
            for pid in descendants(session.pid):
                if not only or program(pid) in only:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        if not only:
            session.wait(10)

    def servers(self) -> set[int]:
        """Pids of Ray's servers of all nodes."""
        every = (pid for one in self._sessions.values() for pid in descendants(one.pid))
        return {pid for pid in every if program(pid) in SERVERS}

    def close(self) -> None:
        """End all nodes."""
        for number in reversed(self._sessions):
            self.kill(number)


@contextmanager
def ray_nodes(number: int = 3, cpus: int = 1) -> Iterator[RayNodes]:
    """A cluster of so many nodes, that is up."""
    before = {name: os.environ.get(name) for name in AUTHENTICATION}
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    folder = Path(tempfile.mkdtemp(prefix="zr", dir="/tmp"))  # sockets need a short path
    made = RayNodes(folder)
    try:
        for _ in range(number):
            made.start(cpus)
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def write_card(
    folder: Path, address: str, *, concurrency: int = 3, cpus: float = 1, more: str = ""
) -> None:
    """Write the profile `three` into the cards of `folder`. `more`: further lines."""
    path = folder / "cards" / "profiles" / "three.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = CARD.format(address=address, concurrency=concurrency, cpus=cpus, more=more)
    path.write_text(text)


def descendants(root: int) -> list[int]:
    """A process and all that it started, children last."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            stat = (entry / "stat").read_text()
            parents.setdefault(int(stat[stat.rfind(")") + 2 :].split()[1]), []).append(
                int(entry.name)
            )
    found, at = [root], 0
    while at < len(found):
        found += parents.get(found[at], [])
        at += 1
    return found


def program(pid: int) -> str:
    """The name of the program that a process runs."""
    with suppress(OSError):
        return Path(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()).name
    return ""


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
