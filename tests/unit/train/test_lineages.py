"""What a launch may touch: it continues or opens lineages, rewrites no finished record, trains only
if asked."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.errors import TrialError
from zoo.evals.stages import Sampler
from zoo.launching import launch
from zoo.launching.task import Task, write_task
from zoo.runs import live
from zoo.runs.outcome import load
from zoo.runs.sweep_status import trial_status
from zoo.store import journal, record
from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.train import session as sessions
from zoo.train.endings import Interrupted
from zoo.train.entry import run
from zoo.train.job import Job
from zoo.train.session_lifecycle import open_session
from zoo.trials.trial import Trial

WATCH = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 1, decodings: [t1.0]}\n"


def make(tmp_path: Path, **settings: object) -> tuple[Task, Trial, Store]:
    given = {"models": "pocket-llama", "rewards": "correctness"} | settings
    sweep = simulated.make(tmp_path, **given)
    (task,) = sweep.tasks()
    return task, task.trial, sweep.store


def recorded(task: Task) -> Record:
    found = record.read(task.folder)
    assert found is not None
    return found


def files(folder: Path, *parts: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in parts
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }


def test_second_lineage_deletes_nothing_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, trial, store = make(tmp_path, more=WATCH)
    monkeypatch.setenv("ZOO_SIMULATE", "fail:3")
    assert run(write_task(task)) == 1
    first = files(task.folder, "rollouts")
    assert set(first) == {"rollouts/round-0001.parquet", "rollouts/round-0002.parquet"}
    monkeypatch.delenv("ZOO_SIMULATE")
    shutil.rmtree(task.folder / "state")  # nothing to continue from
    assert run(write_task(task)) == 0
    found = recorded(task)
    assert (found.state, found.attempt, found.lineage) == ("done", 2, 2)
    after = files(task.folder, "rollouts")
    assert {name: after[name] for name in first} == first
    assert store.rollouts(trial.id, 3, found.branch).is_file()
    assert store.checkpoint(trial.id, 3, found.branch).is_dir()
    assert [row["attempt"] for row in journal.read(task.folder / "metrics.jsonl")] == [1] * 3 + [
        2
    ] * 4
    measured = load(trial, store)
    assert (measured.state, measured.lineage, len(measured.rounds)) == ("done", 2, 4)


def test_evaluations_of_a_dead_lineage_stay_out_of_the_finished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, *_ = make(tmp_path, more=WATCH)
    monkeypatch.setenv("ZOO_SIMULATE", "fail:3")
    assert run(write_task(task)) == 1  # measured at rounds 0, 1 and 2
    monkeypatch.delenv("ZOO_SIMULATE")
    shutil.rmtree(task.folder / "state")
    later, trial, store = make(tmp_path)  # measured at 0 and 3 alone
    assert run(write_task(later)) == 0
    assert {m.round for m in load(trial, store).measured} == {0, 3}


def test_evaluation_added_later_whose_weights_were_not_kept_waits_for_retrain(
    tmp_path: Path,
) -> None:
    task, trial, store = make(tmp_path)
    assert run(write_task(task)) == 0
    before = (task.folder / "record.json").read_bytes()
    kept = files(task.folder, "rollouts", "checkpoints")
    more, often, _ = make(tmp_path, more=WATCH)
    assert often.id == trial.id
    assert trial_status(often, store).why.startswith(
        "evaluation missing: pocket-easy/t1.0 at rounds 0, "
    )
    assert run(write_task(more)) == 0  # rounds 0 and 3 are measured, 1 and 2 are not
    item = trial_status(often, store)
    assert (item.symbol, item.runs) == ("~", False)
    assert item.why.startswith("pocket-easy/t1.0 at rounds 1, 2: weights not kept, needs training")
    assert (task.folder / "record.json").read_bytes() == before
    assert files(task.folder, "rollouts", "checkpoints") == kept
    assert load(often, store).state == "incomplete"


def test_retrain_opens_a_lineage_and_keeps_the_finished_one(tmp_path: Path) -> None:
    task, trial, store = make(tmp_path)
    assert run(write_task(task)) == 0
    first = recorded(task)
    kept = files(task.folder, "rollouts", "checkpoints")
    longer = replace(task, trial=trial.model_copy(update={"rounds": 5}), retrain=True)
    assert run(write_task(longer)) == 0
    found = recorded(task)
    assert (found.round, found.lineage, found.branch) == (5, 2, "L2")
    assert record.Record.model_validate_json((task.folder / "record.L1.json").read_text()) == first
    after = files(task.folder, "rollouts", "checkpoints")
    assert {name: after[name] for name in kept} == kept
    assert trial_status(longer.trial, store).symbol == "="


def test_retrain_is_not_done_again_by_whoever_waited_for_it(tmp_path: Path) -> None:
    task, trial, _ = make(tmp_path)
    assert run(write_task(task)) == 0
    longer = replace(task, trial=trial.model_copy(update={"rounds": 5}), retrain=True)
    waiting = write_task(replace(longer, token="waiting"))  # of another sweep, at the same time
    assert run(write_task(longer)) == 0
    lines = (task.folder / "metrics.jsonl").read_bytes()
    assert run(waiting) == 0
    assert (task.folder / "metrics.jsonl").read_bytes() == lines
    assert recorded(task).lineage == 2
    launched = launch.run(replace(longer, token="late"), lambda: None)
    assert (launched.state, (task.folder / "metrics.jsonl").read_bytes()) == ("done", lines)


@pytest.mark.parametrize("how", ["fail:2", "diverge:2"])
def test_retrain_that_does_not_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    task, trial, store = make(tmp_path)
    assert run(write_task(task)) == 0
    first = recorded(task)
    monkeypatch.setenv("ZOO_SIMULATE", how)
    status = run(write_task(replace(task, retrain=True)))
    if how == "fail:2":  # a failure says nothing of the policy that is there
        assert (status, recorded(task)) == (1, first)
        assert load(trial, store).lineage == 1
    else:  # an outcome does
        assert (status, recorded(task).stop_reason) == (0, "diverged")
        assert load(trial, store).lineage == 2


def test_diverged_trial_is_stopped_at_its_last_finite_round_and_never_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, trial, store = make(tmp_path)
    monkeypatch.setenv("ZOO_SIMULATE", "diverge:2")
    assert launch.run(task, lambda: None).state == "stopped"
    found = recorded(task)
    assert (found.state, found.stop_reason, found.round) == ("stopped", "diverged", 1)
    assert found.message == "round 2, update 1 of 1: loss is nan"
    item = trial_status(trial, store)
    assert (item.symbol, item.why, item.runs) == ("=", "stopped at round 1/3 (diverged)", False)
    outcome = load(trial, store)
    assert (outcome.state, {m.round for m in outcome.measured}) == ("stopped", {0, 1})


def test_failed_last_evaluation_leaves_training_done_and_the_evaluation_missing(
    tmp_path: Path,
) -> None:
    task, trial, store = make(tmp_path)

    def broken() -> Sampler:
        raise TrialError("error", "the engine died")

    def keep(folder: Path) -> None:
        (folder / "SIMULATED").write_text("weights")

    def work() -> None:
        with open_session(Job.read(write_task(task))) as session:
            session.begin()
            session.log_round(0, {})
            for round_ in (1, 2, 3):
                session.close_round(round_, {"train/reward": 0.5}, broken, keep)

    with pytest.raises(TrialError, match="the engine died"):
        work()
    assert recorded(task).state == "done"
    assert trial_status(trial, store).why.startswith(
        "evaluation missing: pocket-easy/t1.0, pocket-easy/t0 at rounds 0, 3"
    )
    assert run(write_task(task)) == 0  # measures what is missing from the weights
    assert trial_status(trial, store).symbol == "="
    assert recorded(task).lineage == live.read(task.folder, recorded(task)).lineage == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_signal_while_a_record_is_written_does_not_undo_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    task, trial, store = make(tmp_path)
    write = record.write
    hits = [1]

    def interrupted(folder: Path, found: Record, *, durable: bool = True) -> None:
        if moment == "after":
            write(folder, found, durable=durable)
        if found.stage == "train" and hits:
            hits.pop()
            raise Interrupted(128 + signal.SIGTERM)
        write(folder, found, durable=durable)

    monkeypatch.setattr(sessions.records, "write", interrupted)
    assert run(write_task(task)) == 143
    monkeypatch.undo()
    found = recorded(task)
    assert (found.state, found.round) == ("done", 3)
    assert store.checkpoint(trial.id, 3).is_dir()
    assert not (task.folder / "record.L1.json").exists()  # nothing was there before it


def test_finished_trial_started_again_leaves_every_file_as_it_is(tmp_path: Path) -> None:
    task, *_ = make(tmp_path)
    assert run(write_task(task)) == 0
    before = files(task.folder, "rollouts", "checkpoints") | {
        name: (task.folder / name).read_bytes()
        for name in ("record.json", "metrics.jsonl", "evals.jsonl")
    }
    assert run(write_task(task)) == 0
    after = files(task.folder, "rollouts", "checkpoints") | {
        name: (task.folder / name).read_bytes()
        for name in ("record.json", "metrics.jsonl", "evals.jsonl")
    }
    assert after == before
