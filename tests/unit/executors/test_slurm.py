"""Sweeps as jobs of a Slurm that is a script of ours (`tests.support.fake_slurm`); trials are
simulated. More of them, and the report's job, are in `tests/faults/test_slurm_jobs.py`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import fake_slurm, sweeps
from tests.support.cli import zoo
from tests.support.simulated import make, write_manifest
from tests.support.slurm_sweeps import ON, Cluster, on_slurm
from tests.unit.test_planning_is_light import CODE, HEAVY
from zoo.catalog import Catalog, ComputeProfile
from zoo.catalog.profile import Gpu
from zoo.errors import StateError
from zoo.executors import slurm
from zoo.executors.slurm import SlurmJob
from zoo.launching.launch import LaunchResult
from zoo.orchestrate.sweep_journal import SweepJournal
from zoo.planning.budget_forecast import forecast_of
from zoo.planning.machine import profile_of
from zoo.planning.options import PlanOptions
from zoo.planning.study import load_study
from zoo.runs.spending import read_spending
from zoo.runs.sweep_status import read_status
from zoo.store.run_store import Store


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    with on_slurm(tmp_path, monkeypatch) as cluster:
        yield cluster  # type: ignore[misc]


# -- sweeps ----------------------------------------------------------------------------------------


def test_sweep_submits_a_job_a_trial_in_the_order_of_the_plan_and_returns(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    write_manifest(cluster.folder, seeds="0, 1")
    told = cluster.sweep("--concurrency", "3")
    assert "tiny: submitted 8 trials to Slurm, jobs 1001 to 1008" in told.text
    assert "job 1009 writes the report and MLflow's copy after them" in told.text
    jobs = cluster.jobs()
    assert [name.split(".", 1)[1].split(".s")[1][0] for name in cluster.names()[:8]] == [
        *("0", "0", "0", "0"),
        *("1", "1", "1", "1"),
    ]
    waits = {id_: job["after"] for id_, job in jobs.items()}
    assert [waits[id_] for id_ in ("1001", "1003", "1004", "1008")] == [[], [], ["1001"], ["1005"]]
    assert waits["1009"] == [str(id_) for id_ in range(1001, 1009)]
    assert jobs["1004"]["reason"] == "Dependency"
    assert (cluster.folder / "sweeps/tiny/plan.lock.jsonl").is_file()
    assert not (cluster.folder / "runs/train").exists()


def test_submitted_trials_are_not_submitted_twice_and_their_jobs_are_in_the_status(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    cluster.sweep()
    again = cluster.sweep()
    assert "2 trials with a job already: pocket-qwen2.correctness.pocket-easy, pocket" in again.text
    assert len(cluster.jobs()) == 3
    told = zoo("status", "tiny.yaml").text
    assert told.count("job 1001 pending (Resources)") == 1
    assert "run by Slurm: 3 jobs waiting, 0 running" in told
    write_manifest(cluster.folder, rewards="correctness", seeds="0, 1")  # two more
    assert "submitted 2 trials to Slurm, jobs 1004 to 1005" in cluster.sweep().text
    jobs = cluster.jobs()
    assert jobs["1003"]["state"].startswith("CANCELLED")  # the report waits for the new ones, too
    assert jobs["1006"]["after"] == ["1001", "1002", "1004", "1005"]
    told = zoo("stop", "tiny").text
    assert told.startswith("tiny: cancelled jobs 1001, 1002, 1004, 1005, 1006; trials that run")
    assert {job["state"] for job in cluster.jobs().values()} == {"CANCELLED by 1000"}
    assert "job 1001 cancelled" in zoo("status", "tiny.yaml").text
    assert zoo("stop", "tiny").text == "tiny is not running\n"


def test_job_whose_submission_was_cut_off_is_found_by_its_name(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    cluster.sweep("--bare")
    (cluster.folder / "runs/sweeps/tiny/journal.jsonl").unlink()
    cluster.sweep("--bare")
    assert len(cluster.jobs()) == 2


def test_trial_goes_on_after_its_time_limit_and_after_its_node_was_lost(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job that Slurm signals ahead of the limit, whose next run loses its node."""
    monkeypatch.setenv("ZOO_SIMULATE", "sleep:0.4")
    write_manifest(cluster.folder, models="pocket-qwen2", rewards="correctness", rounds=6)
    cluster.sweep("--bare")
    sweeps.wait_for(lambda: len(cluster.rounds()) > 2)
    fake_slurm.warn(cluster.folder, "1001")
    sweeps.wait_for(lambda: cluster.jobs()["1001"]["restarts"] == 1)
    (before,) = cluster.records().values()
    assert (before["state"], before["failure_class"]) == ("preempted", "interrupted")
    saved = before["round"]
    sweeps.wait_for(lambda: len(cluster.rounds()) > saved + 1)
    fake_slurm.lose_node(cluster.folder, "1001")
    (job,) = cluster.wait().values()
    assert (job["state"], job["restarts"]) == ("COMPLETED", 2)
    (found,) = cluster.records().values()
    assert (found["state"], found["round"], found["lineage"]) == ("done", 6, 1)
    rounds = cluster.rounds()
    assert sorted(set(rounds)) == list(range(7))
    assert len(rounds) <= 8  # at most one round again, which the lost node had not saved
    rows = cluster.journal()
    assert [r["failure_class"] for r in rows if r["event"] == "retry"] == ["infra"]


def test_trial_over_two_nodes_is_one_job(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(cluster.folder, models="pocket-qwen2", rewards="correctness")
    cluster.profile(device="cuda", gpus=4, gpus_per_node=1, gpus_per_trial=2)
    cluster.sweep("--bare")
    (job,) = cluster.wait().values()
    assert (job["state"], job["options"]["nodes"], job["options"]["gpus-per-node"]) == (
        *("COMPLETED", "2", "1"),
    )
    (trial,) = cluster.records()
    logs = {path.name for path in (cluster.folder / "runs/train" / trial).glob("log*")}
    assert logs == {"log.txt", "log.1.txt"}


def test_trials_that_exceed_the_budget_are_not_submitted(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    gpu = {"name": "H100", "memory_gib": 80, "usd_per_hour": 2.0}
    cluster.profile(device="cuda", gpus=8, gpus_per_trial=1, gpu=gpu)
    words = ("--bare", "--set", "trainer=trl")
    made = load_study("tiny.yaml", PlanOptions(sets=("trainer=trl",)), thorough=True)
    profile = made.catalog.get(ComputeProfile, "cluster")
    forecast = forecast_of(made, read_status(made.trials, made.store), profile)
    hours = [forecast.of(trial.id).gpu_hours for trial in made.trials]
    enough = f"budget={{gpu_hours: {hours[0] + hours[1] / 2}}}"
    told = cluster.sweep(*words, "--set", enough, status=1).text
    assert "submitted 1 trial to Slurm, jobs 1001" in told
    assert "held back by the budget (gpu_hours: 0 of " in told
    assert "spent): pocket-llama.correctness.pocket-easy" in told
    cluster.sweep(*words, "--set", enough, status=1)  # a job that waits still needs all of it
    assert len(cluster.jobs()) == 1
    cluster.sweep(*words, "--set", f"budget={{gpu_hours: {sum(hours) * 1.01}}}")
    assert len(cluster.jobs()) == 2


def test_jobs_count_as_spent_from_their_own_journals(cluster: Cluster) -> None:
    task = make(cluster.folder, name="other").tasks()[0]
    store, folder = Store(cluster.folder / "runs"), cluster.folder / "runs/sweeps/tiny"
    gpu = Gpu(name="H100", memory_gib=80, usd_per_hour=2.0)
    profile = task.profile.model_copy(
        update={"device": "cuda", "gpus_per_trial": 1, "gpu": gpu, "gpus": 1}
    )
    task = replace(task, profile=profile)
    for number, hours in enumerate((1.0, 0.5)):
        own = folder / "slurm" / f"{task.trial.id}{number}"
        journal = SweepJournal(own, durable=False, profile=profile, store=store)
        journal.launched(task)
        journal.ended(task, LaunchResult("done", seconds=3600 * hours))
    spending, now = read_spending(store, "tiny")
    spent = spending.at(now)
    assert (spent.gpu_hours, spent.usd, spent.hours) == (1.5, 3.0, 0.0)


def test_login_node_needs_what_planning_needs(cluster: Cluster) -> None:
    words = ["sweep", "tiny.yaml", *ON, "--set", "trainer=trl"]
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(words=words, heavy=HEAVY)],
        cwd=cluster.folder,
        env=sweeps.environment(cluster.folder, FAKE_SLURM_SLOTS="0"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "submitted 2 trials" in done.stdout
    assert len(cluster.jobs()) == 3


# -- refusals --------------------------------------------------------------------------------------


def test_sweep_without_slurm_is_refused_and_writes_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    told = cluster.sweep(status=2)
    assert told.error.startswith("Slurm: not on PATH: sbatch, squeue, scancel; expected")
    assert not (cluster.folder / "runs").exists()


def test_settings_that_slurm_refuses_are_told_with_its_words(cluster: Cluster) -> None:
    cluster.profile(slurm={"partition": "nowhere"})
    told = cluster.sweep(status=1)
    assert told.error.startswith(
        "pocket-qwen2.correctness.pocket-easy is not submitted: sbatch: error"
    )
    assert "Invalid partition name specified. Nothing was submitted. Correct `slurm`" in told.error
    assert cluster.jobs() == {}


def test_jobs_before_a_refused_one_stay_and_the_next_sweep_submits_the_rest(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    monkeypatch.setenv("FAKE_SLURM_LIMIT", "1")
    told = cluster.sweep(status=1)
    assert told.error.startswith("pocket-llama.correctness.pocket-easy is not submitted: sbatch: ")
    assert "1 job of this sweep submitted before it stay" in told.error
    monkeypatch.delenv("FAKE_SLURM_LIMIT")
    assert "submitted 1 trial to Slurm, jobs 1002" in cluster.sweep().text
    assert cluster.jobs()["1003"]["after"] == ["1001", "1002"]


# -- what Slurm says -------------------------------------------------------------------------------


def test_squeue_is_read_by_the_names_of_jobs_alone() -> None:
    text = (
        "7|PENDING|Nodes required for job are DOWN, DRAINED|zoo-1.a.s0-x\n"
        "9|RUNNING|None|zoo-1.b|c\n"
        "8|RUNNING|None|zoo-2.a\n"
        "6_[1-9]|PENDING|Priority|other\n"
        "5|COMPLETING|None|zoo-1.report\n"
        "12|PENDING|Dependency|zoo-1.a.s0-x\n"
    )
    found = slurm.parse_squeue(text, "zoo-1.")
    assert {what: job.id for what, job in found.items()} == {
        "a.s0-x": "7",
        "b|c": "9",
        "report": "5",
    }
    assert str(found["a.s0-x"]) == "job 7 pending (Nodes required for job are DOWN, DRAINED)"
    assert str(found["b|c"]) == "job 9 running"
    assert (found["report"].runs, found["a.s0-x"].waits) == (True, True)


@pytest.mark.parametrize(
    ("row", "state", "kind", "why"),
    [
        ("1|NODE_FAIL|0:0", "failed", "infra", "lost a node"),
        ("1|OUT_OF_MEMORY|0:125", "failed", "oom", "ran out of the memory that it had requested"),
        ("1|TIMEOUT|0:0", "preempted", "interrupted", "reached its time limit"),
        ("1|CANCELLED by 1000|0:0", "preempted", "interrupted", "was cancelled"),
        ("1|PREEMPTED|0:0", "preempted", "interrupted", "was preempted"),
        ("1|FAILED|0:9", "failed", "killed", "was ended by signal 9"),
        ("1|FAILED|127:0", "failed", "error", "ended as FAILED (127:0)"),
    ],
)
def test_end_of_a_job_has_a_failure_class(row: str, state: str, kind: str, why: str) -> None:
    ended = slurm.end_of(slurm.parse_sacct(f"{row}\n")["1"])
    assert (ended.state, ended.failure_class) == (state, kind)
    assert ended.message == f"Slurm's job 1 {why}"


def test_command_that_fails_is_told_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "squeue": "echo 'squeue: error: no\x1b contact' >&2; exit 1",
        "sbatch": "echo ok",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(StateError, match=r"^squeue: error: no  contact$"):
        slurm.active(tmp_path)
    with pytest.raises(StateError, match="answered 'ok' instead of the number of a job"):
        slurm.submit(tmp_path / "job.sh")


def test_ended_job_that_accounting_forgot_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert slurm.parse_sacct("") == {}
    monkeypatch.setenv("PATH", "/nowhere")
    assert slurm.ended(["1"]) == {}


# -- scripts ---------------------------------------------------------------------------------------


def script_of(cluster: Cluster, **profile: object) -> str:
    cluster.profile(**profile)
    cluster.sweep("--bare")
    (*_, path) = sorted((cluster.folder / "runs/sweeps/tiny/slurm").glob("pocket-qwen2*/job.sh"))
    return path.read_text()


def test_script_of_a_trial_has_what_the_profile_says(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    said = {
        "partition": "gpu",
        "account": "lab",
        "qos": "long",
        "time": "1-00",
        "constraint": "h100&ib",
        "extra": ["--mem=100G"],
        "setup": ["module load cuda"],
        "python": "apptainer exec --nv zoo.sif python",
    }
    text = script_of(cluster, grace_s=300, cpus_per_trial=3, slurm=said)
    lines = [line.removeprefix("#SBATCH --") for line in text.splitlines() if "#SBATCH" in line]
    assert {*lines[3:]} == {
        *("nodes=1", "ntasks-per-node=1", "cpus-per-task=3", "signal=B:USR1@360", "requeue"),
        *("partition=gpu", "account=lab", "qos=long", "time=1-00", "constraint=h100&ib"),
        "mem=100G",
    }
    assert lines[-1] == "mem=100G"
    assert "\nmodule load cuda\n" in text
    *_, last = text.splitlines()
    assert last.startswith("exec apptainer exec --nv zoo.sif python -m zoo.executors.slurm_job /")
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0


def test_script_of_the_report_names_manifest_and_options(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLURM_SLOTS", "0")
    cluster.profile(slurm={"time": "3:00", "partition": "gpu", "report_partition": "cpu"})
    cluster.sweep("--set", "rounds=2", "--only", "model=pocket-qwen2")
    text = (cluster.folder / "runs/sweeps/tiny/slurm/report/job.sh").read_text()
    assert "#SBATCH --partition=cpu" in text
    assert "gpus" not in text
    words = shlex.join([sys.executable, "-m", "zoo.cli.main"])
    manifest = cluster.folder / "tiny.yaml"
    assert f"{words} report {manifest} --set rounds=2\n" in text
    assert f"{words} sync {manifest} --set rounds=2 && exit $report\n" in text
    assert f"export ZOO_RUNS={cluster.folder}/runs\n" in text
    assert f"export ZOO_SWEEPS={cluster.folder}/sweeps\n" in text


def test_wide_trial_has_whole_nodes_and_its_share_of_cpus(tmp_path: Path) -> None:
    task = make(tmp_path).tasks()[0]
    said = {"form": "profile/1", "name": "wide", "device": "cuda", "cpus_per_trial": 4}
    for gpus, per_node, nodes in [(1, 8, (1, 4, 1)), (8, 8, (1, 4, 8)), (8, 4, (2, 2, 4))]:
        profile = ComputeProfile(gpus_per_trial=gpus, gpus_per_node=per_node, **said)
        found = slurm.nodes_of(replace(task, profile=profile))
        assert (found.nodes, found.cpus, found.gpus) == nodes
    half = ComputeProfile(gpus_per_trial=0.5, **said)
    assert slurm.nodes_of(replace(task, profile=half)) == slurm.Nodes(1, 4, 1)


def test_profile_without_concurrency_has_as_many_jobs_at_a_time_as_its_gpus_allow(
    cluster: Cluster,
) -> None:
    cluster.profile(device="cuda", gpus=16, gpus_per_trial=2)
    path = cluster.folder / "cards/profiles/cluster.yaml"
    path.write_text(path.read_text().replace("concurrency: 100\n", ""))
    assert profile_of(Catalog(cluster.folder / "cards"), "cluster", None).concurrency == 8


def test_job_prints_as_slurm_names_its_state() -> None:
    assert str(SlurmJob("4", "OUT_OF_MEMORY", "0:125")) == "job 4 out of memory"
