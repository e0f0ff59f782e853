"""The process that measures stored weights: its events, its failures, and that it never stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.catalog import Catalog, ComputeProfile
from zoo.errors import StateError
from zoo.launching import processes
from zoo.orchestrate import evaluation
from zoo.planning.targets import Asked, Targets
from zoo.store.run_store import Store
from zoo.train.evaluate import EvaluationJob

PROFILE = ComputeProfile(form="profile/1", name="test", executor="local")


def job(folder: Path, **changes) -> dict:
    store = Store(folder)
    asked = Asked(("pocket-easy",), ("t0", "t1.0"), problems=4, simulated=True)
    target = Targets(Catalog(), store).find("pocket-llama", asked)
    return EvaluationJob(store, PROFILE, (target.trial,), 0, None).as_json() | changes


def test_events_come_in_order_and_samples_are_kept(tmp_path: Path) -> None:
    ticks: list[int] = []
    store = Store(tmp_path)
    run = evaluation.run(job(tmp_path), "x", store, PROFILE, lambda: ticks.append(1))
    events = list(run)
    assert [next(iter(event)) for event in events] == ["begin", "done", "begin", "done"]
    assert store.completions(events[-1]["done"]["samples"]).is_file()
    assert ticks
    assert [path.name for path in (tmp_path / "evals/x").iterdir()] == ["log.txt"]


def test_failure_is_one_error_with_the_end_of_the_log(tmp_path: Path) -> None:
    broken = job(tmp_path, round=0, weights=None)
    broken["trials"][0]["evaluations"][0]["benchmark"]["digest"] = "0" * 16
    with pytest.raises(StateError, match="problems of the digest df2a14ba3d5b3903"):
        list(evaluation.run(broken, "x", Store(tmp_path), PROFILE))


def test_process_ends_with_its_reader(tmp_path: Path) -> None:
    run = evaluation.run(job(tmp_path), "x", Store(tmp_path), PROFILE)
    next(run)
    (token,) = [path.name for path in (tmp_path / "evals/x").iterdir() if path.is_dir()]
    run.close()
    assert processes.of_launch(token) == []
    assert not (tmp_path / "evals/x" / token).exists()
