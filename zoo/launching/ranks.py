"""The processes of one trial on one node: one for each GPU, or the number of a CPU profile.

Each is its own process group with the same `trial.json` and reads its rank (`RANK`) from its
environment, as with torchrun. Rank 0 leads: it holds the trial's lock and writes its files, and its
log is `log.txt`; the others' are `log.1.txt`, ... Each ends its group when its standard input
closes, so none outlives the launcher. A failed process is detected here; the others would wait for
it in their next collective.
"""

from __future__ import annotations

import contextlib
import random
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.launching.spawn import ChildProcess, Spawner, cold_start
from zoo.store.log_tail import log_tail

PORTS = range(20_000, 32_000)  # below what the kernel hands out to outgoing connections
LOCALHOST = "127.0.0.1"
MEETING = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that torch and accelerate read; those of another launcher are removed."""


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """Where the launchers of one trial meet, and which of its processes this node has. `nodes`
    launchers with the same address, port and token start one trial; that of node 0 holds it and
    its record (`zoo.launching.link`). Not needed on one node."""

    nodes: int = 1
    node: int = 0
    address: str = LOCALHOST
    port: int = 0
    """Of node 0, free there."""
    meeting_s: float = 600.0
    """How long launchers wait for each other."""


ONE_NODE = Rendezvous()


@dataclass(slots=True)
class Rank:
    """One process of a trial."""

    number: int
    process: ChildProcess
    log: Path
    log_start: int
    """Bytes that the log had before."""
    reaped: bool = False

    @property
    def pid(self) -> int:
        """Of the process, and of the group that it leads."""
        return self.process.pid

    def exited(self) -> bool:
        """Whether it has ended. It stays unreaped, so its number stays ours."""
        return self.process.status() is not None

    def failed(self) -> bool:
        """Whether it has ended with a status other than 0."""
        return bool(self.process.status())

    def killed(self) -> bool:
        """Whether a signal has ended it."""
        return (self.process.status() or 0) < 0

    def last_words(self) -> str:
        """How it ended, with the end of its log. To be called once it has."""
        status = self.process.await_end()
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"ended by {how} without a record\n{self.log_tail()}".rstrip()

    def end(self) -> None:
        """Make sure that it is gone and reaped."""
        if not self.reaped:
            self.process.kill_group()
            self.reap()

    def reap(self) -> None:
        """Wait for its end and release its number."""
        self.process.reap()
        self.reaped = True

    def log_tail(self) -> str:
        """The last lines that it wrote into its log."""
        return log_tail(self.log, start=self.log_start)


def log_name(number: int) -> str:
    """Name of a process's log in the trial's folder."""
    return f"log.{number}.txt" if number else "log.txt"


def start_ranks(
    trial_json: Path,
    folder: Path,
    env: Mapping[str, str],
    world: int,
    where: Rendezvous,
    port: int,
    spawn: Spawner = cold_start,
) -> list[Rank]:
    """Start this node's processes of a trial.

    Args:
        trial_json: their input.
        folder: the trial's, for their logs.
        env: the environment that they share.
        world: processes of the trial on all nodes, the same number on each.
        port: where they meet, on node 0.
        spawn: starts each.
    """
    local = world // where.nodes
    env = {**env, "MASTER_ADDR": where.address, "MASTER_PORT": str(port)}
    ranks: list[Rank] = []
    try:
        for at in range(local):
            number = where.node * local + at
            own = {} if world == 1 else _numbers(number, at, world, local)
            log = folder / log_name(number)
            start = log.stat().st_size if log.exists() else 0
            ranks.append(Rank(number, spawn(trial_json, log, {**env, **own}), log, start))
    except BaseException:
        for rank in ranks:
            rank.end()
        raise
    return ranks


def _numbers(number: int, at: int, world: int, local: int) -> dict[str, str]:
    return dict(zip(MEETING, map(str, (number, at, world, local)), strict=False))


def free_port(address: str = LOCALHOST) -> int:
    """A free port; random, so that two launches do not choose the same one."""
    for _ in range(100):
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, port))
            return port
    raise OSError(f"no free port from {PORTS.start} to {PORTS.stop - 1}")
