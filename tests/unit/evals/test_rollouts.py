"""Replaying a trial's kept rollouts: round by round, and on from where it was left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.errors import StateError
from zoo.evals import rollouts
from zoo.evals.stages import Graders
from zoo.launching.task import write_task
from zoo.rewards.base import group_seed
from zoo.rewards.replay import Replay
from zoo.runs import grader_drift
from zoo.store import record
from zoo.store.parquet import read_parquet, write_parquet
from zoo.store.record import Record
from zoo.train.entry import run
from zoo.trials.trial import Trial

REWARDS = ("correctness", "box-strict", "random", "majority", "format-only")


@pytest.fixture(scope="module")
def graders() -> Iterator[Graders]:
    made = Graders()
    yield made
    made.close()


def make(tmp_path: Path, rewards: str) -> simulated.Sweep:
    sweep = simulated.make(tmp_path, models="pocket-qwen2", rewards=rewards)
    assert [run(write_task(task)) for task in sweep.tasks()] == [0] * len(sweep.trials)
    return sweep


def replayed(
    sweep: simulated.Sweep, trial: Trial, graders: Graders, *, anew: bool = False
) -> Iterator[Replay]:
    return rollouts.replay_trial(sweep.store, trial, recorded(sweep, trial), graders, anew=anew)


def recorded(sweep: simulated.Sweep, trial: Trial) -> Record:
    found = record.read(sweep.store.train(trial.id))
    assert found is not None
    return found


def test_every_reward_comes_out_the_same_also_one_that_is_drawn(
    tmp_path: Path, graders: Graders
) -> None:
    sweep = make(tmp_path, ", ".join(REWARDS))
    for trial in sweep.trials:
        *_, last = replayed(sweep, trial, graders)
        assert (last.round, last.rollouts, last.rewards_changed) == (3, 24, 0), trial.id


def test_a_replay_goes_on_after_the_last_round_that_it_kept(
    tmp_path: Path, graders: Graders
) -> None:
    sweep = make(tmp_path, "correctness")
    (trial,) = sweep.trials
    for round_ in (1, 3):
        path = sweep.store.rollouts(trial.id, round_)
        rows = read_parquet(path)
        rows["reward"][0] = -1.0
        write_parquet(path, rows)
    first = next(replayed(sweep, trial, graders))
    assert grader_drift.present_replay(sweep.store.train(trial.id), recorded(sweep, trial)) == first
    sweep.store.rollouts(trial.id, 1).unlink()  # not asked for again
    *_, last = replayed(sweep, trial, graders)
    assert (last.round, last.rewards_changed, last.first_changed_round) == (3, 2, 1)
    with pytest.raises(StateError, match=r"round-0001\.parquet is gone"):
        next(replayed(sweep, trial, graders, anew=True))


def test_groups_are_read_in_their_order_with_their_seeds_and_lengths(tmp_path: Path) -> None:
    sweep = make(tmp_path, "correctness")
    (trial,) = sweep.trials
    path = sweep.store.rollouts(trial.id, 2)
    groups = rollouts.read(path, 2, trial.seed)
    rows = read_parquet(path)
    assert [group.seed for group in groups] == [group_seed(trial.seed, 2, i) for i in (0, 1)]
    read = [rollout for group in groups for rollout in group.rollouts_G]
    assert [rollout.text for rollout in read] == rows["text"]
    assert [rollout.n_tokens for rollout in read] == [len(ids) for ids in rows["token_ids"]]


def test_a_verdict_of_no_name_is_told_with_its_file(tmp_path: Path) -> None:
    sweep = make(tmp_path, "correctness")
    path = sweep.store.rollouts(sweep.trials[0].id, 3)
    rows = read_parquet(path)
    write_parquet(path, rows | {"verdict": ["fine"] * 8})
    with pytest.raises(StateError, match=r"round-0003\.parquet cannot be read \('fine'"):
        rollouts.read(path, 3, 0)
