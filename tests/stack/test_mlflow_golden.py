"""The mirror of a store that zoo 0.1.0 wrote, over an MLflow database of that version, makes no
second run of a trial."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import ViewType

from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, load_study
from zoo.track.backend import connect
from zoo.track.client import MlflowMirror

ARCHIVE = Path(__file__).parents[1] / "golden" / "store-v1.tar.gz"
WRITTEN = {
    "86241306e2": ("FINISHED", "1:1795852154886:5:3:5:done"),
    "d387778b56": ("FINISHED", "2:1795852157536:0:3:5:done"),
    "de05d4588e": ("FINISHED", "1:1795852159230:0:3:5:done"),
    "779bec9a94": ("FINISHED", "1:1795852161932:0:3:5:done"),
    "9c75be9fea": ("KILLED", "1:1795852164654:0:2:3:preempted"),
    "e495c49297": ("FAILED", "1:1795852162764:0:2:3:failed"),
}
"""Hash -> status and `zoo.mark` of its run, as the mirror of zoo 0.1.0 wrote them: lineage, start,
scores replaced, rounds, measurements, state."""


@pytest.fixture
def made(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    shutil.copy(empty_database, tmp_path / "runs" / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    for name in ("ZOO_RUNS", "ZOO_SWEEPS", "ZOO_SIMULATE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return load_study("store_v1", PlanOptions(), started=True)


def push(made: Study) -> None:
    mirror = MlflowMirror(made.store, made.manifest.experiment, made.trials)
    assert mirror.finish(None), mirror.problem


def runs(made: Study) -> dict[str, Any]:
    """Run id -> run, of all runs, also those in the trash."""
    client = connect(made.store, made.store.mlflow_uri)
    found = client.get_experiment_by_name("store_v1")
    kept = client.search_runs([found.experiment_id], run_view_type=ViewType.ALL)
    return {run.info.run_id: run for run in kept}


def children(made: Study) -> dict[str, tuple[str, str]]:
    tagged = [run for run in runs(made).values() if "zoo.trial" in run.data.tags]
    return {
        run.data.tags["zoo.trial"].rpartition("-")[2]: (run.info.status, run.data.tags["zoo.mark"])
        for run in tagged
    }


def test_golden_store_mirrored_again_makes_no_second_run(made: Study) -> None:
    push(made)
    assert children(made) == WRITTEN
    before = runs(made)
    assert len(before) == len(WRITTEN) + 1
    push(made)
    after = runs(made)
    assert {i: r.data.to_dictionary() for i, r in after.items()} == {
        i: r.data.to_dictionary() for i, r in before.items()
    }


def test_golden_store_over_runs_of_the_old_mirror_makes_no_second_run(made: Study) -> None:
    push(made)
    before = runs(made)
    client = connect(made.store, made.store.mlflow_uri)
    for id_, run in before.items():
        if "zoo.series" in run.data.tags:  # zoo 0.1.0 wrote none
            client.delete_tag(id_, "zoo.series")
    push(made)
    assert set(runs(made)) == set(before)
    assert children(made) == WRITTEN
