"""What a node reports of itself, and which of it keeps a sweep from starting; no Ray here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from zoo.catalog import Catalog, ComputeProfile
from zoo.executors import node_report
from zoo.executors.node_report import HELLO, LOCKED, NodeReport, faults, report, software
from zoo.store.run_store import claim

PROFILE = Catalog().get(ComputeProfile, "ray-cluster")
SAME = {"zoo": "1", "torch": "2.9"}
GOOD = NodeReport("n1", software=SAME, gpus_mib=(81_559,) * 8)


def told(one: NodeReport, seen: bool = True) -> list[str]:
    names = {"a"} if seen else set[str]()
    return [str(fault) for fault in faults({"a": one}, SAME, names, PROFILE, Path("/shared/runs"))]


def test_node_that_is_as_the_driver_has_no_fault() -> None:
    assert told(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sees": False}, "node n1: /shared/runs is not the driver's folder there; expected one"),
        ({"store": "Read-only file system"}, "node n1: /shared/runs: Read-only file system"),
        ({"excluded": False}, "a lock in /shared/runs that the driver holds does not keep it out"),
        (
            {"software": {**SAME, "torch": "2.8"}},
            "than the driver's: torch 2.9 -> 2.8",
        ),
        ({"gpus_mib": (81_559,) * 4}, "node n1: 4 GPUs; expected 8, by `gpus_per_node`"),
        ({"gpus_mib": (81_559,) * 7 + (40_960,)}, "a GPU of 40 GiB; expected 80 GiB"),
        ({"free_gib": 0.2}, "0.2 GiB free for temporary files; expected at least 1 GiB"),
        ({"error": "no answer within 120 s"}, "node n1: no answer within 120 s"),
    ],
)
def test_each_fault_of_a_node_is_one_message(changes: dict[str, object], expected: str) -> None:
    (found,) = told(replace(GOOD, **changes))  # type: ignore[arg-type]
    assert expected in found


def test_file_that_the_driver_does_not_see_is_a_fault() -> None:
    (found,) = told(GOOD, seen=False)
    assert "is not seen here within" in found


def test_report_sees_the_store_of_the_driver_and_its_lock(tmp_path: Path) -> None:
    profile = Catalog().get(ComputeProfile, "laptop")
    (tmp_path / HELLO).write_text("token")
    with claim(tmp_path / LOCKED):
        found = report(tmp_path, "token", "a", profile)
    assert (found.sees, found.store, found.excluded) == (True, "", True)
    assert (tmp_path / "a").read_text() == "token"
    assert found.software == software(profile)
    assert not report(tmp_path, "token", "a", profile).excluded  # nobody holds it any more


def test_report_of_another_store_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_report, "VISIBLE_S", 0.2)
    profile = Catalog().get(ComputeProfile, "laptop")
    assert not report(tmp_path / "runs" / "probe", "token", "a", profile).sees
    (tmp_path / HELLO).write_text("of another sweep")
    assert not report(tmp_path, "token", "a", profile).sees
