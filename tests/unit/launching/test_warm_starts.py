"""Trials that a fork server starts, and what becomes of them where it, they or their launcher die.
The trials are simulated, for which the server imports little."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated, sweeps
from tests.support.same_trial import traces
from tests.support.sweeps import fork_servers
from zoo.launching import launch, processes, warm_starts
from zoo.launching.launch import LaunchResult
from zoo.launching.task import Task, environment, write_task
from zoo.scheduling.executor import Stop
from zoo.store import record


@pytest.fixture(autouse=True)
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Mark all that starts here; afterwards nothing of it is left within 5 s."""
    monkeypatch.setenv(sweeps.MARK, str(tmp_path))
    yield
    warm_starts.close_servers()
    assert sweeps.left_running(tmp_path, 5.0) == []


def warm(tmp_path: Path, **settings: object) -> Task:
    """A simulated trial that starts warm. `settings`: of its profile."""
    task = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness").tasks()[0]
    profile = task.profile.model_copy(update={"warm_starts": True, **settings})
    return replace(task, profile=profile)


def never() -> None:
    return None


def wait_for_a_round(task: Task) -> None:
    """Until the journal has rounds 0 and 1."""
    journal = task.folder / "metrics.jsonl"
    sweeps.wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 1, 20)


class Running:
    """A launch in a thread, with its trial under way."""

    def __init__(self, task: Task) -> None:
        self.task, self.stop, self.found = task, Stop(), list[LaunchResult]()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.found.append(launch.run(self.task, self.stop.grace))

    def pid(self) -> int:
        """Of its leader, once it has done a round."""
        wait_for_a_round(self.task)
        (note,) = processes.read_notes(self.task.folder).values()
        return note.pid

    def ended(self) -> LaunchResult:
        """How it ended."""
        self.thread.join(20)
        return self.found[0]


def test_warm_trial_equals_the_cold_one_and_leaves_nothing(tmp_path: Path) -> None:
    task = warm(tmp_path)
    cold = replace(
        task,
        profile=task.profile.model_copy(update={"warm_starts": False}),
        runs=str(tmp_path / "cold"),
    )
    assert [launch.run(one, never).state for one in (task, cold)] == ["done", "done"]
    assert len(fork_servers(tmp_path)) == 1
    assert processes.of_launch(task.token) == []
    assert traces(task.trial, task.store) == traces(cold.trial, cold.store)
    assert "no warm start" not in (task.folder / "log.txt").read_text()


def test_launches_in_turn_and_at_once_share_one_server(tmp_path: Path) -> None:
    tasks = [
        replace(task, profile=warm(tmp_path).profile) for task in simulated.make(tmp_path).tasks()
    ]
    runs = [Running(task) for task in tasks]
    assert [run.ended().state for run in runs] == ["done"] * 4
    assert len(fork_servers(tmp_path)) == 1


def test_processes_of_one_trial_have_their_own_environment(tmp_path: Path) -> None:
    task = warm(tmp_path, processes_per_trial=2)
    assert launch.run(task, never).state == "done"
    assert (task.folder / "log.1.txt").exists()
    assert len(fork_servers(tmp_path)) == 1


def test_forked_process_is_found_by_its_token_and_has_nothing_of_the_server_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "hang:2")
    run = Running(warm(tmp_path))
    pid = run.pid()
    assert pid in processes.of_launch(run.task.token)
    assert os.getsid(pid) == os.getpgid(pid) == pid
    commands = dict(sweeps.marked(tmp_path))
    assert commands[pid].split()[1:3] == ["-m", "zoo.train"]
    assert commands[pid].split()[3] == str(run.task.launch / "trial.json")
    files = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    assert not [file for file in files if file.startswith("socket:")]
    assert os.readlink(f"/proc/{pid}/fd/1") == str(run.task.folder / "log.txt")
    run.stop.set(0.0)
    assert run.ended().state == "preempted"


def test_processes_killed_as_soon_as_they_are_forked_end(tmp_path: Path) -> None:
    task = warm(tmp_path)
    path, env = write_task(task), environment(task)
    for _ in range(20):
        child = warm_starts.warm_start(path, tmp_path / "log", env, "simulated")
        child.kill_group()
        child.reap()
        assert child.status() == -signal.SIGKILL
    assert len(fork_servers(tmp_path)) == 1


@pytest.mark.parametrize(("how", "grace_s"), [("hang:2", 10.0), ("deaf:2", 0.5)])
def test_stopped_warm_trial_is_preempted_whether_it_listens_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, grace_s: float
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", how)
    run = Running(warm(tmp_path))
    run.pid()
    run.stop.set(grace_s)
    ended = run.ended()
    assert (ended.state, ended.failure_class) == ("preempted", "interrupted")
    found = record.read(run.task.folder)
    assert found is not None
    assert (found.state, found.round) == ("preempted", 1)
    assert processes.of_launch(run.task.token) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_warm_trial_killed_by_a_signal_is_recorded_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "hang:2")
    run = Running(warm(tmp_path))
    os.kill(run.pid(), number)
    ended = run.ended()
    assert (ended.state, ended.failure_class) == ("failed", "killed")
    assert ended.message.startswith(f"ended by {number.name} without a record")


def test_warm_trial_that_fails_keeps_its_status_and_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:3")
    task = warm(tmp_path)
    ended = launch.run(task, never)
    assert (ended.state, ended.failure_class) == ("failed", "error")
    assert "failed, as set in ZOO_SIMULATE" in (task.folder / "log.txt").read_text()


def test_server_killed_between_trials_is_replaced(tmp_path: Path) -> None:
    first, second, *_ = (
        replace(task, profile=warm(tmp_path).profile) for task in simulated.make(tmp_path).tasks()
    )
    assert launch.run(first, never).state == "done"
    (server,) = fork_servers(tmp_path)
    os.kill(server, signal.SIGKILL)
    assert launch.run(second, never).state == "done"
    assert len(fork_servers(tmp_path)) == 1
    assert fork_servers(tmp_path) != [server]
    assert "no warm start" not in (second.folder / "log.txt").read_text()


def test_server_killed_during_a_trial_ends_it_as_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "hang:2")
    run = Running(warm(tmp_path))
    pid = run.pid()
    (server,) = fork_servers(tmp_path)
    os.kill(server, signal.SIGKILL)
    ended = run.ended()
    assert (ended.state, ended.failure_class) == ("failed", "killed")
    assert processes.start_time(pid) is None
    assert processes.of_launch(run.task.token) == []


def slow_server(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Run `code` at the start of every fork server."""
    folder.mkdir(exist_ok=True)
    lines = f"import sys\nif {warm_starts.SERVER!r} in sys.orig_argv:\n    {code}\n"
    (folder / "sitecustomize.py").write_text(lines)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_server_killed_while_it_starts_leaves_a_cold_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_server(tmp_path / "site", monkeypatch, "import os; os.kill(os.getpid(), 9)")
    task = warm(tmp_path)
    assert launch.run(task, never).state == "done"
    log = (task.folder / "log.txt").read_text()
    assert "zoo: no warm start (its server ended); a new interpreter is started" in log


def test_server_with_a_second_thread_forks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    slow_server(tmp_path / "site", monkeypatch, code)
    task = warm(tmp_path)
    assert launch.run(task, never).state == "done"
    assert (
        "no warm start (2 threads run after its imports)" in (task.folder / "log.txt").read_text()
    )


def test_trial_stopped_while_its_server_starts_is_preempted_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_server(tmp_path / "site", monkeypatch, "import time; time.sleep(3)")
    run = Running(warm(tmp_path))
    sweeps.wait_for(lambda: fork_servers(tmp_path), 20)
    begun = time.monotonic()
    run.stop.set(10.0)
    assert run.ended().state == "preempted"
    assert time.monotonic() - begun < 2
    assert list(run.task.folder.glob("launches/*")) == []


def test_changed_code_replaces_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "some-packages"
    packages.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(packages))
    monkeypatch.syspath_prepend(str(packages))
    first, second, *_ = (
        replace(task, profile=warm(tmp_path).profile) for task in simulated.make(tmp_path).tasks()
    )
    assert launch.run(first, never).state == "done"
    before = fork_servers(tmp_path)
    (packages / "installed.py").touch()
    assert launch.run(second, never).state == "done"
    sweeps.wait_for(lambda: len(fork_servers(tmp_path)) == 1, 5)
    assert fork_servers(tmp_path) != before
    assert "no warm start" not in (second.folder / "log.txt").read_text()


def test_profiles_of_other_environments_have_servers_of_their_own(tmp_path: Path) -> None:
    first, second = warm(tmp_path), warm(tmp_path, env={"OMP_NUM_THREADS": "3"})
    second = replace(second, runs=str(tmp_path / "other"))
    assert [launch.run(one, never).state for one in (first, second)] == ["done", "done"]
    assert len(fork_servers(tmp_path)) == 2


LAUNCHER = """
import pickle, sys
from zoo.launching.launch import run
with open(sys.argv[1], "rb") as stream:
    run(pickle.load(stream), lambda: None)
"""


def test_killed_launcher_takes_its_trial_and_the_server_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "deaf:2")
    task = warm(tmp_path)
    (tmp_path / "task").write_bytes(pickle.dumps(task))
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path / "task")],
        env=sweeps.environment(tmp_path) | {"ZOO_SIMULATE": "deaf:2"},
    )
    wait_for_a_round(task)
    assert len(fork_servers(tmp_path)) == 1
    launcher.kill()
    launcher.wait()
    assert sweeps.left_running(tmp_path, 5.0) == []
    assert processes.reap(task.folder) == []


def test_folder_for_sockets_that_others_can_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = warm(tmp_path)
    with tempfile.TemporaryDirectory(prefix="z", dir="/tmp") as short:  # room for a socket's name
        monkeypatch.setattr("tempfile.tempdir", short)
        (Path(short) / f"zoo-warm-{os.getuid()}").mkdir(mode=0o755)
        assert launch.run(task, never).state == "done"
    assert "is not a private folder" in (task.folder / "log.txt").read_text()
