"""A sweep whose disk is full waits for room, and goes on by itself."""

from __future__ import annotations

import io
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import simulated
from tests.support.mounts import tmpfs
from tests.support.scripted import Scripted
from tests.support.study_models import trial
from zoo.catalog import ComputeProfile
from zoo.executors.local import LocalExecutor
from zoo.orchestrate import disk_pause, driver
from zoo.orchestrate.disk_pause import CHECK_S, LEAST_BYTES, DiskPause
from zoo.orchestrate.invocation import Ran, Sweep
from zoo.orchestrate.progress import Lines
from zoo.orchestrate.sweep_journal import read
from zoo.resources.cost import state_bytes
from zoo.runs.checkpoints import ROOM
from zoo.runs.sweep_status import read_status
from zoo.scheduling.executor import Executor
from zoo.train.entry import run as in_process

PROFILE = ComputeProfile(form="profile/1", name="test", executor="local")


class Freed(list[int]):
    """Free bytes at each look, the last ones for ever."""

    def __call__(self, folder: Path) -> int:
        return self.pop(0) if len(self) > 1 else self[0]


def drive(made: simulated.Sweep, executor: Executor, out: io.StringIO) -> Ran:
    sweep = Sweep(made.manifest, made.trials, made.store, made.folder / "sweeps/tiny", PROFILE)
    return driver.run(sweep, read_status(sweep.trials, sweep.store), lambda: executor, Lines(out))


def fill(path: Path) -> None:
    """Write a file until there is no room."""
    with path.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(2**16)):
            """Go on."""


def events(made: simulated.Sweep) -> list[str]:
    return [row["event"] for row in read(made.store.sweep("tiny") / "journal.jsonl").rows]


def test_full_disk_pauses_the_sweep_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, out = simulated.make(tmp_path), io.StringIO()
    first = made.trials[0].id
    free = Freed([0, 0, LEAST_BYTES])
    monkeypatch.setattr(disk_pause, "free_bytes", free)
    monkeypatch.setattr(disk_pause, "CHECK_S", 0.05)
    script = {one.id: ["disk"] * (one.id == first) for one in made.trials}
    executor = Scripted(script, 1, random.Random(0))
    assert drive(made, executor, out).exit_code == 0
    assert executor.launches.count(first) == 2
    assert len(executor.launches) == 5
    found = events(made)
    paused, resumed = found.index("paused"), found.index("resumed")
    assert set(found[paused:resumed]) <= {"paused", "retry"}
    assert found[resumed + 1] == "launch"
    told = out.getvalue()
    assert "disk full: 0.06 GiB are needed" in told
    assert "; tried again once there is room" in told
    assert told.count("there is room on the disk again: trials start") == 1


def test_sweep_that_waits_for_room_ends_with_a_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, out = simulated.make(tmp_path), io.StringIO()

    def full(folder: Path) -> int:
        if "Nothing starts" in out.getvalue():  # the second look
            os.kill(os.getpid(), signal.SIGINT)
        return 0

    monkeypatch.setattr(disk_pause, "free_bytes", full)
    monkeypatch.setattr(disk_pause, "CHECK_S", 0.05)
    script = {one.id: ["disk"] for one in made.trials}
    assert drive(made, Scripted(script, 1, random.Random(0)), out).exit_code == 130


def test_sweep_on_a_small_filesystem_goes_on_when_a_file_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tmpfs(tmp_path / "small", "size=80m") as folder:
        made, out = simulated.make(folder), io.StringIO()
        ballast, seen = folder / "ballast", list[int]()
        fill(ballast)
        os.truncate(ballast, ballast.stat().st_size - 2**16)  # room for the driver's own files

        def looked(folder: Path) -> int:
            seen.append(free(folder))
            if len(seen) == 3:
                ballast.unlink()
            return seen[-1]

        free = disk_pause.free_bytes
        monkeypatch.setattr(disk_pause, "free_bytes", looked)
        monkeypatch.setattr(disk_pause, "CHECK_S", 0.05)
        assert drive(made, LocalExecutor(1, in_process), out).exit_code == 0
        assert seen[0] < LEAST_BYTES <= seen[-1]
        assert "No space left on device" in out.getvalue()
        assert {"paused", "resumed"} <= set(events(made))


def test_pause_waits_for_the_largest_checkpoint_and_looks_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, big, small = [0.0], trial("qwen2.5-7b"), trial("qwen2.5-0.5b")
    monkeypatch.setattr(disk_pause, "free_bytes", lambda folder: 2**40)
    pause = DiskPause(tmp_path, lambda: now[0])
    assert not pause.over()
    assert "are needed" in pause.begin(small)
    assert pause.begin(big) == ""
    assert pause.needs == ROOM * state_bytes(big) > ROOM * state_bytes(small)
    assert not pause.over()
    now[0] += CHECK_S
    assert pause.over()
    assert not pause.over()
