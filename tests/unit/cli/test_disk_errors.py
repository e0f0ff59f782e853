"""Run stores and notebooks that cannot be used: one message with the place, and no traceback."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cli import files
from tests.support.mounts import tmpfs
from zoo.cli.main import main
from zoo.orchestrate import disk_pause
from zoo.planning.disk_errors import describe

Run = Callable[[str], tuple[int, str]]
Whole = Callable[[str], tuple[int, str, str]]
READING = ("plan tiny", "show tiny", "status tiny", "plan tiny --json", "status tiny --json")


@pytest.fixture
def run_whole(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Whole:
    """As `run`: exit status, what it printed, and error text."""

    def of(words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zoo", *words.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert isinstance(code, int)
        return code, *capfd.readouterr()

    return of


@pytest.fixture
def run(run_whole: Whole) -> Run:
    """`zoo WORDS` with what the console script does about errors: exit status and error text."""
    return lambda words: run_whole(words)[::2]


@pytest.mark.parametrize(
    "words",
    [
        *("plan tiny", "status tiny", "logs tiny 0", "report tiny", "grade tiny"),
        *("sweep tiny --bare", "sweep tiny", "data check pocket-easy", "data fetch pocket-easy"),
        "models check pocket-llama",
    ],
)
def test_run_store_that_is_a_file_is_refused_by_name(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    place = folder / "a-file"
    place.touch()
    monkeypatch.setenv("ZOO_RUNS", str(place / "runs"))
    before = files(folder)
    status, text = run(words)
    assert (status, text.count("\n")) == (2, 1)
    assert text.startswith(f"zoo: {place}: cannot be used (Not a directory); ")
    assert "name another folder with ZOO_RUNS" in text
    assert files(folder) == before


@pytest.mark.parametrize("words", ["plan tiny", "sweep tiny --bare", "status tiny"])
def test_run_store_with_a_path_that_no_system_call_takes_is_refused(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(folder / ("x" * 300)))
    assert run(words)[0] == 2
    (folder / "loop").symlink_to("loop")
    monkeypatch.setenv("ZOO_RUNS", str(folder / "loop"))
    status, text = run(words)
    assert status == 2
    assert "Too many levels of symbolic links" in text


def test_run_store_behind_a_link_to_a_folder_that_is_not_there_yet_is_made(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "link").symlink_to(folder / "far" / "runs")
    monkeypatch.setenv("ZOO_RUNS", str(folder / "link"))
    assert run("sweep tiny --bare") == (0, "")
    assert (folder / "far/runs/train").is_dir()


def test_read_only_store_is_read_and_a_sweep_on_it_is_refused(
    swept: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tmpfs(swept / "disk", "size=30m") as disk:
        shutil.copytree(swept / "runs", disk / "runs")
        shutil.copytree(swept / "sweeps", disk / "sweeps")
        monkeypatch.setenv("ZOO_RUNS", str(disk / "runs"))
        monkeypatch.setenv("ZOO_SWEEPS", str(disk / "sweeps"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for words in READING:
            assert run(words) == (0, "")
        for words in ("sweep tiny --bare", "grade tiny", "data check pocket-easy"):
            status, text = run(words)
            assert status == 2
            assert "cannot be used (Read-only file system); allow writing, or name" in text
        status, text = run("sweep tiny --bare --set seeds=[5]")
        assert status == 2
        assert sorted(line.split(": cannot")[0] for line in text.splitlines()) == [
            str(disk / "sweeps/tiny"),
            f"zoo: {disk}/runs",
        ]
        status, text = run("report tiny")
        assert (status, text.count("\n")) == (2, 1)
        assert "with ZOO_SWEEPS" in text


def test_full_disk_is_told_with_the_place_and_no_traceback(
    swept: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tmpfs(swept / "disk", "size=30m") as disk:
        monkeypatch.setenv("ZOO_SWEEPS", str(disk / "sweeps"))
        with suppress(OSError), (disk / "rest").open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 2**16)
        status, text = run("sweep tiny --bare --set seeds=[5]")
        assert (status, text.count("\n")) == (1, 1)
        assert text.startswith(f"zoo: {disk}/sweeps/tiny/")
        assert "cannot be written (No space left on device); make room" in text
        assert [path.name for path in disk.rglob("*.tmp")] == []


def test_full_disk_in_the_middle_of_a_sweep_pauses_it_with_one_message(
    folder: Path, run_whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_pause, "CHECK_S", 0.2)
    monkeypatch.setattr(disk_pause, "LEAST_BYTES", 2**20)
    with tmpfs(folder / "disk", "size=300k") as disk:
        monkeypatch.setenv("ZOO_RUNS", str(disk / "runs"))
        monkeypatch.setenv("ZOO_SWEEPS", str(folder / "sweeps"))
        grow = ["mount", "-o", "remount,size=30m", str(disk)]
        room = threading.Timer(4.0, subprocess.run, [grow], {"check": True})
        room.start()
        status, out, error = run_whole("sweep tiny --bare --set seeds=[1,2,3,4]")
        room.join()
        assert (status, error) == (0, "")
        assert out.count("FAILED") == out.count("FAILED [disk] ") == 1
        assert f"FAILED [disk] {disk}/runs/" in out
        assert "cannot be written (No space left on device); make room" in out
        assert out.count("disk full: ") == out.count("there is room on the disk again") == 1
        assert "= 16 done" in out


@pytest.mark.parametrize("kept", [*range(14), 17, 21, 27])
def test_disk_that_is_full_at_any_moment_of_a_trial_loses_nothing(
    folder: Path, run_whole: Whole, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(disk_pause, "CHECK_S", 0.0)
    left, replace = [kept], Path.replace

    def limited(self: Path, target: Path) -> Path:
        """The disk takes so many files of stages, and the next three do not fit."""
        left[0] -= not {"train", "samples", "scores"}.isdisjoint(self.parts)
        if -4 < left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", limited)
        status, out, error = run_whole("sweep tiny --bare")
    assert (status, error) == (0, "")
    assert out.count("FAILED") == out.count("FAILED [disk] ") > 0
    assert list(folder.rglob("*.tmp")) == []
    assert "= 4 done" in out


def test_errors_of_other_kinds_are_not_explained_away() -> None:
    assert describe(FileNotFoundError(2, "No such file", "/gone")) is None
    assert describe(ConnectionRefusedError(111, "Connection refused")) is None
    assert describe(PermissionError(1, "Operation not permitted")) is None  # of kill(2), say


@pytest.mark.parametrize("words", ["plan {}", "sweep {} --bare"])
def test_a_working_folder_that_is_gone_is_told_in_one_line(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, error = run(words.format(folder / "experiments/tiny.yaml"))
    assert (code, error) == (
        2,
        "zoo: working folder: it is gone; expected one that is there; `cd` to it\n",
    )
