"""Files appear whole, and one process at a time holds a stage folder."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from zoo.store.run_store import Store, claim, claimed, read_json, write_json, write_text
from zoo.track.backend import path_of

HOLD = """
import sys, time
from pathlib import Path
from zoo.track.backend import path_of
from zoo.store.run_store import claim
with claim(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""

PROBE = """
import sys
from pathlib import Path
from zoo.track.backend import path_of
from zoo.store.run_store import claimed
print(claimed(Path(sys.argv[1])))
"""


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.json"
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": math.nan})
    assert read_json(path) == {"a": 1}
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    texts = ["a" * 200_000, "b" * 200_000]
    write_text(path, texts[0], durable=False)
    stop, seen = threading.Event(), set[str]()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(40):
        write_text(path, texts[i % 2], durable=False)
    stop.set()
    reader.join()
    assert seen <= set(texts)


def test_a_missing_file_is_none_and_a_broken_one_an_error(tmp_path: Path) -> None:
    assert read_json(tmp_path / "no.json") is None
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        read_json(tmp_path / "broken.json")


def test_two_claims_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    with claim(tmp_path / "stage") as mine:
        assert mine
        with claim(tmp_path / "stage", wait=False) as second:
            assert not second
        with claim(tmp_path / "other", wait=False) as other:
            assert other
    with claim(tmp_path / "stage", wait=False) as again:
        assert again


def test_another_process_holds_a_claim_until_it_dies(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with claim(tmp_path, wait=False) as got:
            assert not got
        holder.kill()
        with claim(tmp_path, poll_s=0.01) as got:
            assert got


def test_a_probe_sees_a_claim_and_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    assert not claimed(folder)
    assert not folder.exists()
    with claim(folder):
        assert claimed(folder)
        command = [sys.executable, "-c", PROBE, str(folder)]
        assert subprocess.run(command, capture_output=True, text=True).stdout == "True\n"
    assert not claimed(folder)


def test_a_probe_never_gets_in_the_way_of_a_claim(tmp_path: Path) -> None:
    folder, stop = tmp_path / "stage", threading.Event()
    with claim(folder):
        pass

    def probe() -> None:
        while not stop.is_set():
            claimed(folder)

    thread = threading.Thread(target=probe)
    thread.start()
    got = []
    for _ in range(3000):
        with claim(folder, wait=False) as mine:
            got.append(mine)
    stop.set()
    thread.join()
    assert all(got)


def test_a_claim_does_not_go_to_processes_that_are_started_under_it(tmp_path: Path) -> None:
    with claim(tmp_path):
        child = subprocess.Popen(["sleep", "60"])
    try:
        with claim(tmp_path, wait=False) as again:
            assert again
    finally:
        child.kill()
        child.wait()


def test_whoever_waits_goes_on_when_the_claim_is_free(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with claim(tmp_path, poll_s=0.01):
            order.append("second")

    with claim(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_claim_is_given_back_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), claim(tmp_path):
        raise RuntimeError
    with claim(tmp_path, wait=False) as got:
        assert got


def test_the_store_lies_where_zoo_runs_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "elsewhere"))
    store = Store()
    assert store.train("a-1") == tmp_path / "elsewhere" / "train" / "a-1"
    assert store.sweep("pocket") == tmp_path / "elsewhere" / "sweeps" / "pocket"
    assert not store.root.exists()
    monkeypatch.delenv("ZOO_RUNS")
    monkeypatch.chdir(tmp_path)
    assert Store().root == tmp_path / "runs"
    assert Store("here").root == tmp_path / "here"


def test_mlflow_lies_beside_the_runs_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert Store(tmp_path).mlflow_uri == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert Store(tmp_path).mlflow_uri == "http://localhost:5000"


@pytest.mark.parametrize(
    "name", ["a%20b", "what?", "what?uri=true", "c#", "a b", "100%", "é", "+&="]
)
def test_the_uri_of_mlflow_means_the_file_beside_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = Store(tmp_path / name)
    assert path_of(store.mlflow_uri) == tmp_path / name / "mlflow.db"


def test_only_the_uri_of_a_sqlite_store_has_a_file() -> None:
    assert path_of("http://localhost:5000") is None
    assert path_of("postgresql://me@host/db") is None
    assert path_of("sqlite:///here.db?timeout=5") == Path("here.db")
