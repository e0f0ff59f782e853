"""`zoo stop`: a running sweep ends as by Ctrl-C; only its own driver is ever signalled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import zoo
from tests.support.sweeps import rounds, start, wait_for
from zoo.launching.processes import boot_id, start_time
from zoo.orchestrate import sweep_journal
from zoo.store.run_store import claim, write_json
from zoo.upkeep import stop

HOLDS_LOCK = "import sys, time; held = open(sys.argv[1], 'a+'); print('open', flush=True); " + (
    "time.sleep(60)"
)


@pytest.fixture
def driver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`driver.json` of the sweep `tiny`, which the test itself claims."""
    monkeypatch.setattr(stop, "SETTLE_S", 0.0)
    return folder / "runs/sweeps/tiny/driver.json"


def write_driver(path: Path, **changes: object) -> None:
    told: dict[str, object] = {"pid": os.getpid(), "host": os.uname().nodename, "since": "now"}
    write_json(path, told | {"manifest": str(Path("experiments/tiny.yaml").resolve())} | changes)


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that lasts for the block, after its first line of output."""
    with subprocess.Popen(
        [sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        try:
            yield running
        finally:
            running.kill()


def test_stop_of_a_running_sweep_ends_it_as_ctrl_c_does(folder: Path) -> None:
    sweep = start(
        folder, "--bare", "--executor", "local", manifest="tiny", ZOO_SIMULATE="sleep:0.5"
    )
    wait_for(lambda: any(rounds(folder)))
    told = zoo("stop", "tiny")
    assert told.status == 0
    assert told.lines[0] == (
        f"stopping tiny (process {sweep.pid}): trials end their rounds and save them"
    )
    assert told.lines[1].startswith("tiny has ended: ")
    assert "does what is left" in told.lines[2]
    assert sweep.wait(10) == 130
    rows = sweep_journal.read(folder / "runs/sweeps/tiny/journal.jsonl").rows
    assert [row["times"] for row in rows if row["event"] == "stopping"] == [1]
    assert zoo("stop", "tiny").text == "tiny is not running\n"


def test_stop_a_second_time_waits_and_only_now_ends_trials_at_once(folder: Path) -> None:
    words = ("--bare", "--executor", "local", "--concurrency", "1")
    sweep = start(folder, *words, manifest="tiny", ZOO_SIMULATE="deaf:1")
    wait_for(lambda: any(rounds(folder)))
    time.sleep(1)  # from here on the first trial does not end its round
    again = [sys.executable, "-m", "zoo.cli.main", "stop", "tiny"]
    journal = folder / "runs/sweeps/tiny/journal.jsonl"
    with subprocess.Popen(again, stdout=subprocess.DEVNULL) as first:
        wait_for(lambda: b'"stopping"' in journal.read_bytes())
        with subprocess.Popen(again, stdout=subprocess.PIPE, text=True) as second:
            assert second.stdout is not None
            assert "being stopped already" in second.stdout.readline()
            assert sweep.poll() is None
            told = zoo("stop", "tiny", "--now")
            second.communicate(timeout=10)
        assert first.wait(10) == second.returncode == 0
    assert told.lines[0].endswith("trials end at once")
    assert sweep.wait(10) == 130


def test_stop_of_a_sweep_that_does_not_run_says_so(folder: Path) -> None:
    told = zoo("stop", "tiny")
    assert (told.status, told.text) == (0, "tiny is not running\n")
    assert not (folder / "runs").exists()


def test_stop_of_an_unknown_sweep_suggests_the_nearest_name(folder: Path) -> None:
    told = zoo("stop", "tinny")
    assert told.status == 2
    assert told.error == "sweep: no sweep 'tinny' has started here; did you mean 'tiny'?"


def test_stop_of_a_sweep_on_another_host_names_the_host(driver: Path) -> None:
    with claim(driver.parent):
        write_driver(driver, host="elsewhere")
        told = zoo("stop", "tiny")
    assert told.status == 1
    assert told.error.endswith("on elsewhere; run `zoo stop tiny` there")


def test_stop_never_signals_a_process_without_the_sweeps_lock(driver: Path) -> None:
    with (
        claim(driver.parent),
        process("print(1, flush=True); import time; time.sleep(60)") as other,
    ):
        write_driver(driver, pid=other.pid, boot=boot_id(), started=start_time(other.pid))
        told = zoo("stop", "tiny")
        assert told.status == 1
        assert "no process was signalled" in told.error
        assert other.poll() is None


@pytest.mark.parametrize(
    "stamp", [{}, {"started": 1}, {"boot": "another"}], ids=["older zoo", "reused pid", "reboot"]
)
def test_stop_never_signals_a_process_of_another_start(
    driver: Path, stamp: dict[str, object]
) -> None:
    with claim(driver.parent), process(HOLDS_LOCK, str(driver.parent / ".lock")) as other:
        known = {"boot": boot_id(), "started": start_time(other.pid)} if stamp else {}
        write_driver(driver, pid=other.pid, **(known | stamp))
        told = zoo("stop", "tiny")
        assert told.status == 1
        assert "no process was signalled" in told.error
        assert other.poll() is None


def test_stop_signals_a_process_with_start_time_and_lock(driver: Path) -> None:
    with claim(driver.parent), process(HOLDS_LOCK, str(driver.parent / ".lock")) as other:
        write_driver(driver, pid=other.pid, boot=boot_id(), started=start_time(other.pid))
        assert zoo("stop", "tiny", "--now").status == 0
        assert other.wait(5) == -15
