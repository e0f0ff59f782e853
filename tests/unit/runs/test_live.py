"""Which rows of a trial's journals count, over launches and lineages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.errors import StateError
from zoo.grader_version import GRADER_VERSION
from zoo.runs import live
from zoo.store import journal
from zoo.store.record import Record

Row = dict[str, Any]


def row(launch: int, lineage: int | None, round_: int, value: float = 0.0) -> Row:
    """A row of `metrics.jsonl`; without a lineage it is of form 1."""
    said: Row = {"attempt": launch, "round": round_, "time": 1.0, "metrics": {"train/x": value}}
    return said if lineage is None else said | {"lineage": lineage}


def evaluated(launch: int, lineage: int | None, round_: int, samples: str = "s") -> Row:
    """A row of `evals.jsonl`."""
    said: Row = {"attempt": launch, "round": round_, "samples": samples}
    return said if lineage is None else said | {"lineage": lineage}


def recorded(state: str, round_: int, **more: Any) -> Record:
    return Record.model_validate(
        {"id": "x", "stage": "train", "state": state, "round": round_} | more
    )


def values(found: live.LiveRows) -> dict[int, float]:
    return {round_: row["metrics"]["train/x"] for round_, row in found.rounds.items()}


def test_live_rows_of_an_interrupted_lineage_do_not_count_once_another_began() -> None:
    rows = [row(1, 1, 0, 0.1), row(1, 1, 1, 0.2), row(2, 2, 0, 0.3)]
    evals = [evaluated(1, 1, 0), evaluated(1, 1, 1, "dead"), evaluated(2, 2, 0)]
    found = live.of_rows(rows, evals, recorded("failed", 1, form=2, lineage=1))
    assert (found.lineage, values(found), found.reached) == (2, {0: 0.3}, 0)
    assert [row["samples"] for row in found.evals] == ["s"]  # the base model's alone


def test_live_rows_of_a_finished_trial_are_of_its_record_while_another_lineage_trains() -> None:
    rows = [row(1, 1, 0, 0.1), row(1, 1, 1, 0.2), row(2, 2, 0, 0.3), row(2, 2, 1, 0.4)]
    evals = [evaluated(1, 1, 1, "first"), evaluated(2, 2, 1, "second")]
    found = live.of_rows(rows, evals, recorded("done", 1, form=2, lineage=1))
    assert values(found) == {0: 0.1, 1: 0.2}
    assert [row["samples"] for row in found.evals] == ["first"]
    found = live.of_rows(rows, evals, recorded("done", 1, form=2, lineage=2, attempt=2))
    assert values(found) == {0: 0.3, 1: 0.4}
    assert [row["samples"] for row in found.evals] == ["second"]


@pytest.mark.parametrize(
    ("rows", "launch"),
    [
        ([row(1, 1, 0), row(1, 1, 1), row(1, 1, 2)], 0),
        ([row(1, 1, 0), row(1, 1, 1), row(1, 1, 2), row(2, 1, 3)], 0),  # saved at its end
        ([row(1, 1, 0), row(1, 1, 1), row(1, 1, 2), row(2, 1, 2)], 2),
        ([row(1, 1, 0), row(1, 1, 2), row(2, 1, 2), row(3, 1, 3), row(4, 2, 1)], 0),
        ([row(1, 1, 0), row(1, 1, 2), row(2, 1, 2), row(3, 1, 3)], 2),
    ],
)
def test_launch_that_replaced_rounds_of_a_lineage_is_told(rows: list[Row], launch: int) -> None:
    assert live.of_rows(rows, [], None).replaced_by == launch


def test_live_rows_of_the_base_model_are_of_their_own_lineage_where_it_has_them() -> None:
    rows = [row(1, 1, 0), row(1, 1, 1), row(2, 2, 0)]
    evals = [evaluated(1, 1, 0, "first"), evaluated(1, 1, 1, "trained")]
    evals += [evaluated(2, 2, 0, "other stack"), evaluated(2, 2, 0, "new") | {"benchmark": "more"}]
    found = live.of_rows(rows, evals, recorded("done", 1, form=2, lineage=1))
    assert [row["samples"] for row in found.evals] == ["first", "trained", "new"]


def test_live_rows_that_a_dead_launch_wrote_beyond_its_checkpoint_are_superseded() -> None:
    rows = [row(1, 1, r, r) for r in range(5)] + [row(2, 1, 3, 33)]
    evals = [evaluated(1, 1, r, f"first {r}") for r in (0, 2, 3, 4)]
    evals += [evaluated(2, 1, 3, "second 3")]
    found = live.of_rows(rows, evals, None)
    assert values(found) == {0: 0, 1: 1, 2: 2, 3: 33}
    assert [row["samples"] for row in found.evals] == ["first 0", "first 2", "second 3"]


def test_live_rows_keep_what_was_measured_later_of_finished_training() -> None:
    rows = [row(1, 1, r, r) for r in range(3)]
    evals = [evaluated(1, 1, 2), evaluated(2, 1, 2, "later")]
    found = live.of_rows(rows, evals, recorded("done", 2, form=2, lineage=1))
    assert [row["samples"] for row in found.evals] == ["s", "later"]


def test_live_rows_without_a_lineage_read_as_one_a_launch() -> None:
    rows = [row(1, None, 0, 0.1), row(1, None, 1, 0.2), row(2, None, 0, 0.3), row(2, None, 1, 0.4)]
    evals = [evaluated(1, None, 1, "dead"), evaluated(2, None, 1, "live")]
    old = recorded("done", 1, attempt=2)
    assert (old.form, old.lineage, old.branch) == (1, 2, "")
    found = live.of_rows(rows, evals, old)
    assert (found.lineage, values(found)) == (2, {0: 0.3, 1: 0.4})
    assert [row["samples"] for row in found.evals] == ["live"]


def test_live_rows_of_nothing_are_none() -> None:
    assert live.of_rows([], [], None) == live.LiveRows(0, {}, ())


@pytest.mark.parametrize(("lineage", "folder"), [(0, ""), (1, ""), (2, "L2"), (13, "L13")])
def test_branch_of_a_record_is_the_folder_of_its_lineage(lineage: int, folder: str) -> None:
    assert recorded("done", 1, form=2, lineage=lineage).branch == folder


def kept(folder: Path, rows: list[Row], evals: list[Row]) -> Path:
    for name, found in (("metrics", rows), ("evals", evals)):
        (folder / f"{name}.jsonl").write_text("")
        for line in found:
            journal.append(folder / f"{name}.jsonl", line)
    return folder


FIRST = [row(1, 1, r) for r in range(3)]
MEASURED = [evaluated(1, 1, 0, "base"), evaluated(1, 1, 2, "end")]


@pytest.mark.parametrize(
    ("rows", "evals", "record"),
    [
        (FIRST, MEASURED, recorded("done", 2, form=2, lineage=1)),
        (FIRST, [*MEASURED, evaluated(3, 1, 2, "later")], recorded("done", 2, form=2, lineage=1)),
        (FIRST, [], recorded("done", 2, form=2, lineage=1)),
        (FIRST, MEASURED[:1], recorded("stopped", 2, form=2, lineage=1)),
        (  # training again: what was measured of the first policy is not of the second
            [*FIRST, *(row(2, 2, r) for r in range(3))],
            [*MEASURED, evaluated(2, 2, 2, "again")],
            recorded("done", 2, form=2, lineage=2, attempt=2),
        ),
        (  # training again failed after it had measured the base model once more
            [*FIRST, row(2, 2, 0)],
            [*MEASURED, evaluated(2, 2, 0, "again")],
            recorded("done", 2, form=2, lineage=1),
        ),
        (  # a later launch went on from round 1
            [*FIRST[:2], row(2, 1, 1), row(2, 1, 2)],
            [evaluated(1, 1, 1, "dead"), evaluated(2, 1, 1, "live"), evaluated(2, 1, 2, "end")],
            recorded("done", 2, form=2, lineage=1, attempt=2),
        ),
        (
            [row(1, None, 0), row(2, None, 0), row(2, None, 1)],
            [evaluated(1, None, 1, "dead"), evaluated(2, None, 1, "live")],
            recorded("done", 1, attempt=2),
        ),
    ],
)
def test_measurements_of_finished_training_are_those_of_the_whole_reading(
    tmp_path: Path, rows: list[Row], evals: list[Row], record: Record
) -> None:
    folder = kept(tmp_path, rows, evals)
    found, whole = live.measured(folder, record), live.read(folder, record).evals
    assert [told(row) for row in found] == [told(row) for row in whole]


def told(row: Row) -> Row:
    """What a short reading keeps of a row."""
    return {k: row[k] for k in ("attempt", "lineage", "round", "key", "grader") if k in row}


def test_measurements_by_another_grader_are_read_whole(tmp_path: Path) -> None:
    old = {**MEASURED[0], "grader": "2", "scores": "some-scores"}
    folder = kept(tmp_path, FIRST, [old, *MEASURED[1:]])
    assert live.measured(folder, recorded("done", 2, form=2, lineage=1))[0] == old


def test_measurements_that_tell_by_themselves_need_no_other_journal(tmp_path: Path) -> None:
    folder = kept(tmp_path, FIRST, [{**row, "grader": GRADER_VERSION} for row in MEASURED])
    (folder / "metrics.jsonl").write_text("broken\n")
    record = recorded("done", 2, form=2, lineage=1)
    found = live.measured(folder, record)
    assert [told(row) for row in found] == [
        told({**row, "grader": GRADER_VERSION}) for row in MEASURED
    ]
    with pytest.raises(StateError, match=r"metrics.jsonl:1: not JSON"):
        live.measured(folder, recorded("done", 2, form=2, lineage=2))
