from __future__ import annotations

import io
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.catalog import ComputeProfile
from zoo.errors import StateError
from zoo.executors.local import LocalExecutor
from zoo.launching.processes import ProcessStamp, boot_id
from zoo.launching.task import write_task
from zoo.orchestrate import driver
from zoo.orchestrate.driver_lock import freeze
from zoo.orchestrate.driver_lock import holder as holder_of
from zoo.orchestrate.invocation import Sweep
from zoo.orchestrate.progress import Lines
from zoo.orchestrate.sweep_journal import read
from zoo.runs.sweep_status import read_status
from zoo.scheduling.executor import Handle
from zoo.store.run_store import claim, write_json
from zoo.train.entry import run as in_process
from zoo.train.job import Job

PROFILE = ComputeProfile(form="profile/1", name="test", executor="local")


class Broken:
    """A mirror whose store is gone."""

    problem = "no route to host"

    def begin(self) -> bool:
        raise ConnectionError("no route to host")

    def sync(self) -> bool:
        return False

    def finish(self, sweep_ok: bool | None, report: Path | None = None) -> bool:
        return False


def drive(
    made: simulated.Sweep, longest_prompts: dict[str, int] | None = None, **settings
) -> tuple[int, str]:
    out = io.StringIO()
    again = settings.pop("retrain", False)
    sweep = replace(sweep_of(made), longest_prompts=longest_prompts or {}, retrain=again)
    status = read_status(sweep.trials, sweep.store, retrain=sweep.retrain)
    ran = driver.run(sweep, status, settings.pop("executor", _local), Lines(out), **settings)
    assert ran.status.counts == read_status(sweep.trials, sweep.store).counts
    return ran.exit_code, out.getvalue()


def sweep_of(made: simulated.Sweep) -> Sweep:
    folder = made.folder / "sweeps" / "tiny"
    return Sweep(made.manifest, made.trials, made.store, folder, PROFILE)


def _local() -> LocalExecutor:
    return LocalExecutor(2, in_process)


def test_a_sweep_runs_every_trial_and_a_second_one_does_nothing(tmp_path: Path) -> None:
    made = simulated.make(tmp_path)
    status, told = drive(made)
    assert status == 0
    assert told.count("done in") == 4
    assert not read_status(made.trials, made.store).left

    def must_not_start() -> LocalExecutor:
        raise AssertionError("there is nothing to do")

    assert drive(made, executor=must_not_start) == (0, "")


def test_measured_prompts_reach_the_trial_process_and_no_identity(tmp_path: Path) -> None:
    made = simulated.make(tmp_path)
    first, *rest = made.trials
    drive(made, longest_prompts={first.id: 1208})
    jobs = {trial.id: Job.read(made.store.train(trial.id) / "trial.json") for trial in made.trials}
    assert jobs[first.id].longest_prompt == 1208
    assert {jobs[trial.id].longest_prompt for trial in rest} == {None}
    assert "longest_prompt" not in jobs[first.id].trial.model_dump_json()


def test_a_trial_file_without_measured_prompts_is_read(tmp_path: Path) -> None:
    (task, *_) = simulated.make(tmp_path).tasks()
    path = write_task(task)
    data = json.loads(path.read_text())
    del data["run"]["longest_prompt"]
    path.write_text(json.dumps(data))
    assert Job.read(path).longest_prompt is None


def test_the_plan_is_frozen_a_line_a_trial(tmp_path: Path) -> None:
    made = simulated.make(tmp_path)
    drive(made)
    lines = (tmp_path / "sweeps/tiny/plan.lock.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [trial.id for trial in made.trials]
    assert (made.store.sweep("tiny") / "tiny.yaml").read_text() == made.manifest.path.read_text()


def test_a_sweep_with_nothing_to_run_writes_its_lock(tmp_path: Path) -> None:
    made = simulated.make(tmp_path)
    drive(made)
    lock = tmp_path / "sweeps/tiny/plan.lock.jsonl"
    before = lock.read_text()
    lock.unlink()
    assert drive(made) == (0, "")
    assert lock.read_text() == before


def test_one_failure_changes_no_other_trial_and_is_tried_again_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = simulated.make(tmp_path)
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2@pocket-llama.correctness")
    status, told = drive(made)
    assert status == 1
    assert told.count("FAILED [error] round 2: failed, as set in ZOO_SIMULATE") == 1
    assert read_status(made.trials, made.store).counts == {
        "new": 0,
        "stale": 0,
        "done": 3,
        "unfinished": 0,
        "failed": 1,
        "void": 0,
    }
    monkeypatch.delenv("ZOO_SIMULATE")
    status, told = drive(made)
    assert status == 0
    assert told.count("started") == 1


def test_killed_trial_is_tried_again_three_times_and_once_by_the_next_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = simulated.make(tmp_path, models="pocket-llama")
    monkeypatch.setenv("ZOO_SIMULATE", "kill:2@correctness")
    status, told = drive(made, executor=lambda: LocalExecutor(2))
    assert status == 1
    assert told.count("correctness.pocket-easy  started") == 4
    assert "FAILED [killed] ended by SIGKILL without a record" in told
    assert "; tried again in 0s (3 of 3)" in told
    assert "(1/2)" in told
    status, told = drive(made, executor=lambda: LocalExecutor(2))
    assert (status, told.count("started")) == (1, 1)
    monkeypatch.delenv("ZOO_SIMULATE")
    assert drive(made)[0] == 0
    monkeypatch.setenv("ZOO_SIMULATE", "kill:4@correctness")
    longer = simulated.make(tmp_path, models="pocket-llama", rounds=5)
    _, told = drive(longer, executor=lambda: LocalExecutor(2), retrain=True)
    assert told.count("correctness.pocket-easy  started") == 4  # it was done in between


def test_failure_of_a_shared_cause_holds_back_what_has_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = simulated.make(tmp_path, seeds="0, 1")
    monkeypatch.setenv("ZOO_SIMULATE", "config:1@pocket-qwen2")
    status, told = drive(made, executor=lambda: LocalExecutor(1, in_process))
    assert status == 1
    assert told.count("FAILED [config]") == 1
    (line,) = (line for line in told.splitlines() if "held back" in line)
    assert line.count("pocket-qwen2") == 4  # three seeds and cells, and the one that failed
    assert read_status(made.trials, made.store).counts["new"] == 3
    assert read_status(made.trials, made.store).counts["done"] == 4
    monkeypatch.delenv("ZOO_SIMULATE")
    assert drive(made)[0] == 0


def test_executor_that_begins_nothing_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    class Mute:
        name, slots, closed, changes = "mute", 2, False, 0

        def open(self, tell, stop) -> None:
            """Nothing to prepare."""

        def has_room(self, task) -> bool:
            return True

        def start(self, task) -> Handle:
            return Handle(task.trial.id)

        def check(self) -> None:
            """It does not notice."""

        def close(self) -> None:
            self.closed = True

    made, mute = simulated.make(tmp_path), Mute()
    profile = PROFILE.model_copy(update={"silence_s": 0.3})
    sweep = replace(sweep_of(made), profile=profile)
    status = read_status(sweep.trials, sweep.store)
    with pytest.raises(StateError, match=r"nothing began within 0\.3 s of 2 trials"):
        driver.run(sweep, status, lambda: mute, Lines(io.StringIO()))
    assert mute.closed
    assert drive(made)[0] == 0


def test_deleted_journal_loses_counters_and_no_result(tmp_path: Path) -> None:
    made = simulated.make(tmp_path)
    drive(made)
    journal = made.store.sweep("tiny") / "journal.jsonl"
    assert len(read(journal).rows) == 10  # driver, 4 launches, 4 ends, over
    journal.unlink()
    assert drive(made) == (0, "")
    assert not journal.exists()  # there is nothing to do


def test_retraining_that_fails_is_told_by_the_status_of_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"models": "pocket-llama", "rewards": "correctness"}
    drive(simulated.make(tmp_path, **named))
    longer = simulated.make(tmp_path, rounds=5, **named)
    assert drive(longer) == (0, "")  # runs only if asked
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2")
    status, told = drive(longer, retrain=True)
    assert (status, "FAILED [error] training again failed; previous results are kept" in told) == (
        1,
        True,
    )
    monkeypatch.delenv("ZOO_SIMULATE")
    assert drive(longer, retrain=True)[0] == 0
    assert drive(longer, retrain=True) == (0, "")


def test_a_stopped_trial_that_is_measured_later_ends_at_the_round_that_it_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"models": "pocket-llama", "rewards": "correctness"}
    monkeypatch.setenv("ZOO_SIMULATE", "diverge:3")
    assert drive(simulated.make(tmp_path, **named), executor=lambda: LocalExecutor(2))[0] == 0
    _, told = drive(simulated.make(tmp_path, problems=9, **named))
    assert "stopped at round 2/3: round 3, update 1 of 1: loss is nan" in told


def test_launch_folders_of_dead_drivers_are_cleared_away(tmp_path: Path) -> None:
    made = simulated.make(tmp_path, models="pocket-llama", rewards="correctness")
    (task,) = made.tasks()
    bare, noted, fresh = (task.folder / "launches" / name for name in ("bare", "noted", "fresh"))
    for folder in (bare, noted, fresh):
        write_json(folder / "trial.json", {})
    ProcessStamp("noted", boot_id(), 2**22 + 1, 1, 2**22 + 1, 1).write(noted)
    os.utime(bare, (1, 1))
    assert drive(made)[0] == 0
    assert list((task.folder / "launches").iterdir()) == [fresh]


def test_a_model_that_is_added_runs_alone(tmp_path: Path) -> None:
    drive(simulated.make(tmp_path, models="pocket-qwen2"))
    _, told = drive(simulated.make(tmp_path, models="pocket-qwen2, pocket-llama"))
    assert told.count("started") == 2
    assert "pocket-qwen2" not in told


def test_a_second_driver_is_refused_and_told_who_holds_the_sweep(tmp_path: Path) -> None:
    made = simulated.make(tmp_path)
    folder = made.store.sweep("tiny")
    with claim(folder):
        (folder / "driver.json").write_text('{"pid": 4711, "host": "here", "since": "noon"}')
        with pytest.raises(StateError, match="run by process 4711 on here since noon"):
            drive(made)
        holder = holder_of(made.store, "tiny")
    assert holder is not None
    assert holder["pid"] == 4711
    assert holder_of(made.store, "tiny") is None
    assert not (tmp_path / "sweeps").exists()


def test_a_broken_mirror_harms_nothing_and_is_told_once(tmp_path: Path) -> None:
    status, told = drive(simulated.make(tmp_path), mirror=Broken)
    assert status == 0
    assert told.count("no route to host") == 1
    assert "the run folders are not affected" in told


def test_a_sweep_can_start_while_others_ask_who_runs_it(tmp_path: Path) -> None:
    made = simulated.make(tmp_path)
    with claim(made.store.sweep("tiny")):
        pass
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            holder_of(made.store, "tiny")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(100):
            freeze(sweep_of(made))  # claims the sweep, and refuses where it cannot
    finally:
        stop.set()
        thread.join()


def test_the_report_is_written_before_the_mirror_closes(tmp_path: Path) -> None:
    order = []

    class Watching(Broken):
        problem = ""

        def begin(self) -> bool:
            return True

        def finish(self, sweep_ok: bool | None, report: Path | None = None) -> bool:
            order.append((sweep_ok, report))
            return True

    drive(simulated.make(tmp_path), mirror=Watching, report=lambda: order.append("report"))
    assert order == ["report", (True, None)]


def test_an_executor_that_breaks_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    class Breaks:
        name = "breaks"

        def open(self, tell, stop) -> None:
            raise StateError("no machine")

    with pytest.raises(StateError, match="no machine"):
        drive(simulated.make(tmp_path), executor=Breaks)
