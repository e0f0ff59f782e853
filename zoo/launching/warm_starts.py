"""Warm starts: processes of trials forked by a server that has imported the trainer, instead of new
interpreters that import it for 10 to 15 s each.

A *fork server* (`zoo.launching.fork_server`) serves the launchers of one sweep on one node
that agree on environment, folder and code. The first that needs it starts it, on a Unix socket in a
private folder; it ends when its last connection closes. Every launcher keeps one open, and has
one more for each process of its own: a request goes out on it, with the process's standard input
and log as file descriptors; its pid and, at its end, its status come back; closing it releases the
pid. Where a server cannot serve, the process starts cold.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from zoo.launching import processes
from zoo.launching.ranks import MEETING
from zoo.launching.spawn import ChildProcess, Spawner, cold_start
from zoo.launching.task import Task
from zoo.store.stack import code_state

SERVER = "zoo.launching.fork_server"
PATH_BYTES = 107  # the longest path of a Unix socket
MESSAGE_BYTES = 65_536
POLL_S = 0.1
IMPORT_S = 300.0
"""How long a server may take to answer: its imports."""
DEATH_S = 10.0
"""How long the end of a process may take whose server has died."""
COMMAND_ROOM = "-" * 512
PER_LAUNCH = (processes.TOKEN_VARIABLE, *MEETING)
SEQUENCED = socket.SOCK_SEQPACKET  # one message, one read


class NotStarted(Exception):
    """A stop was requested before the process began."""


class Unavailable(Exception):
    """No fork server can serve; the reason."""


def spawner(task: Task, stopped: Callable[[], bool]) -> Spawner:
    """How the processes of a task start. `stopped`: whether a stop is requested, asked while a
    server is being started."""
    if not task.profile.warm_starts or task.where.nodes > 1:
        return cold_start
    engine = "simulated" if task.trial.simulated else task.profile.engine
    return partial(_warm_or_cold, engine=engine, stopped=stopped)


def _warm_or_cold(
    trial_json: Path, log: Path, env: Mapping[str, str], engine: str, stopped: Callable[[], bool]
) -> ChildProcess:
    try:
        return warm_start(trial_json, log, env, engine, stopped)
    except Unavailable as why:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"zoo: no warm start ({why}); a new interpreter is started\n")
        return cold_start(trial_json, log, env)


def warm_start(
    trial_json: Path,
    log: Path,
    env: Mapping[str, str],
    engine: str,
    stopped: Callable[[], bool] = lambda: False,
) -> ChildProcess:
    """Have a process of a trial forked.

    Raises:
        NotStarted: a stop was requested meanwhile.
        Unavailable: no server can.
    """
    place = ServerKey(engine, tuple(sorted(_shared(env).items())), os.getcwd())
    request = {"argument": str(trial_json), "env": dict(env)}
    for _ in range(2):  # a server may end just as we reach it
        with suppress(ConnectionError):
            return _ask(_connect(place), request, log, stopped)
        _drop(place)
    raise Unavailable("its server ended")


@dataclass(frozen=True, slots=True)
class ServerKey:
    """What processes must agree on to be forked by one server."""

    engine: str
    env: tuple[tuple[str, str], ...]
    folder: str

    def name(self, code: str) -> str:
        """Of its socket, under the state of the code."""
        text = json.dumps([self.engine, self.env, self.folder, sys.executable, code])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def _shared(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what each launch, or each worker of Ray, has of its own."""
    return {k: v for k, v in env.items() if k not in PER_LAUNCH and not k.startswith("RAY_")}


@dataclass(slots=True)
class _Kept:
    """The connection that keeps a server alive as long as this process lives."""

    code: str
    connection: socket.socket


_kept: dict[ServerKey, _Kept] = {}
_lock = threading.Lock()


def close_servers() -> None:
    """Let go of all servers; each ends with its last connection."""
    with _lock:
        while _kept:
            _kept.popitem()[1].connection.close()


def _drop(key: ServerKey) -> None:
    with _lock:
        if (kept := _kept.pop(key, None)) is not None:
            kept.connection.close()


def _connect(key: ServerKey) -> socket.socket:
    """A new connection to the server of a key, which is started where there is none, or where the
    code has changed since."""
    code = code_state()
    try:
        with _lock:
            path = _folder() / key.name(code)
            if (kept := _kept.get(key)) is not None and kept.code != code:
                _kept.pop(key).connection.close()
            if key not in _kept:
                _kept[key] = _Kept(code, _dial_or_start(path, key, code))
            return _dial(path)
    except FileNotFoundError as error:
        raise ConnectionError from error
    except ConnectionError:
        raise
    except OSError as error:
        raise Unavailable(f"{type(error).__name__}: {error}") from error


def _dial(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, SEQUENCED)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _dial_or_start(path: Path, key: ServerKey, code: str) -> socket.socket:
    with _one_at_a_time(path.parent):
        with suppress(FileNotFoundError, ConnectionRefusedError):
            return _dial(path)
        _remove_dead(path.parent)
        with closing(socket.socket(socket.AF_UNIX, SEQUENCED)) as listener:
            listener.bind(str(path))
            listener.listen(128)
            connection = _dial(path)  # before the server runs, which ends without any
            _start_server(listener, key, code)
        return connection


def _start_server(listener: socket.socket, key: ServerKey, code: str) -> None:
    number = str(listener.fileno())
    env = dict(key.env) | {processes.TOKEN_VARIABLE: processes.NO_TOKEN}
    env.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")  # a fork needs one thread
    server = subprocess.Popen(
        [sys.executable, "-m", SERVER, key.engine, code, number, COMMAND_ROOM],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
        pass_fds=[listener.fileno()],
        start_new_session=True,
    )
    threading.Thread(target=server.wait, daemon=True).start()  # reaps it


def _folder() -> Path:
    """The private folder of sockets."""
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp")):
        folder = Path(base) / f"zoo-warm-{os.getuid()}"
        if len(os.fsencode(folder)) + 25 > PATH_BYTES:
            continue
        folder.mkdir(mode=0o700, exist_ok=True)
        info = folder.lstat()
        if (info.st_uid, info.st_mode & 0o777_077) != (os.getuid(), 0o040_000):
            raise Unavailable(f"{folder} is not a private folder of this user")
        return folder
    raise Unavailable("the folder for temporary files has too long a path for a socket")


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_dead(folder: Path) -> None:
    """Remove the sockets of servers that were killed."""
    for path in folder.iterdir():
        if path.is_socket():
            try:
                _dial(path).close()
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                continue


def _ask(
    connection: socket.socket,
    request: Mapping[str, object],
    log: Path,
    stopped: Callable[[], bool],
) -> ChildProcess:
    """Send a request and wait for the pid that answers it.

    Raises:
        ConnectionError: the server is gone.
    """
    read, write = os.pipe()
    try:
        try:
            with log.open("ab") as stream:
                message = json.dumps(request).encode()
                socket.send_fds(connection, [message], [read, stream.fileno()])
        finally:
            os.close(read)
        return ForkedProcess(_pid(connection, stopped), connection, write)
    except BaseException as error:
        os.close(write)
        connection.close()
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        raise


def _pid(connection: socket.socket, stopped: Callable[[], bool]) -> int:
    end = time.monotonic() + IMPORT_S
    while (answer := _read(connection, POLL_S)) is None:
        if stopped():
            raise NotStarted
        if time.monotonic() > end:
            raise Unavailable(f"its server did not answer within {IMPORT_S:.0f} s")
    if "pid" not in answer:
        raise Unavailable(str(answer.get("refused")))
    return answer["pid"]


def _read(connection: socket.socket, wait_s: float | None) -> dict[str, Any] | None:
    """The next message, or None within `wait_s` (None = no limit).

    Raises:
        ConnectionError: the server is gone.
    """
    if not _readable(connection.fileno(), wait_s):
        return None
    if not (message := connection.recv(MESSAGE_BYTES)):
        raise ConnectionResetError("the fork server is gone")
    return json.loads(message)


def _readable(number: int, wait_s: float | None) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(None if wait_s is None else 1000 * wait_s))


class ForkedProcess:
    """A child of a fork server, which keeps it unreaped until the connection closes. The kernel
    kills it where the server dies, and then its status is that of SIGKILL."""

    def __init__(self, pid: int, connection: socket.socket, stdin: int) -> None:
        self.pid, self._connection, self._stdin = pid, connection, stdin
        self._status: int | None = None
        self._orphaned = False
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError as error:
            raise ConnectionResetError("the fork server is gone") from error

    def status(self) -> int | None:
        """See `ChildProcess`."""
        return self._end(0)

    def await_end(self) -> int:
        """See `ChildProcess`."""
        status = self._end(None)
        assert status is not None
        return status

    def _end(self, wait_s: float | None) -> int | None:
        if self._status is None:
            try:
                if (message := _read(self._connection, wait_s)) is not None:
                    self._status = message["status"]
            except ConnectionError:
                self._orphaned = True
                self.send_signal(signal.SIGKILL)
                _readable(self._handle, DEATH_S)
                self._status = -signal.SIGKILL
        return self._status

    def send_signal(self, number: int) -> None:
        """See `ChildProcess`."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def kill_group(self) -> None:
        """See `ChildProcess`. Does nothing where its server has died, so that nobody keeps its
        number: what is left of its group carries the launch's token."""
        self.send_signal(signal.SIGKILL)  # it may not lead its group yet
        self.status()
        if not self._orphaned:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        """See `ChildProcess`."""
        self.await_end()
        self._connection.close()
        os.close(self._stdin)
        os.close(self._handle)
