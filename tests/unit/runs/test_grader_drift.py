"""Where a trial stands against the current grader, from its files alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.errors import StateError
from zoo.grading import GRADER_VERSION
from zoo.launching.task import write_task
from zoo.rewards.replay import Replay
from zoo.runs import grader_drift
from zoo.runs.grader_drift import Standing
from zoo.store import journal, record
from zoo.store.record import Record
from zoo.train.entry import run

OLDER = "older"


@pytest.fixture
def sweep(tmp_path: Path) -> simulated.Sweep:
    """One finished trial."""
    sweep = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness")
    assert run(write_task(sweep.tasks()[0])) == 0
    return sweep


def look(sweep: simulated.Sweep, **about: str) -> Standing:
    """The trial's standing, if its record said something else."""
    (trial,) = sweep.trials
    folder = sweep.store.train(trial.id)
    found = record.read(folder)
    assert found is not None
    found = found.model_copy(update={"about": found.about | about})
    return grader_drift.standing(trial, folder, found, journal.read(folder / "evals.jsonl"))


def test_a_trial_of_the_present_grader_leaves_nothing_to_say(sweep: simulated.Sweep) -> None:
    assert look(sweep) == grader_drift.NOTHING


def test_a_trial_of_another_grader_is_to_be_replayed_until_it_was_to_its_end(
    sweep: simulated.Sweep,
) -> None:
    folder = sweep.store.train(sweep.trials[0].id)
    assert look(sweep, grader=OLDER) == Standing(replay=True)
    grader_drift.write(folder, Replay(round=2))
    assert look(sweep, grader=OLDER) == Standing(replay=True)
    grader_drift.write(folder, Replay(round=3))
    assert look(sweep, grader=OLDER) == Standing()
    grader_drift.write(folder, Replay(round=3, rewards_changed=1, first_changed_round=2))
    assert look(sweep, grader=OLDER) == Standing(stale_from=2)


def test_a_trial_that_stopped_in_its_first_round_has_nothing_to_replay(
    sweep: simulated.Sweep,
) -> None:
    (trial,) = sweep.trials
    about = {"grader": OLDER}
    found = Record(id=trial.id, stage="train", state="stopped", round=0, about=about)
    assert grader_drift.standing(trial, sweep.store.train(trial.id), found, []) == Standing()


def test_what_a_third_grader_found_does_not_count(sweep: simulated.Sweep) -> None:
    folder = sweep.store.train(sweep.trials[0].id)
    grader_drift.write(folder, Replay(grader="third", round=3, first_changed_round=1))
    assert look(sweep, grader=OLDER) == Standing(replay=True)


def test_trials_that_are_not_finished_or_trained_elsewhere_have_nothing_to_replay(
    sweep: simulated.Sweep,
) -> None:
    (trial,) = sweep.trials
    folder = sweep.store.train(trial.id)
    found = Record(id=trial.id, stage="train", state="done", round=3, about={"grader": OLDER})
    failed = found.model_copy(update={"state": "failed"})
    foreign = trial.model_copy(update={"trainer": "external"})
    assert grader_drift.standing(trial, folder, found, []).replay
    assert not grader_drift.standing(trial, folder, failed, []).replay
    assert not grader_drift.standing(trial, folder, None, []).replay
    assert not grader_drift.standing(foreign, folder, found, []).replay


def test_of_lines_of_one_measurement_the_last_says_who_graded_it(sweep: simulated.Sweep) -> None:
    path = sweep.store.train(sweep.trials[0].id) / "evals.jsonl"
    row = journal.read(path)[0]
    journal.append(path, row | {"scores": "old", "grader": OLDER})
    assert look(sweep).scores == {"old"}
    journal.append(path, row | {"grader": GRADER_VERSION})
    assert not look(sweep).scores


@pytest.mark.parametrize("text", ["{", '{"grader": "1", "more": 1}', "[]"])
def test_a_file_that_cannot_be_read_is_named(sweep: simulated.Sweep, text: str) -> None:
    path = sweep.store.train(sweep.trials[0].id) / grader_drift.NAME
    path.write_text(text)
    with pytest.raises(StateError, match=r"regraded\.json cannot be read .*; remove it"):
        look(sweep)


def test_training_again_forgets_what_a_replay_of_the_old_rollouts_found(
    sweep: simulated.Sweep,
) -> None:
    folder = sweep.store.train(sweep.trials[0].id)
    grader_drift.write(folder, Replay(round=3, first_changed_round=1))
    (task,) = sweep.tasks()
    assert run(write_task(replace(task, retrain=True))) == 0
    assert look(sweep) == grader_drift.NOTHING
