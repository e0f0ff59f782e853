"""Simulated trials through real Ray Tune: placed by Ray, run as process groups, stopped cleanly."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support import sweeps
from tests.support.simulated import write_manifest
from zoo.orchestrate.orphan_guard import DIED


def test_a_sweep_through_ray_survives_a_failure_and_a_stop_and_then_finishes(
    tmp_path: Path,
) -> None:
    write_manifest(tmp_path, rounds=4)
    wrong = "sleep:6@pocket-llama.box-strict,fail:2@pocket-qwen2.correctness"
    sweep = sweeps.start(tmp_path, "--executor", "ray", "--bare", ZOO_SIMULATE=wrong)
    out = tmp_path / "out.txt"
    sweeps.wait_for(lambda: out.read_text().count("  (") == 3)
    sweeps.wait_for(lambda: len(sweeps.rounds(tmp_path)) == 4)  # the slow one has begun, too
    sweeps.wait_for(lambda: min(sweeps.rounds(tmp_path)) > 1)  # its second round runs
    os.killpg(sweep.pid, signal.SIGINT)  # as a terminal does: Ray's processes get it, too
    status = sweep.wait(timeout=60)
    told = out.read_text()
    assert status == 130, told
    assert sweeps.left_running(tmp_path) == []
    assert "= 2 done  > 1 unfinished  ! 1 failed" in told, told
    assert "Traceback" not in told
    assert not (tmp_path / "runs/sweeps/tiny/ray").exists()

    told = sweeps.finish(tmp_path, "--executor", "ray", "--bare")
    assert told.count("started, continues after round ") == 2, told
    assert "= 4 done" in told
    assert sweeps.left_running(tmp_path) == []


def test_everything_ends_when_the_driver_is_killed(tmp_path: Path) -> None:
    write_manifest(tmp_path, rounds=4)
    sweep = sweeps.start(tmp_path, "--executor", "ray", "--bare", ZOO_SIMULATE="deaf:2")
    sweeps.wait_for(lambda: sorted(sweeps.rounds(tmp_path)) == [2, 2])
    assert len(sweeps.fork_servers(tmp_path)) == 1  # Ray's workers share it
    sweep.kill()
    sweep.wait()
    assert sweeps.left_running(tmp_path, 5) == []  # Ray's agents, too


@pytest.mark.parametrize("server", ["gcs_server", "/raylet/raylet", "ray::DashboardAgent"])
def test_a_sweep_ends_when_ray_dies_under_it(tmp_path: Path, server: str) -> None:
    write_manifest(tmp_path, rounds=4)
    sweep = sweeps.start(tmp_path, "--executor", "ray", "--bare", ZOO_SIMULATE="deaf:2")
    sweeps.wait_for(lambda: sorted(sweeps.rounds(tmp_path)) == [2, 2])
    (pid,) = {pid for pid, command in sweeps.marked(tmp_path) if server in command.split(" --")[0]}
    os.kill(pid, signal.SIGKILL)
    assert sweep.wait(timeout=15) == 1
    out = tmp_path / "out.txt"
    words = ["Ray died"]
    if "Agent" in server:  # Ray's native code may end the driver before it has a word
        words.append(DIED)
    sweeps.wait_for(lambda: any(word in out.read_text() for word in words), 5)
    assert "Traceback" not in out.read_text()
    assert sweeps.left_running(tmp_path, 0.5) == []


def test_a_sweep_joins_no_ray_of_another_sweep(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_manifest(tmp_path / name, rounds=4)
    first, second = tmp_path / "first", tmp_path / "second"
    sweep = sweeps.start(first, "--executor", "ray", "--bare", ZOO_SIMULATE="deaf:2")
    sweeps.wait_for(lambda: sorted(sweeps.rounds(first)) == [2, 2])
    profile = second / "cards/profiles/joins.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text("schema: profile/1\nname: joins\naddress: auto\nconcurrency: 2\n")
    told = sweeps.command(second, "sweep", "tiny.yaml", "--on", "joins", "--executor", "ray")
    assert told.returncode == 2
    assert "leads to the Ray of another sweep" in told.stderr
    assert not (second / "runs/train").exists()
    assert sweep.poll() is None
    sweep.kill()
    sweep.wait()
    assert sweeps.left_running(tmp_path, 5) == []


def test_a_trial_goes_on_when_its_ray_worker_dies(tmp_path: Path) -> None:
    write_manifest(tmp_path, rounds=4)
    how = "--executor", "ray", "--bare", "--save-every", "1"
    sweep = sweeps.start(tmp_path, *how, ZOO_SIMULATE="deaf:3@pocket-llama.correctness")
    sweeps.wait_for(lambda: sorted(sweeps.rounds(tmp_path)) == [3, 5, 5, 5])
    (note,) = (tmp_path / "runs/train").glob("pocket-llama.correctness*/launches/*/process.json")
    told = json.loads(note.read_text())
    trial = told["pid"]
    os.kill(told["launcher"], signal.SIGKILL)
    sweeps.wait_for(lambda: not Path(f"/proc/{trial}").exists(), 5)
    out = tmp_path / "out.txt"
    sweeps.wait_for(lambda: "started, continues after round 2" in out.read_text(), 30)
    sweep.kill()
    sweep.wait()
    assert "FAILED [infra] the Ray worker of the trial died" in out.read_text()
    assert "; tried again in 0s (1 of 3)" in out.read_text()
    assert sweeps.left_running(tmp_path, 5) == []


def test_a_sweep_through_ray_runs_where_tmpdir_and_the_run_store_have_long_paths(
    tmp_path: Path,
) -> None:
    write_manifest(tmp_path, models="pocket-llama", rewards="correctness", rounds=1)
    temporary, runs = tmp_path / ("t" * 100), tmp_path.joinpath(*["r" * 100] * 4)
    temporary.mkdir()
    before = set(Path("/tmp").iterdir())
    env = {"TMPDIR": str(temporary), "ZOO_RUNS": str(runs)}
    told = sweeps.finish(tmp_path, "--executor", "ray", "--bare", **env)
    assert "= 1 done" in told
    assert [path for path in set(Path("/tmp").iterdir()) - before if path.name[:4] == "zoo-"] == []
    assert not (runs / "sweeps/tiny/ray").exists()
    assert list(temporary.iterdir()) == []
