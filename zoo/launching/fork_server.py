"""The fork server of warm starts: imports what trials import, once, and forks a process for each
request of a launcher (`zoo.launching.warm_starts` is the other side, and starts it).

It has one thread and no signal handlers, so that a child is what a new interpreter would be after
its imports: session, standard files, environment and random state of its own, nothing of the
server's open, and `python -m zoo.train` as its main program. The kernel kills the children where
the server dies; the server ends with its last connection. A message is one packet of JSON.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.launching.processes import TOKEN_VARIABLE
from zoo.launching.spawn import PROGRAM
from zoo.store.stack import code_state

MESSAGE_BYTES = 2**21
PR_SET_PDEATHSIG = 1


class ServerOver(Exception):
    """The last launcher has let go."""


class Request:
    """A process that a launcher wants: its argument, environment, standard input and log."""

    def __init__(self, message: bytes, files: list[int]) -> None:
        data = json.loads(message)
        self.argument, self.env = str(data["argument"]), dict[str, str](data["env"])
        self.stdin, self.log = files

    def close(self) -> None:
        """Close its files."""
        os.close(self.stdin)
        os.close(self.log)


class Connection:
    """One of a launcher's: it keeps the server alive, and may have requested a process."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.request: Request | None = None
        self.child: int | None = None
        self.child_handle: int | None = None

    def send(self, **message: Any) -> None:
        """Send a message; a launcher that is gone is noticed when its connection is read."""
        with suppress(OSError):
            self.link.send(json.dumps(message).encode())

    def read(self) -> bool:
        """Take a request; False = the launcher has closed the connection."""
        try:
            message, files, _, _ = socket.recv_fds(self.link, MESSAGE_BYTES, 2)
        except OSError:
            return False
        if message:
            self.request = Request(message, files)
        return bool(message)

    def report(self) -> None:
        """Report the end of the process, which stays unreaped while the connection is open."""
        assert self.child is not None
        assert self.child_handle is not None
        end = os.waitid(os.P_PID, self.child, os.WEXITED | os.WNOWAIT)
        assert end is not None
        exited = end.si_code == os.CLD_EXITED
        self.send(status=end.si_status if exited else -end.si_status)
        os.close(self.child_handle)
        self.child_handle = None

    def close(self) -> None:
        """Forget the launcher; nothing of its process's group is left, and the pid is released."""
        self.link.close()
        if self.request is not None:
            self.request.close()
        if self.child is not None:
            os.kill(self.child, signal.SIGKILL)  # it may not lead its group yet
            with suppress(ProcessLookupError):
                os.killpg(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
        if self.child_handle is not None:
            os.close(self.child_handle)
            self.child_handle = None


class ForkServer:
    """The server's loop."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.connections: dict[int, Connection] = {}

    def take(self, wait_s: float | None) -> None:
        """Take what comes: connections, requests, ends of processes and of launchers.

        Raises:
            ServerOver: no connection is left.
        """
        handles = {c.child_handle: c for c in self.connections.values() if c.child_handle}
        poll = select.poll()
        for number in (self.listener.fileno(), *self.connections, *handles):
            poll.register(number, select.POLLIN)
        for number, _ in poll.poll(None if wait_s is None else 1000 * wait_s):
            if number == self.listener.fileno():
                link, _ = self.listener.accept()
                self.connections[link.fileno()] = Connection(link)
            elif number in handles:
                if handles[number].child_handle is not None:  # else its launcher closed just now
                    handles[number].report()
            elif not self.connections[number].read():
                self.connections.pop(number).close()
        if not self.connections:
            raise ServerOver

    def serve(self, refusal: str | None) -> Request:
        """Fork for each request; returns in the children only.

        Args:
            refusal: why none can be served; None = all are.

        Raises:
            ServerOver: in the server, at its end.
        """
        while True:
            for connection in self.connections.values():
                if (request := connection.request) is None:
                    continue
                if refusal is not None:
                    connection.send(refused=refusal)
                elif (pid := os.fork()) == 0:
                    return request
                else:
                    connection.child, connection.child_handle = pid, os.pidfd_open(pid)
                    connection.send(pid=pid)
                connection.request = None
                request.close()
            self.take(None)

    def forget(self, own: Request) -> None:
        """Close the server's files in the child of a request."""
        self.listener.close()
        for connection in self.connections.values():
            connection.link.close()
            if connection.request not in (None, own):
                connection.request.close()
            if connection.child_handle is not None:
                os.close(connection.child_handle)


class Environment:
    """What becomes of the environment: what a request has, with what the imports changed, and the
    launch's token where `/proc` shows it, by which launchers find its processes."""

    def __init__(self) -> None:
        self._before = dict(os.environ)
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        self._room = len(os.environ.get(TOKEN_VARIABLE, ""))
        self._at = getenv(TOKEN_VARIABLE.encode())
        """Where the kernel put the token's value: `/proc` shows that memory, whatever `setenv` does
        later."""

    def imported(self) -> None:
        """Note what the imports changed."""
        now = dict(os.environ)
        self._set = {k: v for k, v in now.items() if self._before.get(k) != v}
        self._removed = self._before.keys() - now.keys()

    def replace(self, env: dict[str, str]) -> None:
        """Replace this process's environment."""
        token = os.fsencode(env[TOKEN_VARIABLE])
        if len(token) > self._room:
            raise ValueError(f"a token of {len(token)} bytes; there is room for {self._room}")
        ctypes.memmove(self._at, token.ljust(self._room, b"\0"), self._room)
        os.environ.clear()
        os.environ.update({k: v for k, v in env.items() if k not in self._removed} | self._set)


def show_command(words: list[str]) -> None:
    """Have `/proc` show another command line of this process, cut where it is longer than the one
    that it was started with (proc_pid_stat(5): arg_start, arg_end)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    text = b"".join(os.fsencode(word) + b"\0" for word in words)
    ctypes.memmove(start, text[: end - start - 1].ljust(end - start, b"\0"), end - start)


def begin(request: Request, server: ForkServer, parent: int, environment: Environment) -> None:
    """Make a forked child what a new interpreter with this request would be, and run it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.setsid()
    server.forget(request)
    for file, number in ((request.stdin, 0), (request.log, 1), (request.log, 2)):
        os.dup2(file, number)
    request.close()
    environment.replace(request.env)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # python's own generator is seeded by the fork
    show_command([sys.executable, "-m", PROGRAM, request.argument])
    sys.argv = [sys.argv[0], request.argument]
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)


def refusal_of(code: str) -> str | None:
    """Why this process must not be forked, or None."""
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        return f"{threads} threads run after its imports"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "its imports started CUDA"
    return None if code_state() == code else "the code changed while it was imported"


def main() -> None:
    """Entry point: ENGINE CODE NUMBER ROOM, the number of the listening socket, and what makes room
    for the command lines of the processes that are forked."""
    engine, code, number, _ = sys.argv[1:]
    listener = socket.socket(fileno=int(number))
    listener.set_inheritable(False)
    server, environment, me = ForkServer(listener), Environment(), os.getpid()
    refusal = None
    try:
        try:
            trial = importlib.import_module(f"{PROGRAM}.preload")  # never at the top: see layers
            for _ in trial.preload(engine):
                server.take(0)
            refusal = refusal_of(code)
        except ServerOver:
            raise
        except Exception as error:
            refusal = f"{type(error).__name__}: {error}"
        environment.imported()
        gc.collect()
        gc.freeze()  # collections in the children leave these pages shared
        request = server.serve(refusal)
    except ServerOver:
        with suppress(OSError):
            Path(listener.getsockname()).unlink()
        os._exit(0)
    begin(request, server, me, environment)


if __name__ == "__main__":
    main()
