"""What a sweep's journal says of trials that wait."""

from __future__ import annotations

from pathlib import Path

from tests.support import simulated
from zoo.launching.launch import LaunchResult
from zoo.orchestrate.sweep_journal import SweepJournal
from zoo.runs.sweep_notes import SweepNotes, read_notes


def test_notes_are_those_of_the_last_driver_until_what_they_tell_is_over(tmp_path: Path) -> None:
    made = simulated.make(tmp_path, rewards="correctness")
    folder = made.store.sweep("tiny")
    assert read_notes(made.store, "tiny") == SweepNotes()
    journal, (one, two) = SweepJournal(folder), made.tasks()
    first, second = one.trial.id, two.trial.id
    journal.launched(one)
    journal.ended(one, LaunchResult("failed", "infra"))
    journal.retried(first, "infra", 20.0)
    journal.held(second, first, "config")
    journal.paused(first, 5e9)
    found = read_notes(made.store, "tiny")
    at, kind = found.retries[first]
    assert kind == "infra"
    assert 19.0 < at - journal.now() <= 20.0
    assert found.held == {second: (first, "config")}
    assert found.needs == 5e9
    journal.resumed()
    journal.launched(one)
    found = read_notes(made.store, "tiny")
    assert (found.needs, found.retries) == (0, {})
    journal.paused(first, 5e9)
    SweepJournal(folder)
    assert read_notes(made.store, "tiny") == SweepNotes()


def test_notes_of_a_damaged_journal_are_none(tmp_path: Path) -> None:
    made = simulated.make(tmp_path, rewards="correctness")
    journal = SweepJournal(made.store.sweep("tiny"))
    journal.paused("x", 5e9)
    journal.path.write_bytes(journal.path.read_bytes().replace(b"paused", b"pauses"))
    assert read_notes(made.store, "tiny") == SweepNotes()
