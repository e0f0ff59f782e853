"""`zoo eval`: the same ids as trials, nothing done twice, hostile completions refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import files, zoo
from zoo.catalog import BenchmarkCard, Catalog
from zoo.data import Problem, load
from zoo.store import journal, record
from zoo.store.run_store import Store

SIMULATED = ("--simulated", "--problems", "4")


def trials(folder: Path) -> list[Path]:
    return sorted((folder / "runs/train").iterdir())


def problems(n: int) -> list[Problem]:
    return load(Catalog().get(BenchmarkCard, "pocket-easy"))[:n]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def test_eval_of_a_model_finds_what_trials_measured_of_their_base(swept: Path) -> None:
    before = files(swept / "runs/samples")
    done = zoo("eval", "pocket-qwen2", "--on", "pocket-easy", *SIMULATED, "--json")
    assert done.status == 0, done.error
    assert files(swept / "runs/samples") == before
    rows = [r for path in trials(swept) for r in journal.read(path / "evals.jsonl")]
    known = {row["scores"]: row["values"] for row in rows if row["round"] == 0}
    for row in json.loads(done.text):
        assert row["values"]["acc"] == known[row["scores"]]["acc"]


def test_eval_of_a_trial_finds_what_it_measured_and_adds_what_it_did_not(swept: Path) -> None:
    path = trials(swept)[0]
    index = (path / "evals.jsonl").read_bytes()
    rows = {r["scores"] for r in journal.read(path / "evals.jsonl") if r["round"] == 3}
    words = ("eval", path.name, "--on", "pocket-easy", "--problems", "4", "--json")
    assert {row["scores"] for row in json.loads(zoo(*words).text)} == rows
    more = zoo("eval", path.name, "--on", "pocket-hard", "--problems", "4", "--samples", "8")
    assert more.status == 0, more.error
    assert "pass@4" in more.text
    assert (path / "evals.jsonl").read_bytes() == index  # the trial's own index is its own


def test_eval_a_second_time_writes_nothing_and_says_the_same(folder: Path) -> None:
    words = ("eval", "pocket-llama", "--on", "pocket-easy,pocket-hard", *SIMULATED, "--samples=4")
    first = zoo(*words, "--detail", "--csv", "out.csv")
    stamps = {p: p.stat().st_mtime_ns for p in (folder / "runs").rglob("*.parquet")}
    assert len(stamps) == 8
    assert zoo(*words, "--detail", "--csv", "again.csv").lines[:-1] == first.lines[:-1]
    assert stamps == {p: p.stat().st_mtime_ns for p in (folder / "runs").rglob("*.parquet")}
    assert Path("out.csv").read_bytes() == Path("again.csv").read_bytes()
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert {"acc", "avg@4", "pass@2", "maj@4", "texts/ends/clipped"} <= {r["measure"] for r in rows}


def test_decoding_is_a_name_or_settings(folder: Path) -> None:
    said = ["--decoding", "t0", "--decoding", "temperature=0.6,top_p=0.95,max_tokens=32"]
    said += ["--decoding", "warm:temperature=1.2", "--decoding", "temperature=1"]
    done = zoo("eval", "pocket-llama", "--on", "pocket-easy", *SIMULATED, *said, "--json")
    names = [row["decoding"] for row in json.loads(done.text)]
    assert names == ["t0", "t0.6-p0.95-m32", "warm", "t1.0"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["pocket-lama", "--on", "pocket-easy"], "did you mean 'pocket-llama'?"),
        (["pocket-llama", "--on", "pocket-esy"], "did you mean 'pocket-easy'?"),
        (["pocket-llama", "--on", "pocket-easy", "--decoding", "t9"], "unknown decoding 't9'"),
        (["pocket-llama", "--on", "pocket-easy", "--decoding", "top_k=3"], "'top_k=3'"),
        (["pocket-llama", "--on", "pocket-easy", "--decoding", "temperature=x"], "temperature=x"),
        (["pocket-llama", "--on", "pocket-easy", "--decoding", "top_p=1"], "temperature=(missing)"),
        (["pocket-llama", "--on", "pocket-easy", "--problems", "501"], "at most 500"),
        (["pocket-llama", "--on", "pocket-easy", "--prompt", "bxed"], "did you mean 'boxed'?"),
        (["pocket-llama", "--on", "pocket-easy", "--round", "3"], "a model has no rounds"),
        (["pocket-llama", "--on", "pocket-easy", "--cap", "2040"], "at most 2,048 (the context)"),
        (["hf:org/name", "--on", "pocket-easy"], "a full commit of 40 hex digits"),
        (["--on", "pocket-easy"], "nothing to evaluate"),
        ([".", "--on", "pocket-easy"], "no model in this folder"),
    ],
)
def test_eval_refuses_with_place_and_writes_nothing(
    folder: Path, words: list[str], found: str
) -> None:
    done = zoo("eval", *words)
    assert done.status == 2
    assert found in done.error
    assert not (folder / "runs").exists()


def test_part_of_an_id_that_fits_several_trials_is_refused(swept: Path) -> None:
    done = zoo("eval", "pocket", "--on", "pocket-easy")
    assert done.status == 2
    assert "the id of one trial, or a part that fits only one" in done.error


# -- completions from elsewhere -------------------------------------------------------------------


def test_completions_from_elsewhere_are_graded_and_marked(folder: Path) -> None:
    rows: list[Any] = []
    for i, problem in enumerate(problems(4)):
        answer = problem.answer if i < 3 else "no idea"
        rows.append({"id": problem.id, "completion": f"It is \\boxed{{{answer}}}."})
        rows.append({"problem": f" {problem.question}\n", "completion": "?", "finish": "length"})
    file = write(folder / "theirs.jsonl", rows)
    words = ("eval", "--completions", str(file), "--on", "pocket-easy", "--problems", "4")
    done = zoo(*words, "--json")
    assert done.status == 0, done.error
    (row,) = json.loads(done.text)
    assert (row["external"], row["decoding"]) == (True, "elsewhere")
    assert row["values"]["acc"] == 3 / 8
    assert row["values"]["clipped_ratio"] == 0.5
    assert row["values"]["mean_length"] is None
    found = record.read(Store(folder / "runs").folder("samples", row["samples"]))
    assert found is not None
    assert found.about["external"] is True
    assert str(folder) not in found.model_dump_json()
    assert zoo(*words, "--json").text == done.text
    assert len(list((folder / "runs/samples").iterdir())) == 1


def test_samples_may_come_in_any_order(folder: Path) -> None:
    rows = [
        {"id": p.id, "sample": s, "completion": f"\\boxed{{{p.answer if s else 0}}}"}
        for s in (1, 0)
        for p in problems(2)
    ]
    words = ("eval", "--on", "pocket-easy", "--problems", "2", "--json", "--completions")
    one, two = (
        json.loads(zoo(*words, str(write(folder / "x.jsonl", order))).text)[0]["scores"]
        for order in (rows, rows[::-1])
    )
    assert one == two


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("{", ":1: no JSON object"),
        ("[" * 100_000, ":1: no JSON object"),
        ("3", ":1: a row that is 3"),
        ('{"id": "x", "id": "y", "completion": ""}', "a key occurs twice"),
        ('{"id": "nobody", "completion": ""}', "`id` is 'nobody'; expected the id of a problem"),
        ('{"problem": 7, "completion": ""}', "`problem` is 7"),
        ('{"completion": ""}', "no `id` and no `problem`"),
        ('{"id": ID, "completion": null}', "`completion` is null; expected text"),
        ('{"id": ID, "completion": "", "finish": "eos"}', "expected stop or length"),
        ('{"id": ID, "completion": "", "sample": -1}', "`sample` is -1"),
        ('{"id": ID, "completion": "", "sample": true}', "`sample` is true"),
        ('{"id": ID, "completion": "", "sample": 10000000000}', "at most 4095"),
        ('{"id": ID, "completion": "", "complete": 1}', "did you mean 'completion'?"),
        ('{"id": ID, "completion": "", "sample": 0}', "1 of 2 problems have not 1"),
        ("", "no rows"),
    ],
)
def test_hostile_completions_are_refused_at_their_line(folder: Path, line: str, found: str) -> None:
    file = folder / "bad.jsonl"
    file.write_text(line.replace("ID", json.dumps(problems(1)[0].id)) + "\n" * bool(line))
    done = zoo("eval", "--completions", str(file), "--on", "pocket-easy", "--problems", "2")
    assert done.status == 2
    assert "bad.jsonl" in done.error
    assert found in done.error
    assert not (folder / "runs").exists()


def test_the_same_sample_twice_is_refused(folder: Path) -> None:
    row = {"id": problems(1)[0].id, "sample": 0, "completion": ""}
    file = write(folder / "bad.jsonl", [row, row])
    done = zoo("eval", "--completions", str(file), "--on", "pocket-easy", "--problems", "1")
    assert "bad.jsonl:2: sample 0 of problem" in done.error


def test_hostile_texts_are_wrong_and_nothing_worse(folder: Path) -> None:
    texts = ["\ud800 \\boxed{0}", "\x00\x1b[2J", "\\boxed{" * 20_000, "9" * 300_000]
    rows = [{"id": p.id, "completion": t} for p, t in zip(problems(4), texts, strict=True)]
    file = write(folder / "evil.jsonl", rows)
    words = ("--on", "pocket-easy", "--problems", "4", "--detail")
    done = zoo("eval", "--completions", str(file), *words)
    assert done.status == 0, done.error
    assert "0.0 (0.0 to 49.0)" in done.text
    assert "\x1b" not in done.text
