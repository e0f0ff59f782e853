"""A reward that fails too often ends its trial, once what it failed on was kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import simulated
from zoo.errors import TrialError
from zoo.launching.task import Task, write_task
from zoo.rewards.lookup import reward_of
from zoo.rewards.user import load_user_reward
from zoo.store import journal, record
from zoo.store.parquet import read_parquet
from zoo.train.entry import run
from zoo.train.job import Job
from zoo.train.reward_bridge import RewardBridge
from zoo.train.session_lifecycle import open_session
from zoo.trainer.team import Team

FAILS = """\
def fails(verdicts, completions, params, seed):
    return [1.0 / (len(completions) - 4) for c in completions]
"""


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A trial of rounds of 2 x 4 whose reward fails on groups of four."""
    path = tmp_path / "fails.py"
    path.write_text(FAILS)
    (task, *_) = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness").tasks()
    trial = task.trial.model_copy(update={"reward": load_user_reward(path).card})
    return replace(task, trial=trial)


def test_reward_faults_past_their_share_keep_the_round_before_they_end_a_trial(task: Task) -> None:
    assert run(write_task(task)) == 1
    found = record.read(task.folder)
    assert found is not None
    assert (found.state, found.failure_class, found.round) == ("failed", "reward", 0)
    assert "failed on 8 of 8 samples" in found.message
    rollouts = read_parquet(task.folder / "rollouts/round-0001.parquet")
    assert len(rollouts["text"]) == 8
    assert rollouts["reward"] == [None] * 8
    assert [row["round"] for row in journal.read(task.folder / "metrics.jsonl")] == [0]


def test_rewards_for_trl_past_their_share_of_faults_keep_the_round_first(task: Task) -> None:
    texts = [f"The answer is \\boxed{{{i}}}." for i in range(8)]
    with open_session(Job.read(write_task(task))) as session:
        session.begin()
        guard = reward_of(task.trial.reward, 8)
        bridge = RewardBridge(
            task.trial,
            Team(),
            guard,
            lambda items: session.bench.grader("boxed").grade(items).results,
            lambda: [0],
            lambda ids: texts[ids[0] - 1],
            0,
            session,
        )
        with pytest.raises(TrialError, match="failed on 8 of 8 samples"):
            bridge(
                prompts=["p"] * 8,
                completions=texts,
                completion_ids=[[i + 1, 0] for i in range(8)],
                trainer_state=SimpleNamespace(global_step=0),
                log_metric=lambda name, value: None,
                gold=["1"] * 8,
                level=[""] * 8,
                problem_id=["a"] * 4 + ["b"] * 4,
            )
    rollouts = read_parquet(task.folder / "rollouts/round-0001.parquet")
    assert rollouts["text"] == texts
    assert rollouts["reward"] == [None] * 8
    assert rollouts["group"] == [0] * 4 + [1] * 4
