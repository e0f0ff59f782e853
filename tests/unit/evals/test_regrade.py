"""Grading the stored completions of a measurement again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import simulated
from tests.support.older_grader import age, err
from zoo.errors import StateError
from zoo.evals.regrade import Regrader
from zoo.evals.stages import Graders
from zoo.grading import GRADER_VERSION
from zoo.launching.task import write_task
from zoo.store import journal, record
from zoo.store.parquet import read_parquet, write_parquet
from zoo.train.entry import run
from zoo.trials.trial import Trial


@pytest.fixture
def graders() -> Iterator[Graders]:
    made = Graders()
    yield made
    made.close()


@pytest.fixture
def sweep(tmp_path: Path) -> simulated.Sweep:
    """Two finished trials of one model, by an older grader."""
    sweep = simulated.make(tmp_path, models="pocket-qwen2")
    assert [run(write_task(task)) for task in sweep.tasks()] == [0, 0]
    age(sweep.store)
    return sweep


def rows(sweep: simulated.Sweep, trial: Trial) -> list[dict[str, Any]]:
    return journal.read(sweep.store.train(trial.id) / "evals.jsonl")


def grade(sweep: simulated.Sweep, graders: Graders) -> Regrader:
    """Grade all measurements of all trials again."""
    regrader = Regrader(sweep.store, graders)
    for trial in sweep.trials:
        for row in rows(sweep, trial):
            regrader.measurement(trial, row)
    return regrader


def test_samples_that_trials_share_are_graded_and_told_once(
    sweep: simulated.Sweep, graders: Graders
) -> None:
    assert len(grade(sweep, graders).compared) == 2 + 4
    new = [rows(sweep, trial)[4:] for trial in sweep.trials]
    base = [[row["scores"] for row in lines if row["round"] == 0] for lines in new]
    assert base[0] == base[1]


def test_new_scores_lie_beside_the_old_ones_in_the_order_of_the_completions(
    sweep: simulated.Sweep, graders: Graders
) -> None:
    old = rows(sweep, sweep.trials[0])[-1]
    before = sweep.store.verdicts(old["scores"]).read_bytes()
    grade(sweep, graders)
    new = rows(sweep, sweep.trials[0])[-1]
    assert (new["samples"], new["grader"]) == (old["samples"], GRADER_VERSION)
    assert new["scores"] != old["scores"]
    assert sweep.store.verdicts(old["scores"]).read_bytes() == before
    scores = read_parquet(sweep.store.verdicts(new["scores"]))
    samples = read_parquet(sweep.store.completions(new["samples"]))
    assert scores["id"] == samples["id"]
    found = record.read(sweep.store.folder("scores", new["scores"]))
    assert found is not None
    assert found.identity["grader"] == GRADER_VERSION
    assert (found.simulated, found.stack) == (True, {"simulated": "1"})


def test_what_moved_is_counted_by_where_it_went(sweep: simulated.Sweep, graders: Graders) -> None:
    (path,) = [
        sweep.store.verdicts(row["scores"])
        for row in rows(sweep, sweep.trials[1])
        if (row["round"], row["decoding"]) == (3, "t0")
    ]
    err(path, {"verdict": "exhausted"}, rows=1)
    (moved,) = [c for c in grade(sweep, graders).compared if c.moved]
    assert moved.transitions == {("exhausted", "correct"): 1}
    (case,) = moved.cases
    assert (case.benchmark, case.old, case.new) == ("pocket-easy", "exhausted", "correct")
    assert case.gold in (case.prediction or "")
    assert moved.reproduces is None


def test_old_verdicts_that_are_gone_leave_only_the_numbers_to_compare(
    sweep: simulated.Sweep, graders: Graders
) -> None:
    for row in rows(sweep, sweep.trials[0]):
        sweep.store.verdicts(row["scores"]).unlink()
    found = grade(sweep, graders).compared
    assert sum(c.transitions is None for c in found) == 4
    assert all((c.before, c.moved) == (c.after, 0) for c in found)


def test_verdicts_of_other_rows_are_not_compared(sweep: simulated.Sweep, graders: Graders) -> None:
    row = rows(sweep, sweep.trials[0])[0]
    path = sweep.store.verdicts(row["scores"])
    scores = read_parquet(path)
    write_parquet(path, {name: values[::-1] for name, values in scores.items()})
    assert grade(sweep, graders).compared[0].transitions is None


def test_a_measurement_that_the_manifest_dropped_is_graded_as_it_was(
    sweep: simulated.Sweep, graders: Graders
) -> None:
    trial = sweep.trials[0].model_copy(update={"evaluations": ()})
    row = rows(sweep, trial)[0]
    regrader = Regrader(sweep.store, graders)
    regrader.measurement(trial, row)
    assert rows(sweep, trial)[-1]["samples"] == row["samples"]
    (sweep.store.folder("scores", row["scores"]) / "record.json").unlink()
    with pytest.raises(StateError, match="the extraction rule it was graded by is not recorded"):
        regrader.measurement(trial, row)


def test_completions_that_are_gone_leave_no_folder_and_no_line(
    sweep: simulated.Sweep, graders: Graders
) -> None:
    trial = sweep.trials[0]
    before, folders = rows(sweep, trial), set((sweep.store.root / "scores").iterdir())
    sweep.store.completions(before[0]["samples"]).unlink()
    with pytest.raises(StateError, match=r"completions\.parquet is gone"):
        Regrader(sweep.store, graders).measurement(trial, before[0])
    assert rows(sweep, trial) == before
    assert set((sweep.store.root / "scores").iterdir()) == folders


def test_a_torn_last_line_of_the_index_is_mended(sweep: simulated.Sweep, graders: Graders) -> None:
    trial = sweep.trials[0]
    path = sweep.store.train(trial.id) / "evals.jsonl"
    with path.open("a") as stream:
        stream.write('{"attempt": 1, "ro')
    Regrader(sweep.store, graders).measurement(trial, rows(sweep, trial)[0])
    assert len(rows(sweep, trial)) == 5
