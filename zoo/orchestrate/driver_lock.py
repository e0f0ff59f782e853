"""One driver a sweep: who runs it, and the plan that it freezes once it holds the sweep."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import StateError
from zoo.launching import processes
from zoo.lock import lock
from zoo.orchestrate.invocation import Sweep
from zoo.store.run_store import Store, claim, claimed, read_json, write_json, write_text


def holder(store: Store, name: str) -> dict[str, Any] | None:
    """Who runs a sweep right now (pid, host, since; `boot` and `started` identify its process), or
    None; writes and locks nothing."""
    folder = store.sweep(name)
    return read_json(folder / "driver.json") if claimed(folder) else None


@contextmanager
def driver_lock(sweep: Sweep) -> Iterator[None]:
    """Claim the sweep: one driver a name and run store."""
    folder = sweep.store.sweep(sweep.name)
    who = folder / "driver.json"
    with ExitStack() as stack:
        if not stack.enter_context(claim(folder, wait=False)):
            told = read_json(who) or {}
            raise StateError(
                f"sweep '{sweep.name}' is being run by process {told.get('pid', '?')} on "
                f"{told.get('host', '?')} since {told.get('since', '?')}; wait for it, or end it "
                f"first: `zoo stop {sweep.name}`"
            )
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        write_json(
            who,
            {
                "pid": os.getpid(),
                "host": os.uname().nodename,
                "boot": processes.boot_id(),
                "started": processes.start_time(os.getpid()),
                "since": since,
                "manifest": str(sweep.manifest.path),
                "profile": sweep.profile.name,
                "command": sweep.command,
                "sets": sweep.sets,
                "cards": [str(Path(folder).resolve()) for folder in sweep.cards],
                "rewards": [str(Path(file).resolve()) for file in sweep.rewards],
            },
        )
        yield


def freeze(sweep: Sweep) -> None:
    """Write the lock of a sweep that has nothing to run.

    Raises:
        StateError: another driver runs this sweep.
    """
    with driver_lock(sweep):
        write_lock(sweep)


def write_lock(sweep: Sweep) -> None:
    """Write the plan that runs, and seal its claims. Only `zoo sweep` does this."""
    before, ran = lock.read(sweep.folder), Store(sweep.store.root).ran
    said = sweep.manifest.experiment
    text = lock.text(sweep.planned or sweep.trials, said.claims, before, ran, said.looks)
    write_text(sweep.folder / lock.NAME, text)
    copy = sweep.store.sweep(sweep.name) / sweep.manifest.path.name
    write_text(copy, sweep.manifest.path.read_text(encoding="utf-8"))
