"""Two ways to start a process of a trial: cold (a new interpreter, here) and warm (forked by a
server that has imported the trainer, `zoo.launching.warm_starts`); the handles are the same.

The launcher holds the write end of the process's standard input, which closes when the launcher
goes; and the process stays unreaped until `reap`, so that its number stays ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

PROGRAM = "zoo.train"


class ChildProcess(Protocol):
    """A process of a trial, leader of a session and a process group of its own."""

    @property
    def pid(self) -> int:
        """Of the process, its group and its session."""
        ...

    def status(self) -> int | None:
        """Its exit status once it has ended, a negative signal number where one ended it; None
        while it runs. Does not reap it."""
        ...

    def await_end(self) -> int:
        """Wait until it has ended; returns its status and does not reap it."""
        ...

    def send_signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        ...

    def kill_group(self) -> None:
        """SIGKILL its group. Not to be called once it is reaped."""
        ...

    def reap(self) -> None:
        """Wait for its end, release its number and close its standard input."""
        ...


Spawner = Callable[[Path, Path, Mapping[str, str]], ChildProcess]
"""Starts a process for a `trial.json`, with a log that it appends to and an environment."""


class ColdProcess:
    """A child of this process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.pid = process, process.pid

    def status(self) -> int | None:
        """See `ChildProcess`."""
        return self._end(os.WNOHANG)

    def await_end(self) -> int:
        """See `ChildProcess`."""
        status = self._end(0)
        assert status is not None
        return status

    def _end(self, how: int) -> int | None:
        if self._process.returncode is not None:
            return self._process.returncode
        end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | how)
        if end is None:
            return None
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    def send_signal(self, number: int) -> None:
        """See `ChildProcess`."""
        os.kill(self.pid, number)  # unreaped, so it is still that process

    def kill_group(self) -> None:
        """See `ChildProcess`."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        """See `ChildProcess`."""
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()


def cold_start(trial_json: Path, log: Path, env: Mapping[str, str]) -> ChildProcess:
    """Start a process of a trial as a new interpreter. A `Spawner`."""
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(trial_json)],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    return ColdProcess(process)
