"""The process that evaluates stored weights for `zoo eval` and `zoo audition`: start it, pass its
events on, end it whatever happens. Its output is in `runs/evals/NAME/log.txt`.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import StateError
from zoo.launching import processes
from zoo.launching.task import profile_environment
from zoo.store.log_tail import log_tail
from zoo.store.run_store import Store, write_json

TICK_S = 0.5
Event = dict[str, Any]


def run(
    job: dict[str, Any],
    name: str,
    store: Store,
    profile: ComputeProfile,
    tick: Callable[[], None] = lambda: None,
) -> Generator[Event]:
    """The events of the process that does `job`, as they come. `tick` is called twice a second.

    The caller must exhaust or close it: the process ends with it, and leaves nothing but its log.

    Raises:
        StateError: the process failed; with the end of its log.
    """
    token = secrets.token_hex(8)
    folder = store.root / "evals" / name
    launch = folder / token
    write_json(launch / "job.json", job, durable=False)
    log, process = folder / "log.txt", None
    try:
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "zoo.train.evaluate", str(launch / "job.json")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=profile_environment(profile, token),
                start_new_session=True,
            )
        error = yield from _events(process, tick)
        status = process.wait()
        if status or error:
            how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            raise StateError(f"{name}: evaluating failed ({error or how})\n{log_tail(log)}")
    finally:
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        processes.kill_launch(token)  # also where Ctrl-C came while it was being started
        shutil.rmtree(launch, ignore_errors=True)


def _events(
    process: subprocess.Popen[bytes], tick: Callable[[], None]
) -> Generator[Event, None, str | None]:
    """Lines of the process's output as events; returns the error that they report, or None."""
    assert process.stdout is not None
    error, rest, number = None, b"", process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(number, selectors.EVENT_READ)
        while True:
            tick()
            if not selector.select(TICK_S):
                continue
            if not (read := os.read(number, 65_536)):
                return error
            *lines, rest = (rest + read).split(b"\n")
            for event in map(json.loads, lines):
                error = event.get("error", error)
                yield event
