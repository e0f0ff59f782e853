"""Trials of several processes, on one node and over two launchers; the processes are simulated."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.launching import launch, processes
from zoo.launching.assist import assist
from zoo.launching.launch import LaunchResult
from zoo.launching.link import Host, join
from zoo.launching.ranks import Rendezvous, free_port
from zoo.launching.task import Task
from zoo.store import record


def never() -> None:
    return None


def wide(tmp_path: Path, width: int = 2) -> Task:
    """A simulated trial of several processes."""
    task = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness").tasks()[0]
    profile = task.profile.model_copy(update={"processes_per_trial": width})
    return replace(task, profile=profile)


def test_trial_of_two_processes_is_done_when_its_first_is(tmp_path: Path) -> None:
    task = wide(tmp_path)
    ended = launch.run(task, never)
    assert ended.state == "done"
    assert processes.of_launch(task.token) == []
    assert (task.folder / "log.1.txt").exists()
    assert not (task.folder / "log.2.txt").exists()


def test_process_that_dies_ends_the_trial_and_its_log_is_in_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = wide(tmp_path, 4)
    monkeypatch.setenv("ZOO_SIMULATE", "lose:2,hang:2")
    begun = time.monotonic()
    ended = launch.run(task, never)
    assert (ended.state, ended.failure_class) == ("failed", "killed")
    assert time.monotonic() - begun < 30
    assert processes.of_launch(task.token) == []
    found = record.read(task.folder)
    assert found is not None
    assert found.message.startswith("process 2 ended by SIGKILL without a record")
    assert "process 2 exits" in found.message


def test_first_process_that_dies_ends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = wide(tmp_path)
    monkeypatch.setenv("ZOO_SIMULATE", "kill:2")
    ended = launch.run(task, never)
    assert (ended.state, ended.failure_class) == ("failed", "killed")
    assert processes.of_launch(task.token) == []
    assert record.read(task.folder).message.startswith("process 0 ended by SIGKILL")  # type: ignore[union-attr]


def test_trial_that_only_lacks_evaluations_has_one_process(tmp_path: Path) -> None:
    task = wide(tmp_path)
    assert task.processes == 2
    assert launch.run(task, never).state == "done"
    assert task.processes == 1


def over_two_nodes(task: Task, stop: threading.Event | None = None) -> list[LaunchResult]:
    """What two launchers side by side come to."""
    ends: dict[int, LaunchResult] = {}
    where = Rendezvous(nodes=2, port=free_port())
    stop = stop or threading.Event()

    def grace() -> float | None:
        return 0.0 if stop.is_set() else None

    def work(node: int) -> None:
        mine = replace(task, where=replace(where, node=node))
        ends[node] = launch.run(mine, grace) if node == 0 else assist(mine, grace)

    threads = [threading.Thread(target=work, args=[node]) for node in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [ends[0], ends[1]]


def test_two_launchers_run_one_trial(tmp_path: Path) -> None:
    task = wide(tmp_path, 4)
    ended = over_two_nodes(task)
    assert [one.state for one in ended] == ["done", "done"]
    assert {path.name for path in task.folder.glob("log*")} == {
        "log.txt",
        "log.1.txt",
        "log.2.txt",
        "log.3.txt",
    }
    assert processes.of_launch(task.token) == []


@pytest.mark.parametrize("width", [2, 4])
def test_process_that_dies_on_another_node_ends_the_trial_on_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    task = wide(tmp_path, width)
    last = f"process {width - 1} exits"
    monkeypatch.setenv("ZOO_SIMULATE", f"lose:{width - 1},hang:2")
    ended = over_two_nodes(task)
    assert [one.state for one in ended] == ["failed", "failed"]
    assert last in ended[0].message
    assert processes.of_launch(task.token) == []
    assert last in record.read(task.folder).message  # type: ignore[union-attr]


def test_process_that_runs_out_of_memory_on_another_node_is_recorded_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, counts = wide(tmp_path), iter(range(100))
    monkeypatch.setenv("ZOO_SIMULATE", "lose:1,hang:2")
    monkeypatch.setattr("zoo.launching.assist.kernel_kills", lambda: next(counts))
    ended = over_two_nodes(task)
    assert [one.failure_class for one in ended] == ["oom", "oom"]
    found = record.read(task.folder)
    assert found is not None
    assert found.failure_class == "oom"
    assert "process 1 ended by SIGKILL" in found.message
    assert "out of memory with a micro-batch of" in found.message.splitlines()[-1]


def test_trial_over_two_nodes_that_runs_out_of_memory_is_tried_with_less_on_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = wide(tmp_path)
    monkeypatch.setenv("ZOO_SIMULATE", "oom:1")
    ended = over_two_nodes(task)
    assert [one.state for one in ended] == ["done", "done"]
    assert (task.folder / "log.txt").read_text().count("tried again") == 2
    found = record.read(task.folder)
    assert found is not None
    assert found.about["out_of_memory"] == [4, 2]
    assert processes.of_launch(task.token) == []


def test_trained_trial_over_two_nodes_is_evaluated_on_the_first(tmp_path: Path) -> None:
    task = wide(tmp_path)
    assert launch.run(task, never).state == "done"
    (task.folder / "evals.jsonl").unlink()
    assert launch.run(replace(task, where=Rendezvous(nodes=2, port=1)), never).state == "done"
    assert (task.folder / "evals.jsonl").exists()


def test_launcher_that_goes_away_ends_the_trial_on_the_other_node(tmp_path: Path) -> None:
    where = Rendezvous(nodes=2)
    host = Host(where, "right")
    link = join(replace(where, node=1, port=host.port), "right")
    assert link is not None
    assert host.accept(5.0)
    assert not host.over()
    link.close()
    end = time.monotonic() + 5
    while not host.over() and time.monotonic() < end:
        time.sleep(0.01)
    assert host.failed == "the launcher of node 1 is gone"
    assert host.failure_class == "infra"
    host.close()


def test_launcher_that_does_not_know_the_token_is_not_let_in() -> None:
    where = Rendezvous(nodes=2)
    host = Host(where, "right")
    link = join(replace(where, node=1, port=host.port), "wrong")
    assert link is not None
    assert not host.accept(5.0)
    assert host.links == {}
    assert link.receive(5.0) is None
    assert link.gone
    host.close()
