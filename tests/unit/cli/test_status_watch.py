"""`zoo status --watch`: the same lines again until the sweep ends; a list that fits a terminal."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.render.screen import Screen, fit
from zoo.store.run_store import claim

ZOO = [sys.executable, "-m", "zoo.cli.main"]


def test_status_watch_of_a_sweep_that_has_ended_prints_once(swept: Path) -> None:
    told = zoo("status", "tiny", "--watch")
    assert told.status == 0
    assert [line[10:] for line in told.lines] == [
        line for line in zoo("status", "tiny").lines if line
    ]


def test_status_watch_without_a_terminal_prints_what_changed() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.show(["* a  running, round 1/3", "+ b  never ran", "", "+ 2 to run"])
    screen.show(["* a  running, round 2/3", "+ b  never ran", "", "+ 2 to run"])
    assert [line[10:] for line in stream.getvalue().splitlines()] == [
        *("* a  running, round 1/3", "+ b  never ran", "+ 2 to run", "* a  running, round 2/3")
    ]


def test_status_watch_on_a_terminal_draws_over_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    screen = Screen(stream)
    screen.show(["* a", "", "1 to run"])
    screen.show(["= a", "", "1 done"], last=True)
    assert stream.getvalue().count("\x1b[3F") == 1
    assert stream.getvalue().endswith("\x1b[2K= a\n\x1b[2K\n\x1b[2K1 done\n\x1b[J")


def test_status_lines_beyond_the_terminal_are_counted_running_first() -> None:
    lines = [*(f"= t{n}  done" for n in range(9)), "* run  running", "! bad  failed", "", "sum"]
    assert fit(lines, 80, 6) == [
        *("= t0  done", "* run  running", "! bad  failed", "  ... and 8 more", "", "sum")
    ]
    assert fit(["= abcdef"], 4, 6) == ["= ab"]


def test_status_watch_of_a_running_sweep_goes_on_until_ctrl_c(swept: Path) -> None:
    with claim(swept / "runs/sweeps/tiny"):
        words = ["status", "tiny", "--watch"]
        with subprocess.Popen([*ZOO, *words], stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            assert any("run by process" in line for line in watching.stdout)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(20) == 130
