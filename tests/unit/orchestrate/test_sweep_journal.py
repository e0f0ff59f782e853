"""The journal of a sweep: epochs, counters, and what damage does to it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.errors import StateError
from zoo.launching.launch import LaunchResult
from zoo.orchestrate.sweep_journal import NAME, SweepJournal, line_of, read

KILLED = LaunchResult("failed", "killed", "", 2.0)


def events(folder: Path) -> list[tuple[int, str]]:
    return [(row["epoch"], row["event"]) for row in read(folder / NAME).rows]


def test_journal_of_three_drivers_has_three_epochs(tmp_path: Path) -> None:
    for _ in range(3):
        SweepJournal(tmp_path).over()
    assert events(tmp_path) == [(n, word) for n in (1, 2, 3) for word in ("driver", "over")]


def test_journal_lines_are_json_that_names_trial_and_launch(tmp_path: Path) -> None:
    (task, *_) = simulated.make(tmp_path).tasks()
    journal = SweepJournal(tmp_path)
    journal.launched(task)
    journal.ended(task, KILLED)
    rows = [json.loads(line) for line in (tmp_path / NAME).read_text().splitlines()]
    assert [row["event"] for row in rows] == ["driver", "launch", "end"]
    assert {row["trial"] for row in rows[1:]} == {task.trial.id}
    assert {row["token"] for row in rows[1:]} == {task.token}
    assert (rows[2]["failure_class"], rows[2]["seconds"], rows[2]["gpu_s"]) == ("killed", 2, 0)


def test_journal_retries_are_counted_over_drivers_until_an_outcome(tmp_path: Path) -> None:
    (task, *_) = simulated.make(tmp_path).tasks()
    id_ = task.trial.id
    for _ in range(2):
        SweepJournal(tmp_path).retried(id_, "killed", 2.0)
    journal = SweepJournal(tmp_path)
    assert (journal.retries(id_, "killed"), journal.retries(id_, "hang")) == (2, 0)
    journal.ended(task, KILLED)
    assert journal.retries(id_, "killed") == 2
    journal.ended(task, LaunchResult("done"))
    assert journal.retries(id_, "killed") == 0
    assert SweepJournal(tmp_path).retries(id_, "killed") == 0


def test_journal_has_no_row_of_the_future(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SweepJournal, "now", lambda self: 1_700_000_000.1239)
    journal = SweepJournal(tmp_path)
    assert read(tmp_path / NAME).rows[0]["time"] == 1_700_000_000.123
    assert journal.spending.at(journal.now()).hours > 0


def test_journal_time_and_what_was_spent_do_not_jump_with_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (task, *_) = simulated.make(tmp_path).tasks()
    journal, now = SweepJournal(tmp_path), time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86_400)
    journal.launched(task)
    assert journal.spending.at(journal.now()).hours < 1
    journal.over()
    times = [row["time"] for row in read(tmp_path / NAME).rows]
    assert max(times) - min(times) < 3600


def test_journal_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    SweepJournal(tmp_path).retried("a", "killed", 2.0)
    with (tmp_path / NAME).open("ab") as stream:
        stream.write(line_of({"epoch": 1, "event": "retry"})[:-9])
    journal = SweepJournal(tmp_path)
    assert (journal.epoch, journal.set_aside) == (2, None)
    assert journal.retries("a", "killed") == 1
    assert [epoch for epoch, _ in events(tmp_path)] == [1, 1, 2]


@pytest.mark.parametrize("at", range(0, 130, 13))
def test_journal_with_a_flipped_bit_is_set_aside(tmp_path: Path, at: int) -> None:
    SweepJournal(tmp_path).retried("a", "killed", 2.0)
    raw = bytearray((tmp_path / NAME).read_bytes())
    raw[at] ^= 4
    (tmp_path / NAME).write_bytes(raw)
    journal = SweepJournal(tmp_path)
    assert (journal.epoch, journal.retries("a", "killed")) == (1, 0)
    assert journal.set_aside == tmp_path / f"{NAME}.corrupt"
    assert journal.set_aside.read_bytes() == raw
    (tmp_path / NAME).write_bytes(b"nonsense\n")
    assert SweepJournal(tmp_path).set_aside == tmp_path / f"{NAME}.corrupt.2"


def test_journal_of_a_replaced_driver_takes_no_more_lines(tmp_path: Path) -> None:
    older = SweepJournal(tmp_path)
    newer = SweepJournal(tmp_path)
    with pytest.raises(StateError, match="epoch 2"):
        older.retried("a", "killed", 2.0)
    newer.retried("a", "killed", 2.0)
    assert SweepJournal(tmp_path).retries("a", "killed") == 1


def test_journal_late_lines_of_an_older_epoch_count_nowhere(tmp_path: Path) -> None:
    SweepJournal(tmp_path)
    SweepJournal(tmp_path)
    late = {"epoch": 1, "event": "retry", "trial": "a", "failure_class": "killed"}
    with (tmp_path / NAME).open("ab") as stream:
        stream.write(line_of(late))
    assert SweepJournal(tmp_path).retries("a", "killed") == 0


def test_journal_on_a_full_disk_keeps_counting_and_raises_nothing(tmp_path: Path) -> None:
    journal = SweepJournal(tmp_path)
    (tmp_path / NAME).unlink()
    os.symlink("/dev/full", tmp_path / NAME)
    journal.durable = False
    journal.retried("a", "killed", 2.0)
    assert journal.problem is not None
    assert journal.retries("a", "killed") == 1


def test_journal_after_a_full_disk_is_written_again_without_the_torn_line(tmp_path: Path) -> None:
    journal = SweepJournal(tmp_path)
    with (tmp_path / NAME).open("ab") as stream:  # what a full disk leaves of a line
        stream.write(line_of({"epoch": 1, "event": "retry"})[:-9])
    journal.problem = OSError(28, "No space left on device")
    journal.held("a", "b", "oom")
    journal.resumed()
    journal.over()
    assert events(tmp_path) == [(1, "driver"), (1, "resumed"), (1, "over")]
