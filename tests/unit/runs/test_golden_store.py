"""A run store as zoo 0.1.0 wrote it reads as it was, and nothing finished in it is rewritten."""

from __future__ import annotations

import csv
import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.runs import live
from zoo.store import record
from zoo.store.run_store import Store

ARCHIVE = Path(__file__).parents[2] / "golden" / "store-v1.tar.gz"
REGRADED = "pocket-llama.correctness.pocket-easy.s0-86241306e2"
SECOND = "pocket-llama.correctness.pocket-hard.s0-d387778b56"
FINISHED = ("record.json", "trial.json", "metrics.jsonl", "regraded.json")
"""Files of a finished trial that no later measurement touches."""
FAILED = "pocket-llama.format-only.pocket-hard.s0-e495c49297"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store, unpacked; its sweep is `store_v1`."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    for name in ("ZOO_RUNS", "ZOO_SWEEPS", "ZOO_SIMULATE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return Store(tmp_path / "runs")


def stages(store: Store) -> dict[str, str]:
    """Digest of every file below the stages of the store, but for locks."""
    return {
        str(path.relative_to(store.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for stage in ("train", "samples", "scores")
        for path in sorted((store.root / stage).rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def symbols() -> dict[str, str]:
    """Cell -> symbol and reason, as `zoo status` shows them."""
    data = json.loads(zoo("status", "store_v1", "--json").text)
    return {
        row["id"].rsplit(".s0-", 1)[0]: f"{row['symbol']} {row['why']}" for row in data["trials"]
    }


def test_golden_store_status_reads_every_state(old: Store) -> None:
    assert symbols() == {
        "pocket-llama.correctness.pocket-easy": "= 2 rounds",
        "pocket-llama.correctness.pocket-hard": "= 2 rounds",
        "pocket-llama.box-strict.pocket-easy": "= 2 rounds",
        "pocket-llama.box-strict.pocket-hard": "= 2 rounds",
        "pocket-llama.format-only.pocket-easy": "> interrupted at round 1/2; starts again",
        "pocket-llama.format-only.pocket-hard": "! failed at round 1/2 [error]",
    }


def test_golden_store_records_of_form_1_have_the_lineage_of_their_attempt(old: Store) -> None:
    found = record.read(old.train(SECOND))
    assert found is not None
    assert (found.form, found.attempt, found.lineage, found.branch) == (1, 2, 2, "")
    rows = live.read(old.train(SECOND), found)
    assert (rows.lineage, list(rows.rounds)) == (2, [0, 1, 2])
    assert {live.lineage_of(row) for row in rows.evals if row["round"]} == {2}


def test_golden_store_reading_commands_change_no_stage(old: Store) -> None:
    before = stages(old)
    for words in (("status",), ("report",), ("plan",), ("grade",)):
        assert zoo(*words, "store_v1").status == 0, words
    assert stages(old) == before


def test_golden_store_grading_again_finds_what_it_found(old: Store) -> None:
    told = zoo("grade", "store_v1")
    assert "evaluations: all are by this grader" in told.lines
    assert "rollouts: 1 trial replayed (1 before), 0 of 8 rewards change: 1 run adopted" in (
        told.lines
    )
    every = zoo("grade", "store_v1", "--all")
    assert every.status == 0, every.text
    assert "rollouts: 4 trials replayed, 0 of 32 rewards change: 4 runs adopted" in (every.text)


def test_golden_store_csv_has_the_finished_lineages_alone(old: Store) -> None:
    assert zoo("report", "store_v1").status == 0
    with Path("sweeps/store_v1/results.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["trial"] == SECOND]
    assert {int(row["round"]) for row in rows} == {0, 1, 2}
    index = live.read(old.train(SECOND), record.read(old.train(SECOND))).evals
    named = {(r["round"], n): v for r in index for n, v in r["metrics"].items() if v is not None}
    for row in rows:
        if row["metric"].startswith("eval/") and "avg" not in row["metric"]:
            assert float(row["value"]) == named[int(row["round"]), row["metric"]]


def test_golden_store_goes_on_and_keeps_what_is_there(old: Store) -> None:
    before = stages(old)
    assert zoo("sweep", "store_v1", "--bare").status == 0
    assert set(symbols().values()) == {"= 2 rounds"}
    after = stages(old)
    finished = {name: digest for name, digest in before.items() if "format-only" not in name}
    assert {name: after.get(name) for name in finished} == finished
    folder = old.train(FAILED)
    found = record.read(folder)
    assert found is not None
    assert (found.form, found.attempt, found.lineage, found.branch) == (2, 2, 2, "L2")
    assert (folder / "rollouts" / "round-0001.parquet").is_file()  # of the attempt that failed
    assert (folder / "rollouts" / "L2" / "round-0002.parquet").is_file()


def test_golden_store_later_evaluation_is_measured_and_keeps_the_record(old: Store) -> None:
    before = {name: (old.train(REGRADED) / name).read_bytes() for name in FINISHED}
    more = ("--set", "evaluate.full.benchmarks=[pocket-easy, pocket-hard]", "--only")
    assert zoo("sweep", "store_v1", "--bare", *more, "reward=correctness").status == 0
    assert {name: (old.train(REGRADED) / name).read_bytes() for name in FINISHED} == before
    rows = live.read(old.train(REGRADED), record.read(old.train(REGRADED))).evals
    new = [row for row in rows if row["benchmark"] == "pocket-hard"]
    assert {(row["round"], row["lineage"], row["attempt"]) for row in new} == {(0, 1, 2), (2, 1, 2)}
    assert {row["seed_rule"] for row in new} == {"content"}


def test_record_of_a_newer_form_is_refused_by_name(old: Store) -> None:
    path = old.train(REGRADED) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"form": 3, "more": 1}))
    told = zoo("status", "store_v1")
    assert told.status != 0
    assert "is of form 3, written by a newer zoo" in told.error
