from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.launching import launch, processes
from zoo.launching import task as task_module
from zoo.launching.launch import LaunchResult
from zoo.launching.ranks import PORTS, free_port
from zoo.launching.task import Task
from zoo.runs import live
from zoo.scheduling.executor import Stop
from zoo.store import record
from zoo.store.run_store import claim, write_json


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness").tasks()[0]


def never() -> None:
    return None


def test_a_trial_runs_as_a_process_and_leaves_nothing_running(task: Task) -> None:
    ended = launch.run(task, never)
    assert ended.state == "done"
    assert ended.seconds > 0
    assert processes.of_launch(task.token) == []
    assert not task.launch.exists()


def test_the_process_gets_profile_and_token(task: Task) -> None:
    profile = task.profile.model_copy(update={"env": {"OMP_NUM_THREADS": "3"}})
    env = launch.environment(Task(task.trial, profile, task.runs, "abc"))
    assert env["OMP_NUM_THREADS"] == "3"
    assert env["ZOO_LAUNCH"] == "abc"
    assert env["ZOO_LAUNCHER_PIPE"] == "1"
    assert env["PYTHONUNBUFFERED"] == "1"


def test_ports_of_two_launches_differ() -> None:
    found = {free_port() for _ in range(5)}
    assert len(found) > 1
    assert all(port in PORTS for port in found)


def test_variables_of_another_launcher_reach_no_trial(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "3")
    assert not {"WORLD_SIZE", "RANK"} & set(launch.environment(task))


def test_a_killed_trial_gets_its_record_from_the_launcher(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "kill:2")
    ended = launch.run(task, never)
    assert (ended.state, ended.failure_class) == ("failed", "killed")
    found = record.read(task.folder)
    assert found is not None
    assert (found.state, found.failure_class, found.round, found.attempt) == (
        "failed",
        "killed",
        1,
        1,
    )
    assert found.about["token"] == task.token
    assert found.message.startswith("ended by SIGKILL without a record")
    assert found.simulated


def test_launch_folder_of_a_launcher_that_dies_at_once_says_who_it_was(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(task: Task) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "write_task", die)
    with pytest.raises(KeyboardInterrupt):
        launch.TrialProcess(task)
    (note,) = processes.read_notes(task.folder).values()
    assert (note.token, note.launcher, note.leader_alive) == (task.token, os.getpid(), False)
    assert note.launcher_alive


def test_a_failing_trial_keeps_the_record_that_it_wrote(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:3")
    ended = launch.run(task, never)
    assert (ended.state, ended.failure_class) == ("failed", "error")
    found = record.read(task.folder)
    assert found is not None
    assert "written_by" not in found.about
    assert "failed, as set in ZOO_SIMULATE" in (task.folder / "log.txt").read_text()


def test_a_process_that_dies_before_its_first_line_is_recorded_with_its_log(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "")
    monkeypatch.setattr(task_module, "source_folder", lambda: "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    monkeypatch.setattr("sys.executable", "/bin/false")
    ended = launch.run(task, never)
    assert (ended.state, ended.failure_class) == ("failed", "error")
    assert ended.message == "ended by exit status 1 without a record"


@pytest.mark.parametrize(("how", "grace_s"), [("hang:2", 10.0), ("deaf:2", 0.5)])
def test_a_stopped_trial_is_preempted_whether_it_listens_or_not(
    task: Task, monkeypatch: pytest.MonkeyPatch, how: str, grace_s: float
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", how)
    stop, found = Stop(), []
    thread = threading.Thread(target=lambda: found.append(launch.run(task, stop.grace)))
    thread.start()
    _wait_for_round(task, 1)
    stop.set(grace_s)
    thread.join(20)
    assert [(e.state, e.failure_class) for e in found] == [("preempted", "interrupted")]
    written = record.read(task.folder)
    assert written is not None
    assert (written.state, written.round) == ("preempted", 1)
    assert processes.of_launch(task.token) == []


def test_training_again_that_is_interrupted_says_so_and_leaves_the_record(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert launch.run(task, never).state == "done"
    kept = (task.folder / "record.json").read_bytes()
    monkeypatch.setenv("ZOO_SIMULATE", "hang:2")
    longer = task.trial.model_copy(update={"rounds": 5})
    again = replace(task, trial=longer, token=f"{task.token}-again", retrain=True)
    stop, found = Stop(), []
    thread = threading.Thread(target=lambda: found.append(launch.run(again, stop.grace)))
    thread.start()
    _wait_for_round(task, 5)  # four lines of the first lineage, two of the second
    stop.set(10.0)
    thread.join(20)
    assert [(e.state, e.message) for e in found] == [("preempted", "training again")]
    assert (task.folder / "record.json").read_bytes() == kept


def test_a_trial_that_another_process_holds_is_waited_for(task: Task) -> None:
    stop, found = Stop(), []
    with claim(task.folder):
        thread = threading.Thread(target=lambda: found.append(launch.run(task, stop.grace)))
        thread.start()
        time.sleep(0.3)
        assert not (task.folder / "log.txt").exists()
    thread.join(20)
    assert [e.state for e in found] == ["done"]


def test_nothing_starts_after_a_stop(task: Task) -> None:
    assert launch.run(task, lambda: 0.0) == LaunchResult("preempted", "interrupted")
    assert not (task.folder / "trial.json").exists()


def test_the_reaper_leaves_alone_what_has_a_living_launcher(task: Task) -> None:
    task.launch.mkdir(parents=True)
    processes.ProcessStamp.of(task.token, os.getpid()).write(task.launch)
    assert processes.reap(task.folder, patience_s=0) == []
    assert task.launch.exists()


def test_the_reaper_leaves_alone_a_launch_of_another_machine_until_it_is_old_and_not_held(
    task: Task,
) -> None:
    elsewhere = processes.ProcessStamp(task.token, "another-boot", 1, 1, 1, 1)
    elsewhere.write(task.launch)
    processes.reap(task.folder, patience_s=0)
    assert task.launch.exists()  # it may have started just now
    assert processes.running(task.folder) == set()
    os.utime(task.launch, (1, 1))
    with claim(task.folder):
        processes.reap(task.folder, patience_s=0)
        assert task.launch.exists()
        assert processes.running(task.folder) == {task.token}
    processes.reap(task.folder, patience_s=0)
    assert not task.launch.exists()


def test_a_number_that_belongs_to_somebody_else_by_now_does_not_match() -> None:
    note = processes.ProcessStamp.of("token", os.getpid())
    assert note.leader_alive
    later = processes.ProcessStamp(note.token, note.boot, note.pid, note.started + 1, 1, 1)
    assert not later.leader_alive


def test_the_processes_of_many_launches_are_killed_together() -> None:
    tokens = [f"together-{os.getpid()}-{i}" for i in range(3)]
    started = []
    for token in tokens[:2]:
        env = {**os.environ, processes.TOKEN_VARIABLE: token}
        started.append(subprocess.Popen(["sleep", "60"], env=env))
    while len(processes.of_launch(*tokens)) < 2:
        time.sleep(0.01)
    assert processes.of_launch() == []
    assert processes.kill_launch(*tokens) == sorted(process.pid for process in started)
    assert [process.wait(5) for process in started] == [-9, -9]


def _wait_for_round(task: Task, round_: int) -> None:
    path, end = task.folder / "metrics.jsonl", time.monotonic() + 30
    while time.monotonic() < end:
        if path.exists() and path.read_text().count("\n") > round_:
            return
        time.sleep(0.02)
    raise AssertionError("the trial did not get going")


def test_the_reaper_ends_what_a_dead_launcher_left_behind(task: Task) -> None:
    task.launch.mkdir(parents=True)
    env = {**os.environ, processes.TOKEN_VARIABLE: task.token}
    orphan = subprocess.Popen(["sleep", "60"], env=env, start_new_session=True)
    while processes.of_launch(task.token) != [orphan.pid]:  # it has no environment until exec ends
        time.sleep(0.01)
    note = processes.ProcessStamp.of(task.token, orphan.pid)
    replace(note, launcher=1, launcher_started=-1).write(task.launch)
    assert processes.reap(task.folder, patience_s=0.1) == [orphan.pid]
    assert orphan.wait(5) == -9
    assert not task.launch.exists()


def test_two_launchers_of_one_trial_never_read_each_others_launch(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both start a process at once; one waits for the trial's lock and finds the work done."""
    monkeypatch.setattr(launch, "_somebody_has", lambda task: False)  # both passed the check
    tasks = [replace(task, token=f"{task.token}-{i}") for i in range(2)]
    found: list[LaunchResult] = []
    threads = [
        threading.Thread(target=lambda t=t: found.append(launch.run(t, never))) for t in tasks
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [ended.state for ended in found] == ["done", "done"]
    written = record.read(task.folder)
    assert written is not None
    assert (written.state, written.lineage) == ("done", 1)
    assert list((task.folder / processes.LAUNCHES).iterdir()) == []


def test_launcher_leaves_no_record_where_another_launch_held_the_trial_since(task: Task) -> None:
    child = launch.TrialProcess(task)
    child.stop(lambda: 0.0)
    write_json(task.folder / live.LAUNCH, {"token": "another", "attempt": 7, "lineage": 7})
    assert child.settle().state == "preempted"
    child.end()
    assert record.read(task.folder) is None
