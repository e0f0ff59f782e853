"""Grade a trial's stored rollouts again with the current grader, a round at a time.

One round is in memory at a time. Results are stored in the trial's folder after every round, so
that an interrupted replay is resumed; the caller holds the trial's lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from zoo.errors import StateError
from zoo.evals.stages import Graders
from zoo.grading import Verdict
from zoo.rewards.base import group_seed
from zoo.rewards.lookup import reward_of
from zoo.rewards.replay import Replay, Rollout, RolloutGroup, replay
from zoo.runs import grader_drift
from zoo.store.parquet import read_responses
from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

COLUMNS = ["group", "gold", "text", "verdict", "reward", "finish"]


def replay_trial(
    store: Store, trial: Trial, record: Record, graders: Graders, *, anew: bool = False
) -> Iterator[Replay]:
    """Replay the remaining rounds; yields the results so far after each.

    Args:
        record: of the trial's finished training.
        anew: begin at round 1; ignore earlier results.

    Raises:
        StateError: rollouts of a round are gone or cannot be read.
        TrialError: the reward fails on too many samples.
    """
    folder = store.train(trial.id)
    before = None if anew else grader_drift.present_replay(folder, record)
    found = before or Replay(lineage=record.lineage)
    reward = reward_of(trial.reward)
    for round_ in range(found.round + 1, grader_drift.to_replay(trial, record) + 1):
        groups = read(store.rollouts(trial.id, round_, record.branch), round_, trial.seed)
        found = replay(groups, reward, graders(trial.reward.extract), found)
        reward.check()
        grader_drift.write(folder, found, durable=not trial.simulated)
        yield found


def read(path: Path, round_: int, seed: int) -> list[RolloutGroup]:
    """The rollouts of one round by group, in their order. `seed`: the trial's.

    Raises:
        StateError: the file is gone, cannot be read, or contains no rollout.
    """
    rows = read_responses(path, COLUMNS)
    columns = [rows[name] for name in (*COLUMNS, "length")]
    try:
        rollouts = [
            (group, Rollout(str(gold), text, Verdict(verdict), reward, length, finish))
            for group, gold, text, verdict, reward, finish, length in zip(*columns, strict=True)
        ]
    except ValueError as error:
        raise StateError(f"{path} cannot be read ({error})") from error
    if not rollouts:
        raise StateError(f"{path} contains no rollout")
    return [
        RolloutGroup(round_, group_seed(seed, round_, group), [rollout for _, rollout in same])
        for group, same in groupby(rollouts, key=lambda row: row[0])
    ]
