"""Jobs of a Slurm that is a script of ours, to their end: failures by class, lost and preempted
jobs, cancelling, and the job that writes the report."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import fake_slurm, sweeps
from tests.support.cli import zoo
from tests.support.simulated import write_manifest
from tests.support.slurm_sweeps import Cluster, on_slurm
from zoo.errors import StateError
from zoo.executors import slurm, slurm_budget
from zoo.executors.slurm_causes import failed_alike
from zoo.executors.slurm_job import lead
from zoo.executors.slurm_task import read_input
from zoo.store.run_store import read_json, write_json


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with on_slurm(tmp_path, monkeypatch) as cluster:
        write_manifest(tmp_path, models="pocket-qwen2", rewards="correctness", rounds=4)
        yield cluster


def retries(cluster: Cluster) -> list[str]:
    return [row["failure_class"] for row in cluster.journal() if row["event"] == "retry"]


def begun(cluster: Cluster, rounds: int, attempt: int = 1) -> None:
    """Wait until a launch of the only trial runs, and so many rounds have ended."""

    def there() -> bool:
        found = [*(cluster.folder / "runs/train").glob("*/launch.json")]
        launched = [read_json(path) or {} for path in found]
        in_training = [one["attempt"] for one in launched if one["lineage"]] == [attempt]
        return in_training and len(cluster.rounds()) > rounds

    sweeps.wait_for(there)


def test_last_job_writes_the_report_and_mlflow(cluster: Cluster) -> None:
    write_manifest(cluster.folder, rewards="correctness")
    cluster.sweep()
    assert [job["state"] for job in cluster.wait(240).values()] == ["COMPLETED"] * 3
    assert (cluster.folder / "sweeps/tiny/report.html").is_file()
    assert (cluster.folder / "runs/mlflow.db").is_file()
    assert "nothing to do, all 2 trials are done" in cluster.sweep().text


@pytest.mark.parametrize(
    ("fault", "retried"),
    [
        ("kill:3", ["killed"] * 3),
        ("fail:3", []),
        ("config:3", []),
        ("oom:0", []),
    ],
)
def test_failed_trial_is_tried_again_by_its_class_and_its_job_fails(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, fault: str, retried: list[str]
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", fault)
    cluster.sweep("--bare")
    (job,) = cluster.wait().values()
    assert (job["state"], job["exit"]) == ("FAILED", "1:0")
    assert (retries(cluster), job["restarts"]) == (retried, len(retried))
    assert [found["state"] for found in cluster.records().values()] == ["failed"]
    assert "job 1001 failed" in zoo("status", "tiny.yaml").text
    monkeypatch.delenv("ZOO_SIMULATE")
    cluster.sweep("--bare")  # tries it once more, whatever its class
    assert [job["state"] for job in cluster.wait().values()] == ["FAILED", "COMPLETED"]


def test_node_that_is_lost_again_and_again_fails_the_trial(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "hang:3")
    cluster.sweep("--bare")
    for attempt in range(1, 5):
        begun(cluster, 2, attempt)
        fake_slurm.lose_node(cluster.folder, "1001")
    (job,) = cluster.wait().values()
    assert (job["state"], job["restarts"]) == ("FAILED", 4)
    assert retries(cluster) == ["infra"] * 3
    (found,) = cluster.records().values()
    assert (found["state"], found["failure_class"], found["round"]) == ("failed", "infra", 2)


def test_lost_job_that_slurm_does_not_requeue_is_recorded_by_the_next_sweep(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "hang:3")
    monkeypatch.setenv("FAKE_SLURM_NO_REQUEUE", "1")
    cluster.sweep("--bare")
    begun(cluster, 2)
    fake_slurm.lose_node(cluster.folder, "1001")
    cluster.wait()
    assert "job 1001 node fail" in zoo("status", "tiny.yaml").text
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    monkeypatch.delenv("ZOO_SIMULATE")
    told = cluster.sweep("--bare")
    assert "pocket-qwen2.correctness.pocket-easy: Slurm's job 1001 lost a node" in told.prose
    (found,) = cluster.records().values()
    assert (found["state"], found["failure_class"], found["round"]) == ("failed", "infra", 2)
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "1")
    cluster.sweep("--bare", "--set", "claims=[]")
    fake_slurm.schedule(cluster.folder)
    cluster.wait()
    (found,) = cluster.records().values()
    assert (found["state"], found["lineage"]) == ("done", 1)
    assert cluster.rounds() == [0, 1, 2, 3, 4]


def test_preempted_job_saves_and_comes_back_at_no_charge(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "sleep:0.5")
    cluster.sweep("--bare")
    begun(cluster, 2)
    fake_slurm.preempt(cluster.folder, "1001")
    (job,) = cluster.wait().values()
    assert (job["state"], job["restarts"]) == ("COMPLETED", 1)
    assert retries(cluster) == []
    assert cluster.rounds() == [0, 1, 2, 3, 4]


def test_cancelled_job_saves_and_does_not_come_back(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "sleep:0.5")
    cluster.sweep("--bare")
    begun(cluster, 2)
    assert slurm.cancel(cluster.folder / "runs/sweeps/tiny") == ["1001"]
    (job,) = cluster.wait().values()
    assert (job["state"], job["restarts"]) == ("CANCELLED by 1000", 0)
    (found,) = cluster.records().values()
    assert (found["state"], found["failure_class"]) == ("preempted", "interrupted")
    cluster.sweep("--bare")
    cluster.wait()
    assert cluster.rounds() == [0, 1, 2, 3, 4]


def test_job_whose_limit_comes_before_anything_is_saved_gives_up(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SCALE", "0.03")  # signalled after 3 s
    monkeypatch.setenv("ZOO_SIMULATE", "hang:1")
    cluster.profile(grace_s=1, slurm={"time": "2:41"})
    cluster.sweep("--bare")
    (job,) = cluster.wait().values()
    assert (job["state"], job["restarts"]) == ("FAILED", 2)
    (output,) = (cluster.folder / "runs/sweeps/tiny/slurm").glob("*/job-1001.txt")
    assert "its time limit came 3 times before anything was saved" in output.read_text()


def test_job_that_cannot_start_is_told_by_the_next_sweep(cluster: Cluster) -> None:
    cluster.profile(slurm={"python": "/nowhere/python"})
    cluster.sweep("--bare")
    cluster.wait()
    assert "job 1001 failed" in zoo("status", "tiny.yaml").text
    told = cluster.sweep("--bare").prose
    assert "Slurm's job 1001 ended as FAILED (127:0); its output: runs/sweeps/tiny/slurm/" in told


def test_job_ends_its_round_once_the_budget_is_used_up_and_goes_on_when_it_is_raised(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    cluster.sweep("--bare", "--set", "budget={disk_gib: 5}")
    (path,) = (cluster.folder / "runs/sweeps/tiny/slurm").glob("*/task.json")
    told = json.loads(path.read_text())
    assert told["limits"] == {"disk_gib": 5}
    write_json(path, told | {"limits": {"disk_gib": 37e-6}})  # two rounds exceed that
    monkeypatch.setenv("ZOO_SIMULATE", "sleep:0.5")
    monkeypatch.setattr(slurm_budget, "READ_S", 0.1)
    handlers = {n: signal.getsignal(n) for n in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)}
    try:
        assert lead(path) == 1
        assert "the budget is used up (disk_gib: " in capsys.readouterr().out
        (found,) = cluster.records().values()
        assert (found["state"], found["stop_reason"]) == ("stopped", "budget")
        done = cluster.rounds()
        assert 4 not in done
        assert lead(path) == 1
        assert "the trial is not started" in capsys.readouterr().out
        assert cluster.rounds() == done
        write_json(path, told)
        assert lead(path) == 0
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert cluster.rounds() == [0, 1, 2, 3, 4]
    cuts = [row["cut"] for row in cluster.journal() if row["event"] == "budget"]
    assert cuts == [True, False]


def test_job_does_not_start_what_failed_for_a_shared_cause_in_another_one(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(cluster.folder, models="pocket-qwen2", rewards="correctness", seeds="0, 1, 2")
    cluster.profile(concurrency=1)
    monkeypatch.setenv("ZOO_SIMULATE", "config:2")
    cluster.sweep("--bare")
    jobs = cluster.wait().values()
    assert [job["exit"] for job in jobs] == ["1:0"] * 3
    (failed,) = cluster.records()
    told = zoo("status", "tiny.yaml").text
    like = "held back, likely to fail like pocket-qwen2.correctness.pocket-easy.s0 [config]"
    assert told.count(like) == 2
    assert "failed" in told
    paths = sorted((cluster.folder / "runs/sweeps/tiny/slurm").glob("*/task.json"))
    held, kept = read_input(paths[1], "").task, cluster.folder / "runs/train" / failed
    found = failed_alike(held, paths[1])
    assert found is not None
    assert found.id == failed
    whole = (kept / "record.json").read_bytes()
    (kept / "record.json").write_bytes(b"torn")  # its own job reports that
    assert failed_alike(held, paths[1]) is None
    (kept / "record.json").write_bytes(whole)
    monkeypatch.delenv("ZOO_SIMULATE")
    cluster.sweep("--bare")  # tries all of them
    cluster.wait()
    states = [found["state"] for found in cluster.records().values()]
    assert states == ["done"] * 3
    assert failed in cluster.records()


def test_two_node_trial_that_loses_a_process_on_its_second_node_is_tried_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "lose:1,sleep:2")  # time to notice it before the end
    whole = {"device": "cuda", "gpus": 4, "gpus_per_node": 1, "gpus_per_trial": 2}
    cluster.profile(**whole, save_every=100)  # each launch comes to the round of the loss
    cluster.sweep("--bare")
    (job,) = cluster.wait().values()
    assert (job["state"], retries(cluster)) == ("FAILED", ["killed"] * 3)
    (found,) = cluster.records().values()
    assert found["failure_class"] == "killed"
    assert found["message"].startswith("process 1 ended by SIGKILL")


def test_job_of_another_version_of_zoo_is_refused(cluster: Cluster) -> None:
    cluster.sweep("--bare")
    cluster.wait()
    (task,) = (cluster.folder / "runs/sweeps/tiny/slurm").glob("*/task.json")
    task.write_text(task.read_text().replace('"zoo": "', '"zoo": "9'))
    with pytest.raises(StateError, match=r"let `slurm.python` of the profile run the same one"):
        read_input(task, "token")


def test_whole_sweep_in_one_job_saves_ahead_of_its_limit_and_goes_on(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = cluster.folder / "zoo"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m zoo.cli.main "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("ZOO", str(program))
    monkeypatch.setenv("PYTHONPATH", str(sweeps.ROOT))
    monkeypatch.setenv("ZOO_SIMULATE", "sleep:0.5")
    words = ("tiny.yaml", "--executor", "local", "--bare", "--save-every", "1")
    slurm.call("sbatch", "--parsable", str(sweeps.ROOT / "deploy/slurm.sh"), *words)
    begun(cluster, 2)
    fake_slurm.warn(cluster.folder, "1001")
    (job,) = cluster.wait().values()
    assert (job["state"], job["restarts"]) == ("COMPLETED", 1)
    assert cluster.rounds() == [0, 1, 2, 3, 4]
    output = (cluster.folder / "zoo-1001.txt").read_text()
    assert "stopping: trials have 20 s to end their rounds and save them" in output
    assert "= 1 done" in output
