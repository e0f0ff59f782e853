"""`zoo sync` against a real MLflow server with an account, and against servers that do not help."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from tests.support.mlflow_server import PASSWORD, USER, Proxy, free_port, served
from tests.support.simulated import write_manifest
from zoo.cli.mlflow_commands import serve, sync
from zoo.cli.sweep import SweepOptions, run
from zoo.errors import StateError
from zoo.planning.options import PlanOptions


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    with served(folder) as running:
        yield running


@pytest.fixture
def sweep(tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished sweep of one trial that nothing has copied, under a name of its own."""
    proxy.delay_s, proxy.refused = 0.0, ""
    name = f"far-{tmp_path.name[-12:].replace('_', '-').strip('-')}"
    path = write_manifest(tmp_path, name=name, models="pocket-llama", rewards="correctness")
    monkeypatch.chdir(tmp_path)
    for variable in ("ZOO_RUNS", "ZOO_SWEEPS", "ZOO_SIMULATE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.uri)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert run(str(path), PlanOptions(), SweepOptions(bare=True)) == 0
    return name


def runs(proxy: Proxy, name: str) -> dict[str, mlflow.entities.Run]:
    """Kind -> run of the two runs of a sweep."""
    client = mlflow.MlflowClient(proxy.uri)
    found = client.get_experiment_by_name(name)
    assert found is not None
    kept = {run.data.tags["zoo.kind"]: run for run in client.search_runs([found.experiment_id])}
    assert set(kept) == {"sweep", "trial"}
    return kept


def files(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted((folder / "runs/train").rglob("*.json*"))}


def test_sync_to_a_server_with_an_account_is_whole_and_idempotent(
    sweep: str, proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sync(sweep, PlanOptions()) == 0
    assert "1 trial up to date in MLflow, http://127.0.0.1" in capsys.readouterr().out
    found = runs(proxy, sweep)
    client = mlflow.MlflowClient(proxy.uri)
    kept = {file.path for file in client.list_artifacts(found["trial"].info.run_id)}
    assert kept == {"trial.json", "completions.json"}
    assert "report.html" in {f.path for f in client.list_artifacts(found["sweep"].info.run_id)}
    proxy.asked.clear()
    assert sync(sweep, PlanOptions()) == 0
    uploads = [one for one in proxy.asked if "artifacts" in one or "log-batch" in one]
    assert not uploads
    again = runs(proxy, sweep)
    assert {kind: run.data.to_dictionary() for kind, run in again.items()} == {
        kind: run.data.to_dictionary() for kind, run in found.items()
    }
    assert serve(sweep, PlanOptions(), 5000, "127.0.0.1") == 0
    assert f"MLflow: {proxy.uri}/#/experiments/" in capsys.readouterr().out


def test_sync_without_the_account_says_so_and_harms_nothing(
    sweep: str, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(tmp_path)
    secret = proxy.uri.replace("//", "//someone:s3cret@")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", secret)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(StateError, match="the run folders are not affected") as error:
        sync(sweep, PlanOptions())
    assert "MLFLOW_TRACKING_USERNAME" in str(error.value)
    assert "s3cret" not in str(error.value)
    assert files(tmp_path) == before


def test_sync_to_a_dead_server_ends_and_a_later_one_sends_all(
    sweep: str, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StateError, match=r"`zoo sync far-.*` sends what is missing"):
        sync(sweep, PlanOptions())
    assert files(tmp_path) == before
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    proxy.delay_s = 2.0
    with pytest.raises(StateError, match=r"does not answer .*Timeout"):
        sync(sweep, PlanOptions())
    proxy.delay_s = 0.0
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    assert sync(sweep, PlanOptions()) == 0
    assert runs(proxy, sweep)["trial"].data.metrics["train/reward"] is not None


def test_server_that_takes_no_artifacts_still_gets_the_numbers(sweep: str, proxy: Proxy) -> None:
    proxy.refused = "mlflow-artifacts"
    with pytest.raises(StateError, match="refused"):
        sync(sweep, PlanOptions())
    found = runs(proxy, sweep)
    assert found["trial"].info.status == "FINISHED"
    assert "eval/pocket-easy/acc/t1.0" in found["trial"].data.metrics
    proxy.refused = ""
    assert sync(sweep, PlanOptions()) == 0
    assert runs(proxy, sweep)["trial"].info.run_id == found["trial"].info.run_id
    kept = mlflow.MlflowClient(proxy.uri).list_artifacts(found["trial"].info.run_id)
    assert {file.path for file in kept} == {"trial.json", "completions.json"}
