"""A launch continues where the one before it saved: what it takes up, what it refuses, and how a
trial ends when it is asked to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import simulated
from tests.support.same_trial import traces
from tests.support.sweeps import wait_for
from zoo.errors import InputError
from zoo.launching import launch
from zoo.launching.task import Task, write_task
from zoo.planning.preflight import must_continue_alike
from zoo.planning.remaining import to_pay
from zoo.rewards.guard import Guard
from zoo.runs import checkpoints
from zoo.runs.sweep_status import read_status, trial_status
from zoo.store import journal, record
from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.train.entry import run
from zoo.train.job import Job
from zoo.train.session_lifecycle import open_session

WATCH = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 1, decodings: [t1.0]}\n"


def make(folder: Path, save_every: int | None = 2, **settings: Any) -> Task:
    folder.mkdir(exist_ok=True)
    given = {"models": "pocket-llama", "rewards": "box-strict", "rounds": 7, "more": WATCH}
    (task,) = simulated.make(folder, **given | settings).tasks()
    return replace(task, profile=task.profile.model_copy(update={"save_every": save_every}))


def recorded(task: Task) -> Record:
    found = record.read(task.folder)
    assert found is not None
    return found


def state(task: Task) -> list[str]:
    return sorted(path.name for path in (task.folder / "state").glob("round-*"))


def break_off(task: Task, monkeypatch: pytest.MonkeyPatch, how: str = "fail:6") -> None:
    """Run a trial until it fails."""
    monkeypatch.setenv("ZOO_SIMULATE", how)
    assert run(write_task(task)) == 1
    monkeypatch.delenv("ZOO_SIMULATE")


def test_launch_after_a_failure_continues_the_lineage_and_equals_an_undisturbed_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, calm = make(tmp_path / "a"), make(tmp_path / "b")
    break_off(task, monkeypatch)
    assert state(task) == ["round-0002", "round-0004"]
    item = trial_status(task.trial, task.store)
    assert item.why == "failed at round 5/7, continues after round 4 [error]"
    assert run(write_task(task)) == run(write_task(calm)) == 0
    found = recorded(task)
    assert (found.state, found.lineage, found.attempt) == ("done", 1, 2)
    assert found.about["resumed_from"] == 4
    assert "resumed_from" not in recorded(calm).about
    assert traces(task.trial, task.store) == traces(calm.trial, calm.store)
    assert not (task.folder / "state").exists()


def test_samples_beyond_the_checkpoint_are_taken_again_under_an_id_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    break_off(task, monkeypatch)
    before = {row["samples"] for row in journal.read(task.folder / "evals.jsonl")}
    assert run(write_task(task)) == 0
    rows = journal.read(task.folder / "evals.jsonl")
    again = [row for row in rows if row["attempt"] == 2]
    assert {row["round"] for row in again} == {5, 6, 7}
    assert before.isdisjoint(row["samples"] for row in again)


def test_damaged_checkpoint_is_named_in_the_record_and_the_one_before_it_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    break_off(task, monkeypatch)
    path = task.folder / "state" / "round-0004" / "simulated.json"
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    assert run(write_task(task)) == 0
    found = recorded(task)
    (said,) = found.about["damaged_checkpoints"]
    assert "round-0004.corrupt: simulated.json is not what was written" in said
    assert found.about["resumed_from"] == 2


def test_checkpoint_without_its_optimiser_cannot_be_continued_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    break_off(task, monkeypatch)
    root = task.folder / "state"
    checkpoints.retire(root, "all", lambda name: name == "simulated.json", extendable=False)
    assert trial_status(task.trial, task.store).why == "failed at round 5/7 [error]"
    assert run(write_task(task)) == 0
    said = (task.folder / "log.txt").read_text()
    assert "round 4 has weights and no optimiser; cannot continue there" in said
    assert recorded(task).lineage == 2


def test_account_of_failed_rewards_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    job = Job.read(write_task(task))

    def guard() -> Guard:
        return Guard("broken", lambda *_: [1.0, 2.0], {}, min_samples=10_000)

    first = guard()
    with open_session(job) as session:
        session.begin()
        session.log_round(0, {})
        session.saves.account(first)
        first.samples, first.faults, first.errors = 64, 8, ["group 1/0: it broke"]
        session.log_round(1, {})
        session.saves.save(1, write, 1, 1)
        session.write_record("preempted")
    with open_session(job) as session:
        found = session.begin()
        assert found is not None
        session.saves.account(second := guard())
        assert (second.samples, second.faults, second.errors) == (64, 8, first.errors)
        session.write_record("preempted")


def write(folder: Path) -> None:
    (folder / "simulated.json").write_text("{}")


CONDITIONS = {"torch": "1.0", "engine_dtype": "bfloat16", "grader": "0"}


@pytest.mark.parametrize("what", CONDITIONS)
def test_trial_does_not_continue_under_other_conditions_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    task = make(tmp_path)
    break_off(task, monkeypatch)
    for path in (task.folder / "state").glob("*/manifest.json"):
        said = json.loads(path.read_text())
        said["state"]["conditions"][what] = CONDITIONS[what]
        path.write_text(json.dumps(said))
    todo = read_status([task.trial], task.store)
    with pytest.raises(InputError, match=f"written under other conditions: {what} .*across-stacks"):
        must_continue_alike(todo, task.profile, {})
    before = (task.folder / "metrics.jsonl").read_bytes()
    assert run(write_task(task)) == 1
    found = recorded(task)
    assert (found.failure_class, found.state) == ("config", "failed")
    assert what in found.message
    assert (task.folder / "metrics.jsonl").read_bytes() == before
    assert run(write_task(replace(task, across_stacks=True))) == 0
    assert recorded(task).lineage == 1


def test_retrain_that_was_interrupted_continues_its_own_lineage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    assert run(write_task(task)) == 0
    again = replace(task, retrain=True)
    break_off(again, monkeypatch)
    assert state(replace(task)) == []
    assert run(write_task(again)) == 0
    found = recorded(task)
    assert (found.lineage, found.about["resumed_from"]) == (2, 4)


def test_horizon_below_the_checkpoints_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    break_off(task, monkeypatch)
    shorter = make(tmp_path, rounds=2, more="")
    assert shorter.trial.id == task.trial.id
    assert trial_status(shorter.trial, task.store).saved is None
    assert run(write_task(shorter)) == 0
    found = recorded(task)
    assert (found.round, found.lineage) == (2, 2)


def test_finished_trial_without_retrain_is_not_continued_by_old_state(tmp_path: Path) -> None:
    task = make(tmp_path)
    assert run(write_task(task)) == 0
    checkpoints.save(task.folder / "state", 3, write, {"conditions": {}})
    assert run(write_task(replace(task, retrain=True))) == 0
    found = recorded(task)
    assert (found.lineage, "resumed_from" in found.about) == (2, False)


def test_full_disk_fails_a_trial_with_its_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    real = shutil.disk_usage(tmp_path)
    full = type(real)(real.total, real.total, 0)
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: full)
    assert run(write_task(task)) == 1  # the first save asks for nothing, the second for as much
    found = recorded(task)
    assert (found.failure_class, found.round) == ("disk", 4)
    assert "no room for a checkpoint" in found.message
    assert state(task) == ["round-0002"]
    monkeypatch.undo()
    assert run(write_task(task)) == 0
    assert recorded(task).about["resumed_from"] == 2


# -- asked to end ---------------------------------------------------------------------------------


def wait_for_round(task: Task, round_: int) -> None:
    """Until the round after `round_` is being trained."""
    path, phase = task.folder / "metrics.jsonl", task.folder / "phase"

    def ended() -> bool:
        return path.exists() and path.read_bytes().count(b"\n") > round_

    wait_for(lambda: ended() and phase.read_text() == "training")
    time.sleep(0.3)  # what is measured after it takes no time


def stopped(
    task: Task, monkeypatch: pytest.MonkeyPatch, *signals: signal.Signals, sleep_s: float = 0.6
) -> tuple[int, float]:
    """Status of a trial that gets signals in its third round, and seconds from them to its end."""
    monkeypatch.setenv("ZOO_SIMULATE", f"sleep:{sleep_s}")
    child = launch.TrialProcess(task)
    wait_for_round(task, 2)
    began = time.monotonic()
    for number in signals:
        os.kill(child.leader.pid, number)
        time.sleep(0.1)
    status = child.leader.process.await_end()
    child.end()
    monkeypatch.delenv("ZOO_SIMULATE")
    return status, time.monotonic() - began


def test_sigint_ends_the_round_saves_and_exits_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path, save_every=100)
    status, _ = stopped(task, monkeypatch, signal.SIGINT)
    assert status == 130
    found = recorded(task)
    assert (found.state, found.round, state(task)) == ("preempted", 3, ["round-0003"])
    assert "ends with this round, in about" in (task.folder / "log.txt").read_text()
    why = "interrupted at round 3/7; continues after round 3"
    assert trial_status(task.trial, task.store).why == why
    assert run(write_task(task)) == 0
    assert recorded(task).about["resumed_from"] == 3


def test_second_sigint_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make(tmp_path, save_every=100)
    status, seconds = stopped(task, monkeypatch, signal.SIGINT, signal.SIGINT, sleep_s=3.0)
    assert (status, recorded(task).round, state(task)) == (130, 2, [])
    assert seconds < 2.0


@pytest.mark.parametrize("grace_s", [20.0, 0.2])
def test_sigterm_ends_the_round_only_where_the_grace_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grace_s: float
) -> None:
    task = make(tmp_path, save_every=2)
    task = replace(task, profile=task.profile.model_copy(update={"grace_s": grace_s}))
    status, seconds = stopped(task, monkeypatch, signal.SIGTERM, sleep_s=1.5)
    assert status == 143
    if grace_s > 1:
        assert (recorded(task).round, state(task)) == (3, ["round-0002", "round-0003"])
    else:
        assert (recorded(task).round, state(task)) == (2, ["round-0002"])
        assert seconds < 1.2


def test_second_sigint_in_the_first_round_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    monkeypatch.setenv("ZOO_SIMULATE", "sleep:30")
    child = launch.TrialProcess(task)
    wait_for_round(task, 0)
    os.kill(child.leader.pid, signal.SIGINT)  # in the first round, of unknown length
    time.sleep(0.2)
    assert child.leader.process.status() is None
    os.kill(child.leader.pid, signal.SIGINT)
    assert child.leader.process.await_end() == 130
    child.end()


def test_store_without_state_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make(tmp_path, save_every=100)
    break_off(task, monkeypatch)
    assert Store(task.runs).train(task.trial.id) == task.folder
    assert trial_status(task.trial, task.store).saved is None
    assert run(write_task(task)) == 0
    assert recorded(task).lineage == 2


def test_plan_pays_only_the_rounds_that_are_left_of_a_continued_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(tmp_path)
    break_off(task, monkeypatch)
    rest = to_pay(trial_status(task.trial, task.store))
    assert (task.trial.rounds, rest.rounds) == (7, 3)
    assert {e.rounds for e in rest.evaluations} == {(3,), (1, 2, 3)}
