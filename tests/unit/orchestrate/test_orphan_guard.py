"""What a driver started ends with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.sweeps import wait_for
from zoo.launching.processes import start_time
from zoo.orchestrate.orphan_guard import DIED, VARIABLE, OrphanGuard, of_token

ROOT = Path(__file__).parents[3]
DRIVER = """\
import os, signal, subprocess, sys, time
from zoo.orchestrate.orphan_guard import OrphanGuard
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"
with OrphanGuard() as guard:
    for _ in range(3):
        subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
    print(guard.token, guard._process.pid, flush=True)
    time.sleep(100)
"""


@pytest.fixture
def driver():
    """A process that started three others, each a session of its own, and a guard."""
    command = [sys.executable, "-c", DRIVER]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=env, **said) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_guard_of_a_killed_driver_ends_what_it_started_and_itself(driver, number) -> None:
    token, guard = driver.stdout.readline().split()
    wait_for(lambda: len(of_token(token)) == 3, 5)  # a child has it once it is exec'd
    driver.send_signal(number)
    driver.wait()
    clock = time.monotonic()
    wait_for(lambda: not of_token(token), 5)
    wait_for(lambda: start_time(int(guard)) is None, 5)
    assert time.monotonic() - clock < 5
    assert driver.stderr.read() == f"{DIED}\n"


def test_guard_ends_what_is_left_of_a_driver_that_ends_by_itself(monkeypatch, capfd) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    sleep = [sys.executable, "-c", "import time; time.sleep(100)"]
    others = subprocess.Popen(sleep, start_new_session=True)
    with OrphanGuard() as guard:
        left = subprocess.Popen(sleep, start_new_session=True)
        wait_for(lambda: of_token(guard.token) == [left.pid], 5)
    assert left.wait(5) == -signal.SIGKILL
    assert VARIABLE not in os.environ
    assert capfd.readouterr().err == ""
    assert others.poll() is None
    others.kill()
    others.wait()


def test_guard_that_was_killed_is_started_again() -> None:
    with OrphanGuard() as guard:
        first = guard._process
        first.kill()
        first.wait()
        guard.keep()
        assert guard._process.pid != first.pid
        assert guard._process.poll() is None
