"""Sweeps on a Ray cluster of three nodes, all of this machine: `make cluster`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import sweeps
from tests.support.mounts import may_unshare
from tests.support.ray_nodes import RayNodes, ray_nodes, write_card
from tests.support.simulated import write_manifest
from tests.support.trials import manifest
from zoo.store import record
from zoo.store.run_store import Store

ON = ("--on", "three", "--executor", "ray", "--bare")
GANG = "processes_per_trial: 2\nnodes_per_trial: 2\n"


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with ray_nodes() as made:
        yield made


def started(folder: Path, nodes: RayNodes, **settings: object) -> None:
    """A manifest of four simulated trials in `folder`, and the card of the cluster."""
    write_manifest(folder, rounds=4)
    write_card(folder, nodes.address, **settings)  # type: ignore[arg-type]


def out(folder: Path) -> str:
    return (folder / "out.txt").read_text()


def finished(folder: Path, **env: str) -> str:
    """Run the sweep to its end, which has to be a good one; returns what it printed."""
    status = sweeps.start(folder, *ON, **env).wait(timeout=240)
    assert status == 0, out(folder)
    return out(folder)


def test_sweep_uses_all_nodes_and_leaves_the_cluster_as_it_was(
    nodes: RayNodes, tmp_path: Path
) -> None:
    started(tmp_path, nodes)
    servers = nodes.servers()
    sweep = sweeps.start(tmp_path, *ON, ZOO_SIMULATE="sleep:3", HF_TOKEN="hf_secret_of_a_test")
    sweeps.wait_for(lambda: len(sweeps.rounds(tmp_path)) == 3)  # three at a time
    trials = [pid for pid, command in sweeps.marked(tmp_path) if "zoo.train" in command]
    given = [Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in trials]
    assert all(b"HF_TOKEN=hf_secret_of_a_test" in one for one in given)
    assert secrets_in(tmp_path, b"hf_secret_of_a_test") == []
    assert sweep.wait(timeout=120) == 0, out(tmp_path)
    assert "= 4 done" in out(tmp_path)
    assert sweeps.left_running(tmp_path) == []
    assert nodes.servers() == servers
    assert not (tmp_path / "runs/sweeps/tiny/ray").exists()
    assert secrets_in(tmp_path, b"hf_secret_of_a_test") == []
    assert secrets_in(nodes.folder, b"hf_secret_of_a_test") == []
    assert secrets_in(tmp_path / "runs/train", os.uname().nodename.encode()) == []


def secrets_in(folder: Path, secret: bytes) -> list[Path]:
    """Files that hold a text."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in found if secret in path.read_bytes()]


def test_trial_of_two_nodes_is_one_gang(nodes: RayNodes, tmp_path: Path) -> None:
    started(tmp_path, nodes, more=GANG, cpus=2, concurrency=2)
    assert "= 4 done" in finished(tmp_path)
    folders = [*(tmp_path / "runs/train").iterdir()]
    assert len(folders) == 4
    assert all((folder / "log.1.txt").exists() for folder in folders)
    assert sweeps.left_running(tmp_path) == []


def test_trial_of_two_nodes_that_lacks_memory_is_tried_with_less(
    nodes: RayNodes, tmp_path: Path
) -> None:
    write_manifest(tmp_path, models="pocket-qwen2", rewards="correctness")
    write_card(tmp_path, nodes.address, more=GANG, cpus=2)
    assert "= 1 done" in finished(tmp_path, ZOO_SIMULATE="oom:1")
    (folder,) = (tmp_path / "runs/train").iterdir()
    found = record.read(folder)
    assert found is not None
    assert found.about["out_of_memory"] == [4, 2]


def test_real_trial_of_two_processes_trains_over_two_nodes(nodes: RayNodes, tmp_path: Path) -> None:
    evaluate = "{full: {benchmarks: [pocket-easy], problems: 4, at: [last]}}"
    manifest(tmp_path, "tiny", rounds=2, evaluate=evaluate)
    write_card(tmp_path, nodes.address, more=GANG, cpus=2)
    assert "= 1 done" in finished(tmp_path)
    (folder,) = (tmp_path / "runs/train").iterdir()
    found = record.read(folder)
    assert found is not None
    assert found.done(2)
    assert (folder / "log.1.txt").exists()
    assert sweeps.left_running(tmp_path) == []


def test_killed_driver_ends_its_trials_and_the_next_sweep_goes_on(
    nodes: RayNodes, tmp_path: Path
) -> None:
    started(tmp_path, nodes)
    servers = nodes.servers()
    sweep = sweeps.start(tmp_path, *ON, "--save-every", "1", ZOO_SIMULATE="deaf:3")
    sweeps.wait_for(lambda: sorted(sweeps.rounds(tmp_path)) == [3, 3, 3])
    sweep.kill()
    sweep.wait()
    begun = time.monotonic()
    assert sweeps.left_running(tmp_path, 30) == []
    print(f"driver killed: its trials ended within {time.monotonic() - begun:.1f} s")
    assert nodes.servers() == servers
    told = finished(tmp_path, ZOO_SIMULATE="")
    assert told.count("continues after round ") == 3, told
    assert "= 4 done" in told


def test_node_with_another_run_store_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    may_unshare()
    with ray_nodes(2) as nodes:
        (tmp_path / "runs").mkdir()
        hide = 'mount -t tmpfs none "$0" && exec "$@"'
        nodes.start(1, ("unshare", "-m", "sh", "-c", hide, str(tmp_path / "runs")))
        started(tmp_path, nodes)
        status = sweeps.start(tmp_path, *ON).wait(timeout=120)
    told = out(tmp_path)
    assert status == 2, told
    assert told.count("is not the driver's folder there; expected one run store") == 1
    assert "Traceback" not in told
    assert [*(tmp_path / "runs").iterdir()] == []
    assert not (tmp_path / "sweeps").exists()


def test_sweep_survives_a_node_and_uses_one_that_joins_and_ends_with_the_head(
    tmp_path: Path,
) -> None:
    with ray_nodes() as nodes:
        started(tmp_path, nodes)
        sweep = sweeps.start(tmp_path, *ON, "--save-every", "1", ZOO_SIMULATE="sleep:6")
        sweeps.wait_for(lambda: sorted(sweeps.rounds(tmp_path)) == [2, 2, 2])
        nodes.kill(2)
        begun = time.monotonic()
        sweeps.wait_for(lambda: "tried again in" in out(tmp_path), 90)
        assert "[infra]" in out(tmp_path)
        print(f"node killed: its trial was taken back after {time.monotonic() - begun:.1f} s")
        begun = time.monotonic()
        nodes.start()
        sweeps.wait_for(lambda: "continues after round " in out(tmp_path), 90)
        print(f"node joined: a trial started after {time.monotonic() - begun:.1f} s")
        nodes.kill(0, only=("gcs_server",))
        begun = time.monotonic()
        assert sweep.wait(timeout=60) == 1, out(tmp_path)
        print(f"head killed: the sweep ended after {time.monotonic() - begun:.1f} s")
        assert "the head of the Ray cluster did not answer" in out(tmp_path)
        assert "Traceback" not in out(tmp_path)
        assert sweeps.left_running(tmp_path, 30) == []
        print(f"head killed: its trials ended after {time.monotonic() - begun:.1f} s")
    with ray_nodes() as fresh:
        write_card(tmp_path, fresh.address)
        told = finished(tmp_path)
    assert "continues after round " in told
    assert "= 4 done" in told
    assert len([*Store(tmp_path / "runs").root.glob("train/*/record.json")]) == 4


def test_address_without_a_cluster_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    write_card(tmp_path, "127.0.0.1:1")
    assert sweeps.start(tmp_path, *ON).wait(timeout=120) == 2
    assert "no Ray cluster can be joined at address '127.0.0.1:1'" in out(tmp_path)
    assert not (tmp_path / "runs").exists()
