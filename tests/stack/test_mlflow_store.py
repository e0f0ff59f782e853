"""Opening a real MLflow store: damaged files, and run stores in unusual places."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import sweeps
from tests.support.made_up_sweep import make_sweep
from tests.support.mounts import tmpfs
from tests.support.simulated import write_manifest
from zoo.store.run_store import Store
from zoo.track.backend import connect
from zoo.track.client import MlflowMirror


def garbage(file: Path) -> None:
    file.write_bytes(b"no database at all\n" * 1000)


def torn(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])


def holed(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xa5" * 4096 * 20)


def half_made(file: Path) -> None:
    """As where the disk was full while the tables were made."""
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("DELETE FROM alembic_version")
        made.execute("DROP TABLE workspaces")


def half_migrated(file: Path) -> None:
    """All tables are there, and the version is still an older one."""
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")


DAMAGES = (garbage, torn, holed, half_made, half_migrated)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_store_is_set_aside_and_made_anew_from_the_run_folders(
    tmp_path: Path,
    empty_database: Path,
    damage: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    sweep = make_sweep(
        tmp_path,
        models=("pocket-llama",),
        rewards=("correctness",),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        rounds=1,
        problems=8,
    )
    sweep.run()
    file = sweep.store.root / "mlflow.db"
    shutil.copy(empty_database, file)
    damage(file)
    mirror = MlflowMirror(sweep.store, sweep.experiment, sweep.trials)
    assert mirror.finish(True), mirror.problem
    kept = file.with_name("mlflow.db.broken-1")
    assert kept.is_file()
    told = [r.getMessage() for r in caplog.records if r.name == "zoo"]
    assert len(told) == 1
    assert "is kept as mlflow.db.broken-1" in told[0]
    client = connect(sweep.store, sweep.store.mlflow_uri)  # the same file, not the one aside
    experiment = client.get_experiment_by_name(sweep.experiment.name)
    assert len(client.search_runs([experiment.experiment_id])) == 2
    assert not file.with_name("mlflow.db.broken-2").exists()


def test_store_of_a_newer_mlflow_is_left_alone(tmp_path: Path, empty_database: Path) -> None:
    store = Store(tmp_path)
    file = Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(Exception, match="out-of-date"):
        connect(store, store.own_mlflow_uri)
    assert not list(tmp_path.glob("*.broken-*"))


def test_store_of_the_user_is_never_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "mine.db"
    garbage(file)
    before = file.read_bytes()
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        connect(Store(tmp_path / "runs"), f"sqlite:///{file}")
    assert file.read_bytes() == before
    assert not list(tmp_path.glob("*.broken-*"))


def test_damaged_store_is_put_back_where_no_new_one_can_be_made(
    tmp_path: Path, empty_database: Path
) -> None:
    with tmpfs(tmp_path / "small", "size=3m") as folder:
        file = Path(shutil.copy(empty_database, folder / "mlflow.db"))
        half_made(file)
        space = os.statvfs(folder)
        (folder / "rest").write_bytes(b"x" * (space.f_bavail * space.f_frsize - 200_000))
        with pytest.raises(Exception, match="full"):
            connect(Store(folder), Store(folder).own_mlflow_uri)
        assert {path.name for path in folder.iterdir()} >= {"mlflow.db"}
        assert not list(folder.glob("*.broken-*"))


def test_sweep_after_a_full_disk_mirrors_again(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", "size=3m") as folder:
        write_manifest(folder, models="pocket-llama", rewards="correctness", rounds=1)
        local = ("--executor", "local")
        assert sweeps.start(folder, *local).wait(timeout=240) in (0, 1)
        told = (folder / "out.txt").read_text()
        assert "Traceback" not in told
        assert "the run folders are not affected" in told
        subprocess.run(["mount", "-o", "remount,size=300m", str(folder)], check=True)
        told = sweeps.finish(folder, *local, "--set", "seeds=[1]")
        assert "lags behind" not in told
        store = Store(folder / "runs")
        client = connect(store, store.own_mlflow_uri)
        experiment = client.get_experiment_by_name("tiny")
        assert len(client.search_runs([experiment.experiment_id])) >= 2


def test_ui_serves_a_run_store_in_an_unusual_place(tmp_path: Path) -> None:
    write_manifest(tmp_path, models="pocket-llama", rewards="correctness", rounds=1)
    runs = tmp_path / "a%20?b #c" / "runs"
    env = sweeps.environment(tmp_path, ZOO_RUNS=str(runs))
    zoo = [sys.executable, "-m", "zoo.cli.main"]
    subprocess.run([*zoo, "sweep", "tiny.yaml", "--bare"], cwd=tmp_path, env=env, check=True)
    garbage(runs / "mlflow.db")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [*zoo, "ui", "tiny", "--port", str(port)],
        cwd=tmp_path,
        env=env,
        stdout=(tmp_path / "out.txt").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        sweeps.wait_for(lambda: "\nMLflow: http" in (tmp_path / "out.txt").read_text())
        address = f"http://127.0.0.1:{port}"
        asked = {"experiment_name": "tiny"}
        query = urllib.parse.urlencode(asked)
        api = f"{address}/api/2.0/mlflow"
        with urllib.request.urlopen(f"{api}/experiments/get-by-name?{query}") as answer:
            id_ = json.load(answer)["experiment"]["experiment_id"]
        body = json.dumps({"experiment_ids": [id_], "filter": "tags.`zoo.kind` != 'sweep'"})
        request = urllib.request.Request(
            f"{api}/runs/search", body.encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            runs_found = json.load(answer)["runs"]
        assert runs_found
        (run_id,) = [run["info"]["run_id"] for run in runs_found]
        artifact = f"{address}/get-artifact?path=trial.json&run_id={run_id}"
        with urllib.request.urlopen(artifact) as answer:
            assert "pocket-llama" in answer.read().decode()
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert "is kept as mlflow.db.broken-1" in (tmp_path / "out.txt").read_text()
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"a%20?b #c", "out.txt", "sweeps", "tiny.yaml"}
    assert sweeps.left_running(tmp_path) == []
    assert os.listdir(tmp_path / "a%20?b #c") == ["runs"]


def test_no_host_name_is_in_mlflow(tmp_path: Path) -> None:
    write_manifest(tmp_path, models="pocket-llama", rewards="correctness", rounds=1)
    sweeps.finish(tmp_path, "--executor", "local")
    with closing(sqlite3.connect(tmp_path / "runs/mlflow.db")) as made:
        text = "\n".join(made.iterdump())
    assert "pocket-llama" in text
    assert os.uname().nodename not in [word.strip("',()") for word in text.split()]
