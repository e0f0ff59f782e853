"""A record is the only thing that says "done", and it is never guessed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from zoo.errors import StateError
from zoo.store import record as records
from zoo.store.record import Record


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    record = Record(
        id="a-1", stage="train", state="done", round=4, metrics={"acc": 0.5, "loss": None}
    )
    records.write(tmp_path / "a-1", record)
    assert records.read(tmp_path / "a-1") == record


def test_done_is_a_question_about_a_horizon() -> None:
    record = Record(id="a-1", stage="train", state="done", round=4)
    assert record.done()
    assert record.done(4)
    assert not record.done(5)
    assert not record.model_copy(update={"state": "preempted"}).done(1)


def test_no_record_is_none_and_a_broken_one_stops(tmp_path: Path) -> None:
    assert records.read(tmp_path) is None
    wrong = {
        "{": "Expecting property name",
        "{}": "missing or wrong: id, stage, state, round",
        "[]": "no keys and values",
        '{"id": "a", "stage": "train", "state": "fine", "round": 1}': "missing or wrong: state",
    }
    for text, why in wrong.items():
        (tmp_path / "record.json").write_text(text)
        with pytest.raises(StateError) as found:
            records.read(tmp_path)
        told = str(found.value)
        assert told.startswith(f"{tmp_path}/record.json cannot be read ({why}")
        assert told.endswith("; move its folder away to run it again")
        assert "\n" not in told


def test_a_folder_in_place_of_a_record_stops(tmp_path: Path) -> None:
    (tmp_path / "record.json").mkdir()
    with pytest.raises(StateError, match=r"cannot be read \(Is a directory\); move its folder"):
        records.read(tmp_path)


def test_metrics_that_json_cannot_hold_become_none() -> None:
    found = records.finite({"a": 1, "b": math.nan, "c": math.inf, "d": None, "e": -0.5})
    assert found == {"a": 1.0, "b": None, "c": None, "d": None, "e": -0.5}


def test_outcome_is_the_record_without_its_longest_parts(tmp_path: Path) -> None:
    assert records.read_outcome(tmp_path) is None
    made = Record(
        id="a-1",
        stage="train",
        state="done",
        round=4,
        attempt=2,
        identity={"seed": 1},
        stack={"torch": "2"},
    )
    records.write(tmp_path, made)
    assert records.read(tmp_path) == made
    found = records.read_outcome(tmp_path)
    assert found is not None
    assert found.model_dump() == made.model_dump() | {"identity": {}, "stack": {}}


@pytest.mark.parametrize("text", ["{", '{"id": 1}', '{"form": 3}', "[]", '{"identity": 1}'])
def test_outcome_of_a_broken_record_stops_as_the_record_does(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(StateError) as whole:
        records.read(tmp_path)
    with pytest.raises(StateError) as short:
        records.read_outcome(tmp_path)
    assert str(short.value) == str(whole.value)
