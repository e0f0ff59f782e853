"""Killable workers: each is a fresh process in its own session and gets its pairs through a pipe.

Nothing here can hang: a worker's kernel timers end it at its limits, and the pool kills a worker
that answers later than the wall limit and a grace. A case costs at most its budget and one worker,
which is replaced. Workers start with the first case that needs one, and again in a forked child,
which must not write into its parent's pipes. No thread is started and no signal handler is set in
the calling process, so it works from a Ray worker, a thread, a notebook and with CUDA.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_START_S = 120.0  # importing sympy from a cold network disk
_GRACE_S = 1.0
_MAX_STARTS_FAILED = 3
_PATIENCE = 5.0  # a case that got no CPU for its wall limit is tried once more, with this factor


@dataclass(frozen=True, slots=True)
class Limits:
    """What one case may use of a worker."""

    cpu_s: float = 1.0
    wall_s: float = 2.0
    memory_mib: float = 1024.0


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    deadline: float
    job: int | None = None
    sent: float = 0.0
    ready: bool = False
    pending: bytes = b""


@dataclass(slots=True)
class Pool:
    """Up to `size` workers that judge pairs of texts. Not shared between threads; its owner has a
    lock.
    """

    size: int
    limits: Limits
    _workers: list[_Worker] = field(default_factory=list)
    _owner: int = field(default_factory=os.getpid)
    _again: set[int] = field(default_factory=set)
    _failed_starts: int = 0
    _last_error: str = ""

    def judge(self, jobs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """One reply a job, in order: a worker's reply, or `{"time": true}`, `{"memory": true}`,
        `{"fault": text}`.
        """
        self._forget_after_fork()
        replies: list[dict[str, Any] | None] = [None] * len(jobs)
        waiting = deque(range(len(jobs)))
        self._again.clear()
        self._failed_starts = 0
        while waiting or any(worker.job is not None for worker in self._workers):
            if self._failed_starts >= _MAX_STARTS_FAILED:
                break
            self._start_missing(len(waiting))
            for worker in self._workers:
                if worker.ready and worker.job is None and waiting:
                    self._send(worker, waiting.popleft(), jobs)
            for worker, reply in self._wait():
                if worker.job is None:
                    continue
                if reply.get("starved") and worker.job not in self._again:
                    self._again.add(worker.job)
                    waiting.append(worker.job)
                else:
                    replies[worker.job] = reply | {"ms": (time.monotonic() - worker.sent) * 1e3}
                worker.job = None
        fault = {"fault": f"no worker starts: {self._last_error or 'see standard error'}"}
        return [fault if reply is None else reply for reply in replies]

    def close(self) -> None:
        """End all workers."""
        self._forget_after_fork()
        for worker in list(self._workers):
            self._end(worker)

    def _forget_after_fork(self) -> None:
        if self._owner != os.getpid():
            for worker in self._workers:
                worker.process.returncode = (
                    0  # the parent's child: neither waited for nor killed from here
                )
                _close_pipes(worker.process)
            self._workers, self._owner = [], os.getpid()

    def _start_missing(self, wanted: int) -> None:
        idle = sum(worker.job is None for worker in self._workers)
        while len(self._workers) < self.size and idle < wanted:
            self._workers.append(_Worker(_spawn(self.limits), time.monotonic() + _START_S))
            idle += 1

    def _send(self, worker: _Worker, job: int, jobs: Sequence[tuple[str, str]]) -> None:
        gold, prediction = jobs[job]
        wall_s = self.limits.wall_s * (_PATIENCE if job in self._again else 1.0)
        line = json.dumps({"gold": gold, "prediction": prediction, "wall_s": wall_s}) + "\n"
        worker.job = job
        worker.sent = time.monotonic()
        worker.deadline = worker.sent + wall_s + _GRACE_S
        assert worker.process.stdin is not None
        with suppress(BrokenPipeError):  # its end is then read as such
            worker.process.stdin.write(line.encode("ascii"))

    def _wait(self) -> list[tuple[_Worker, dict[str, Any]]]:
        """Replies of the workers; waits until there is at least one or a deadline passes."""
        now = time.monotonic()
        waited = [worker for worker in self._workers if worker.job is not None or not worker.ready]
        if not waited:
            return []
        with selectors.DefaultSelector() as selector:
            for worker in waited:
                assert worker.process.stdout is not None
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            timeout = max(0.0, min(worker.deadline for worker in waited) - now)
            events = selector.select(timeout)
        said = [reply for key, _ in events for reply in self._read(key.data)]
        for worker in waited:
            if worker in self._workers and time.monotonic() > worker.deadline:
                said.append((worker, {"time": True, "starved": True}))
                self._failed_starts += not worker.ready
                self._end(worker)
        return said

    def _read(self, worker: _Worker) -> list[tuple[_Worker, dict[str, Any]]]:
        assert worker.process.stdout is not None
        chunk = os.read(worker.process.stdout.fileno(), 1 << 16)
        if not chunk:
            return [(worker, self._obituary(worker))]
        worker.pending += chunk
        *lines, worker.pending = worker.pending.split(b"\n")
        replies = [json.loads(line) for line in lines]
        if replies and not worker.ready:
            worker.ready, self._failed_starts = True, 0
            worker.deadline = float("inf")
            replies = replies[1:]
        if any(reply.get("memory") for reply in replies):
            self._end(worker)
        return [(worker, reply) for reply in replies]

    def _obituary(self, worker: _Worker) -> dict[str, Any]:
        """Why a worker that closed its output ended."""
        self._end(worker)
        code = worker.process.returncode
        if not worker.ready:
            self._failed_starts += 1
            self._last_error = f"exit code {code} before it was ready"
        if code == -signal.SIGALRM:
            return {"time": True, "starved": True}
        if code in (-signal.SIGPROF, -signal.SIGXCPU):
            return {"time": True}
        if code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGKILL, 0):
            return {"memory": True}
        return {"fault": f"worker ended with exit code {code}"}

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        if worker.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(worker.process.pid, signal.SIGKILL)
        _close_pipes(worker.process)
        worker.process.wait()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _spawn(limits: Limits) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    numbers = [os.getpid(), limits.cpu_s, limits.memory_mib]
    return subprocess.Popen(
        [sys.executable, "-m", "zoo.grading.worker", *map(str, numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        start_new_session=True,
    )
