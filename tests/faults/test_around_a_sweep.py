"""What happens around a sweep while it runs, and must not touch its results: a clock that jumps, an
edited manifest, a copied store, an MLflow that is slow, refuses or dies, secrets in its shell."""

from __future__ import annotations

import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import simulated, sweeps
from tests.support.cli import zoo
from tests.support.same_trial import traces
from zoo.launching.task import write_task
from zoo.store import record
from zoo.store.run_store import Store
from zoo.train.entry import run

LOCAL = ("--executor", "local", "--concurrency", "2")
DAY_S = 86_400.0


def test_clock_that_jumps_by_a_day_changes_no_result_and_no_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name in ("calm", "jumping"):
        (tmp_path / name).mkdir()
        made.append(simulated.make(tmp_path / name, rounds=4))
    calm, jumping = made
    assert [run(write_task(task)) for task in calm.tasks()] == [0] * 4
    now, rng = time.time, random.Random(7)
    monkeypatch.setattr(time, "time", lambda: now() + rng.choice((-DAY_S, 0.0, DAY_S)))
    assert [run(write_task(task)) for task in jumping.tasks()] == [0] * 4
    for trial in calm.trials:
        assert traces(trial, jumping.store) == traces(trial, calm.store)
        found = record.read(jumping.store.train(trial.id))
        assert found is not None
        assert 0 <= found.seconds < 60
    monkeypatch.chdir(jumping.folder)
    told = zoo("status", "tiny.yaml")
    assert (told.status, told.error) == (0, "")
    assert "= 4 done" in told.text


def test_manifest_that_is_edited_under_a_sweep_changes_the_next_plan_only(tmp_path: Path) -> None:
    path = simulated.write_manifest(tmp_path, rounds=3)
    sweep = sweeps.start(tmp_path, *LOCAL, "--bare", ZOO_SIMULATE="sleep:0.5")
    sweeps.wait_for(lambda: len(sweeps.rounds(tmp_path)) == 2)
    path.write_text(path.read_text().replace("num_generations: 4", "num_generations: 8"))
    assert sweep.wait(timeout=60) == 0
    records = sorted((tmp_path / "runs/train").glob("*/record.json"))
    assert len(records) == 4
    kept = [file.read_bytes() for file in records]
    plan = sweeps.command(tmp_path, "plan", "tiny.yaml")
    assert "num_generations" in plan.stdout
    assert "4 -> 8" in plan.stdout or "4 → 8" in plan.stdout, plan.stdout
    assert [file.read_bytes() for file in records] == kept


def test_sweep_in_a_copy_of_a_running_one_leaves_the_first_alone(tmp_path: Path) -> None:
    first, copy = tmp_path / "first", tmp_path / "copy"
    first.mkdir()
    simulated.write_manifest(first, rounds=4)
    running = sweeps.start(first, *LOCAL, "--bare", ZOO_SIMULATE="sleep:1")
    sweeps.wait_for(lambda: len(sweeps.rounds(first)) == 2 and min(sweeps.rounds(first)) >= 2)
    shutil.copytree(first, copy)
    told = sweeps.finish(copy, *LOCAL, "--bare")
    assert "= 4 done" in told
    assert running.wait(timeout=60) == 0
    assert "FAILED" not in (first / "out.txt").read_text()
    trials = simulated.make(first, rounds=4).trials
    stores = [Store(folder / "runs") for folder in (first, copy)]
    for trial in trials:
        one, other = (traces(trial, store) for store in stores)
        assert one == other


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with 500, or later than anybody waits."""

    delay_s = 0.0

    def _refuse(self) -> None:
        time.sleep(self.delay_s)
        self.send_response(500)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = _refuse

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def mlflow_that(how: str) -> Iterator[str]:
    """The address of an MLflow that `refuses`, is `slow`, or is `dead`."""
    if how == "dead":
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        return
    handler = type("Handler", (Refusing,), {"delay_s": 30.0 if how == "slow" else 0.0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("how", ["refuses", "slow", "dead"])
def test_sweep_beside_a_broken_mlflow_comes_to_its_end_and_a_sync_sends_all(
    tmp_path: Path, how: str
) -> None:
    simulated.write_manifest(tmp_path, models="pocket-llama", rounds=2)
    patience = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    with mlflow_that(how) as uri:
        told = sweeps.finish(tmp_path, *LOCAL, MLFLOW_TRACKING_URI=uri, **patience)
    assert "= 2 done" in told
    assert "`zoo sync tiny` sends" in told, told
    assert "Traceback" not in told
    sent = sweeps.command(tmp_path, "sync", "tiny.yaml")
    assert "2 trials" in sent.stdout, sent.stdout + sent.stderr
    assert sent.returncode == 0


def test_no_secret_of_the_shell_is_in_any_file_of_a_sweep(tmp_path: Path) -> None:
    simulated.write_manifest(tmp_path, models="pocket-llama", rounds=2)
    secret = "hf_pT7sEcReTvAlUe9x"
    names = ("HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY")
    env = dict.fromkeys(names, secret) | {"https_proxy": f"http://me:{secret}@127.0.0.1:9"}
    sweeps.finish(tmp_path, *LOCAL, ZOO_SIMULATE="fail:1@pocket-llama.none", **env)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
