"""A small process beside the driver that ends what a sweep started once the driver is gone.

Everything that a driver starts has the sweep's token in its environment (`ZOO_SWEEP`): trials, what
they start, Ray's servers, agents and workers. The guard waits for the driver's end of a pipe to
close, which the kernel does however the driver dies, and then kills every process with the token.
Of a driver that died without a word (killed, or ended by a native library) it tells the user.
This file is also the guard's program: it runs alone, with the standard library, in some megabytes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time

VARIABLE = "ZOO_SWEEP"
GOODBYE = b"over"
"""What a driver writes into the pipe that comes to its end."""
DIED = (
    "zoo: the driver of the sweep died without a word (killed, or by a crash in a library); what "
    "it had started was ended. The same command goes on where it stopped"
)
PATIENCE_S = 10.0
"""How long the guard kills what keeps coming."""


class OrphanGuard:
    """The driver's side: while it is entered, what this process starts has the token."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        self._before = os.environ.get(VARIABLE)

    def __enter__(self) -> OrphanGuard:
        self._start()
        os.environ[VARIABLE] = self.token
        return self

    def keep(self) -> None:
        """Start the guard again where somebody killed it."""
        if self._process.poll() is not None:
            self._start()

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = self._before
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody killed it
            self._process.stdin.write(GOODBYE)
            self._process.stdin.close()
        try:
            self._process.wait(2 * PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self.token],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k != VARIABLE},
            start_new_session=True,
        )


def of_token(token: str) -> list[int]:
    """Processes with the token in their environment, without zombies and this process."""
    wanted, found = f"{VARIABLE}={token}".encode(), list[int]()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as stream:
            if wanted in stream.read().split(b"\0"):
                found.append(int(name))
    return found


def end_all(token: str) -> None:
    """SIGKILL processes as `of_token` finds them, until none is left."""
    end, quiet = time.monotonic() + PATIENCE_S, 0
    while quiet < 2 and time.monotonic() < end:  # what was just forked is met the second time
        left = of_token(token)
        quiet = 0 if left else quiet + 1
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def main(token: str) -> None:
    """Wait for the driver to go, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    said = b""
    with contextlib.suppress(OSError):
        while read := os.read(0, 4096):
            said = read
    end_all(token)
    if said != GOODBYE:
        with contextlib.suppress(OSError):  # the terminal may be gone, too
            os.write(2, f"{DIED}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
