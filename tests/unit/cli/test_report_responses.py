"""`zoo report` on what responses look like, and on accuracy by level and source."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import fmean

import pytest

from tests.support.cli import zoo
from zoo.store.parquet import read_parquet
from zoo.store.run_store import Store

LEVELS = ("Level 1", "Level 5")


def levelled(folder: Path) -> None:
    """Let the manifest's evaluation be of a file with two levels, and run it."""
    problems = [
        {"problem": f"What is {i} + {i}?", "answer": str(2 * i), "level": LEVELS[i % 2]}
        for i in range(8)
    ]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    path = folder / "experiments/tiny.yaml"
    own = "benchmarks: [pocket-easy, {path: own.jsonl, columns: {level: level}, extract: boxed}]"
    text = path.read_text().replace("benchmarks: [pocket-easy]", own)
    path.write_text(text.replace("problems: 4", "problems: 8"))
    assert zoo("sweep", "tiny", "--bare").status == 0
    assert zoo("report", "tiny").status == 0


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """A table of the report by the end of its file's name."""
    (path,) = (folder / "sweeps/tiny/report/tables").glob(f"table-*-{name}.csv")
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_report_of_a_benchmark_with_levels_has_accuracy_by_level(folder: Path) -> None:
    levelled(folder)
    rows = [r for r in table(folder, "accuracy-by-level") if r["decoding"] == "t0"]
    assert {(row["by"], row["group"], row["n"]) for row in rows} == {
        ("level", "1", "4"),
        ("level", "5", "4"),
    }
    overall = [
        row
        for row in csv.DictReader((folder / "sweeps/tiny/results.csv").open())
        if row["metric"] == "eval/own/acc/t0" and row["role"] == "final"
    ]
    for result in overall:
        same = [
            float(row["final %"])
            for row in rows
            if all(row[axis] == result[axis] for axis in ("model", "reward"))
        ]
        assert len(same) == 2
        assert fmean(same) == pytest.approx(100 * float(result["value"]))
        assert all(row["benchmark"] == "own" for row in rows)


def test_report_says_what_responses_look_like_before_and_after(folder: Path) -> None:
    levelled(folder)
    rows = table(folder, "responses")
    assert {row["benchmark"] for row in rows} == {"pocket-easy", "own"}
    store = Store()
    for row in rows:
        assert 0 <= float(row["repeated %"]) <= 100
        assert float(row["base tokens"]) > 0
    lengths: list[int] = []
    for path in (folder / "runs/samples").glob("*.r3.own.t0-*"):
        stored = read_parquet(store.completions(path.name), ["token_ids"])
        lengths += [len(ids) for ids in stored["token_ids"]]
    greedy = [row for row in rows if row["benchmark"] == "own" and row["decoding"] == "t0"]
    own = [float(row["tokens"]) for row in greedy]
    assert fmean(own) == pytest.approx(fmean(lengths))


def test_report_of_one_level_says_why_there_is_no_accuracy_by_group(swept: Path) -> None:
    assert zoo("report", "tiny").status == 0
    page = (swept / "sweeps/tiny/report.html").read_text()
    assert "No benchmark has problems of several levels or sources" in page
