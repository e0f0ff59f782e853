"""`zoo behaviours`: labels are kept as a stage, a judge is asked once, and its key is kept
nowhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import zoo
from tests.support.judge_server import says, serving
from zoo.store import journal, record
from zoo.store.parquet import read_parquet, write_parquet


@pytest.fixture
def reasoned(swept: Path) -> Path:
    """A sweep whose trained responses check their results, and whose first ones do not."""
    last = {
        row["samples"]
        for path in (swept / "runs/train").iterdir()
        for row in journal.read(path / "evals.jsonl")
        if row["round"]
    }
    for sample in last:
        path = swept / "runs/samples" / sample / "completions.parquet"
        rows = read_parquet(path)
        rows["text"] = [f"{text} Let me check: {i}." for i, text in enumerate(rows["text"])]
        write_parquet(path, rows)
    return swept


def table(folder: Path, name: str = "behaviours.csv") -> list[dict[str, Any]]:
    return list(csv.DictReader((folder / "sweeps/tiny" / name).read_text().splitlines()))


def test_keywords_show_what_grew_by_trial(reasoned: Path) -> None:
    (reasoned / "sweeps/tiny").mkdir(parents=True, exist_ok=True)
    done = zoo("behaviours", "tiny")
    assert done.status == 0, done.error
    assert done.lines[0].startswith("SIMULATED")
    rows = table(reasoned)
    assert len(rows) == 16  # four trials, four behaviours
    grown = {row["behaviour"] for row in rows if float(row["growth"]) > 0}
    assert grown == {"verification"}
    assert {row["decoding"] for row in rows} == {"t1.0"}
    stages = list((reasoned / "runs/behaviours").iterdir())
    assert len(stages) == 6  # of four trials, and of two base models
    found = record.read(stages[0])
    assert found is not None
    assert (found.stage, found.about["detector"]) == ("behaviours", {"keywords": "1"})
    stamps = {p: p.stat().st_mtime_ns for p in (reasoned / "runs/behaviours").rglob("*.json")}
    assert zoo("behaviours", "tiny").text == done.text
    assert stamps == {p: p.stat().st_mtime_ns for p in stamps}


def test_report_shows_behaviours_by_model_beside_lengths(reasoned: Path) -> None:
    (reasoned / "sweeps/tiny").mkdir(parents=True, exist_ok=True)
    assert zoo("report", "tiny").status == 0
    page = reasoned / "sweeps/tiny/report.html"
    assert "No response is labelled yet" in page.read_text()
    assert zoo("behaviours", "tiny").status == 0
    assert zoo("report", "tiny").status == 0
    text = page.read_text()
    assert text.index('id="pass"') < text.index('id="behaviours"') < text.index('id="health"')
    assert "Reasoning behaviours before and after training" in text
    (path,) = (reasoned / "sweeps/tiny/report/tables").glob("*-behaviours.csv")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    models = {row["model"] for row in rows}
    assert len(rows) == 4 * len(models)
    grown = [row for row in rows if float(row["growth"]) > 0]
    assert {row["behaviour"] for row in grown} == {"verification"}
    assert all(float(row["tokens after"]) > 0 for row in rows)
    (reasoned / "sweeps/tiny/behaviours.csv").write_text("trial,\n1,2,3\n")
    done = zoo("report", "tiny")
    assert done.status != 0
    assert "behaviours.csv: cannot be read" in done.error


def answer(asked: str) -> str:
    return says("verification") if "Let me check" in asked else says()


def test_judge_is_asked_once_a_response_and_its_key_is_kept_nowhere(
    reasoned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    with serving(answer) as server:
        words = ["behaviours", "tiny", "--judge", "m", "--endpoint", server.url, "--yes"]
        words += ["--key-variable", "JUDGE_KEY", "--json"]
        done = zoo(*words)
        assert done.status == 0, done.error
        assert server.headers[0]["Authorization"] == "Bearer sk-secret"
        calls = len(server.bodies)
        assert calls == len({json.dumps(body) for body in server.bodies})
        assert zoo(*words).text == done.text
        more = zoo(*words, "--responses", "2")  # other sets, the same answers
        assert more.status == 0
        assert len(server.bodies) == calls
        found = json.loads(done.text)
        assert found["detector"] == "m"
        grown = [row for row in found["rows"] if row["behaviour"] == "verification"]
        assert all(row["after"] == 1 and row["before"] == 0 for row in grown)
        assert found["keywords"]["verification"]["agreement"] == 1
    for path in reasoned.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert b"sk-secret" not in raw, path
            assert b"127.0.0.1" not in raw or path.suffix != ".json", path


def test_judge_that_breaks_off_goes_on_where_it_was(reasoned: Path) -> None:
    left = [3]

    def breaking(asked: str) -> Any:
        left[0] -= 1
        return answer(asked) if left[0] >= 0 else (400, {}, "")

    with serving(breaking) as server:
        words = ["behaviours", "tiny", "--judge", "m", "--endpoint", server.url, "--yes"]
        words += ["--parallel", "1"]
        done = zoo(*words)
        assert done.status == 1
        assert "HTTP 400" in done.error
        assert "run the command again to continue" in done.error
        before = len(server.bodies)
        server.answer = answer
        assert zoo(*words).status == 0
        first = [body["messages"][1]["content"] for body in server.bodies[:3]]
        assert not {b["messages"][1]["content"] for b in server.bodies[before:]} & set(first)


def test_judge_needs_somebody_who_agrees_to_the_price(reasoned: Path) -> None:
    with serving(answer) as server:
        words = ["behaviours", "tiny", "--judge", "m", "--endpoint", server.url]
        done = zoo(*words, "--price", "2", "8")
        assert done.status == 2
        assert "expected --yes" in done.error
        assert server.bodies == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--judge", "m"], "--endpoint: is missing"),
        (["--on", "pocket-esy"], "did you mean 'pocket-easy'?"),
        (["--decoding", "t2"], "'t2' is not evaluated at two rounds"),
    ],
)
def test_behaviours_refuses_at_its_option(swept: Path, words: list[str], found: str) -> None:
    done = zoo("behaviours", "tiny", *words)
    assert done.status == 2
    assert found in done.error
    assert not (swept / "runs/behaviours").exists()
