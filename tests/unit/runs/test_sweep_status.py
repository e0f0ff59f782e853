from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.errors import StateError
from zoo.launching.task import write_task
from zoo.rewards.replay import Replay
from zoo.runs import grader_drift
from zoo.runs.sweep_status import read_again, read_status, trial_status
from zoo.store import record
from zoo.train.entry import run


@pytest.fixture
def sweep(tmp_path: Path) -> simulated.Sweep:
    return simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness")


def test_a_trial_that_never_ran_is_new(sweep: simulated.Sweep) -> None:
    item = trial_status(sweep.trials[0], sweep.store)
    assert (item.symbol, item.why, item.runs) == ("+", "never ran", True)


def test_a_finished_trial_is_done_and_does_not_run(sweep: simulated.Sweep) -> None:
    assert run(write_task(sweep.tasks()[0])) == 0
    item = trial_status(sweep.trials[0], sweep.store)
    assert (item.symbol, item.runs) == ("=", False)


def test_an_evaluation_that_came_later_is_named(tmp_path: Path) -> None:
    before = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness", problems=4)
    assert run(write_task(before.tasks()[0])) == 0
    after = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness", problems=6)
    assert after.trials[0].id == before.trials[0].id
    item = trial_status(after.trials[0], after.store)
    assert item.symbol == "+"
    assert item.why == "evaluation missing: pocket-easy/t1.0, pocket-easy/t0 at rounds 0, 3"


def test_only_what_is_missing_is_measured_later(tmp_path: Path) -> None:
    before = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness", problems=4)
    run(write_task(before.tasks()[0]))
    lines = (before.tasks()[0].folder / "metrics.jsonl").read_text()
    after = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness", problems=6)
    assert run(write_task(after.tasks()[0])) == 0
    assert not read_status(after.trials, after.store).left
    assert (after.tasks()[0].folder / "metrics.jsonl").read_text() == lines


def test_a_trial_without_a_record_is_unfinished_and_says_how_far_it_came(
    sweep: simulated.Sweep,
) -> None:
    task = sweep.tasks()[0]
    run(write_task(task))
    (task.folder / "record.json").unlink()
    item = trial_status(sweep.trials[0], sweep.store)
    assert (item.symbol, item.why) == (">", "no record after round 3/3; starts again")


def test_a_failed_trial_shows_its_class(
    sweep: simulated.Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2")
    assert run(write_task(sweep.tasks()[0])) == 1
    item = trial_status(sweep.trials[0], sweep.store)
    assert (item.symbol, item.why) == (
        "!",
        "failed at round 1/3, continues after round 1 [error]",
    )
    assert "failed, as set in ZOO_SIMULATE" in item.message


def test_longer_horizon_of_finished_trial_needs_training_again_and_runs_only_if_asked(
    sweep: simulated.Sweep,
) -> None:
    run(write_task(sweep.tasks()[0]))
    longer = sweep.trials[0].model_copy(update={"rounds": 9})
    item = trial_status(longer, sweep.store)
    assert (item.symbol, item.stands, item.runs) == ("~", True, False)
    assert item.why.startswith(
        "has 3 of 9 rounds, its optimiser was not kept, needs training again"
    )
    assert read_status([longer], sweep.store).left == []
    assert [i.state for i in read_status([longer], sweep.store, retrain=True).left] == ["retrain"]


def test_a_finished_trial_that_lacks_more_than_its_weights_can_give_is_trained_again_at_once(
    tmp_path: Path,
) -> None:
    named = {"models": "pocket-qwen2", "rewards": "correctness"}
    before = simulated.make(tmp_path, **named)
    run(write_task(before.tasks()[0]))
    watch = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 1, decodings: [t1.0]}\n"
    after = simulated.make(tmp_path, more=watch, **named)
    (item,) = read_status(after.trials, after.store).trials
    assert (item.symbol, item.runs, item.stands) == ("+", True, False)
    assert [round_ for _, round_ in item.due] == [0, 3]
    (item,) = read_status(after.trials, after.store, retrain=True).left
    assert (item.state, item.trains) == ("retrain", True)


@pytest.mark.parametrize(
    ("seconds", "gpus", "said"),
    [(4e-2, 0, "under 0.01 hours"), (4000, 0, "1.1 hours"), (360_000, 16, "1,600 GPU-hours")],
)
def test_hours_of_training_again_are_readable(
    sweep: simulated.Sweep, seconds: float, gpus: int, said: str
) -> None:
    task = sweep.tasks()[0]
    run(write_task(task))
    found = record.read(task.folder)
    assert found is not None
    told = {"seconds": seconds, "about": found.about | {"gpus": gpus}}
    record.write(task.folder, found.model_copy(update=told))
    item = trial_status(sweep.trials[0].model_copy(update={"rounds": 9}), sweep.store)
    assert (
        item.why == f"has 3 of 9 rounds, its optimiser was not kept, needs training again: {said}"
    )


def test_an_unreadable_record_stops_the_plan_and_says_which_file(sweep: simulated.Sweep) -> None:
    task = sweep.tasks()[0]
    run(write_task(task))
    (task.folder / "record.json").write_text('{"id": "x"')
    with pytest.raises(StateError, match="cannot be read"):
        read_status(sweep.trials, sweep.store)


def test_a_trial_whose_rewards_the_present_grader_changes_is_stale_and_stands(
    sweep: simulated.Sweep,
) -> None:
    task = sweep.tasks()[0]
    run(write_task(task))
    grader_drift.write(task.folder, Replay(round=3, rewards_changed=1, first_changed_round=2))
    status = read_status(sweep.trials, sweep.store)
    (item,) = status.trials
    assert (item.symbol, item.stands, item.runs) == ("~", True, False)
    assert item.why.startswith("rewards change from round 2 under grader ")
    assert (status.left, status.counts["stale"]) == ([], 1)
    grader_drift.write(task.folder, Replay(grader="another", round=3, first_changed_round=2))
    assert trial_status(sweep.trials[0], sweep.store).symbol == "="


def test_a_stale_trial_with_an_evaluation_missing_runs_for_that(tmp_path: Path) -> None:
    before = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness", problems=4)
    run(write_task(before.tasks()[0]))
    found = Replay(round=3, rewards_changed=1, first_changed_round=1)
    grader_drift.write(before.tasks()[0].folder, found)
    after = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness", problems=6)
    item = trial_status(after.trials[0], after.store)
    assert (item.symbol, item.stands, item.runs) == ("+", False, True)


def test_counts_name_every_word(sweep: simulated.Sweep) -> None:
    assert read_status(sweep.trials, sweep.store).counts == {
        "new": 1,
        "stale": 0,
        "done": 0,
        "unfinished": 0,
        "failed": 0,
        "void": 0,
    }


def test_looking_writes_nothing(sweep: simulated.Sweep) -> None:
    read_status(sweep.trials, sweep.store)
    assert not sweep.store.root.exists()


def test_a_simulated_record_says_so(sweep: simulated.Sweep) -> None:
    task = sweep.tasks()[0]
    run(write_task(task))
    found = record.read(task.folder)
    assert found is not None
    assert found.simulated
    assert found.stack == {"simulated": "1"}
    assert json.loads((task.folder / "trial.json").read_text())["trial"]["trainer"] == "simulated"


def test_a_done_trial_says_its_last_reward_from_its_record(sweep: simulated.Sweep) -> None:
    task = sweep.tasks()[0]
    run(write_task(task))
    last = json.loads((task.folder / "metrics.jsonl").read_text().splitlines()[-1])
    (task.folder / "metrics.jsonl").unlink()
    assert trial_status(sweep.trials[0], sweep.store).reward == last["metrics"]["train/reward"]


def test_looking_again_is_at_what_was_left(tmp_path: Path) -> None:
    made = simulated.make(tmp_path, models="pocket-qwen2", seeds="0, 1")
    first, second, third, _ = made.tasks()
    run(write_task(first))
    before = read_status(made.trials, made.store)
    for task in (second, third):
        run(write_task(task))
    (first.folder / "record.json").write_text("broken")  # it was done, and is not looked at
    after = read_again(before, made.store)
    assert [item.symbol for item in after.trials] == ["=", "=", "=", "+"]
    assert [item.trial for item in after.trials] == made.trials
