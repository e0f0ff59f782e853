"""`zoo void`: a trial is kept and shown with its reason, and counts nowhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.cli import Told, files, zoo
from zoo.planning.study import load_study
from zoo.runs import outcome
from zoo.store import record
from zoo.store.run_store import claim
from zoo.track import payload

WHY = "the GPU had ECC errors"
FIRST = "pocket-qwen2.correctness.pocket-easy"


def void(*words: str, why: str = WHY) -> Told:
    return zoo("void", "tiny", *words, "--why", why)


def folder_of(swept: Path, name: str = FIRST) -> Path:
    (found,) = (swept / "runs/train").glob(f"{name}.*")
    return found


def test_void_keeps_the_trial_and_says_so_in_status_and_plan(swept: Path) -> None:
    folder = folder_of(swept)
    before = {
        name: (folder / name).read_bytes()
        for name in files(folder)
        if name.endswith(("json", "jsonl"))
    }
    told = void("qwen2.correctness")
    assert told.status == 0
    assert told.lines[0] == f"x {FIRST}  void: {WHY}"
    assert "sealed claims that get no verdict with it: box" in told.lines
    assert all((folder / name).read_bytes() == text for name, text in before.items())
    assert f"x {FIRST}  void: {WHY}" in zoo("status", "tiny").text
    assert f"x 1 void: {WHY}: {FIRST}" in zoo("plan", "tiny").lines
    data = json.loads(zoo("status", "tiny", "--json").text)
    assert (data["counts"]["void"], data["counts"]["to_run"]) == (1, 0)


def test_void_takes_a_trial_out_of_means_and_its_sealed_claim_gets_no_verdict(swept: Path) -> None:
    assert "undecided" in zoo("compare", "tiny").text
    void("0")
    told = zoo("compare", "tiny")
    assert f"void, left out: {folder_of(swept).name} ({WHY})" in told.text
    assert "no verdict" in told.text
    data = json.loads(zoo("compare", "tiny", "--json").text)
    assert (data["claims"][0]["standing"], data["claims"][0]["verdict"]) == ("voided", None)
    assert data["claims"][0]["arms"][1]["trials"] == 1
    assert [cell["trials"] for cell in data["cells"]] == [0, 1, 1, 1]


def test_void_trials_stand_in_the_report_with_their_reasons_and_in_no_table(swept: Path) -> None:
    void("0", why="<b>broken</b> node")
    assert zoo("report", "tiny").status == 0
    page = (swept / "sweeps/tiny/report.html").read_text()
    section = page[page.index('<section id="void">') :]
    assert "&lt;b&gt;broken&lt;/b&gt; node (set aside 20" in section
    assert folder_of(swept).name in section
    assert "voided: trials of it were set aside by hand after it was sealed" in page
    with (swept / "sweeps/tiny/results.csv").open() as stream:
        assert folder_of(swept).name not in {row["trial"] for row in csv.DictReader(stream)}
    assert zoo("report", "tiny", "--format", "md").status == 0
    assert "## Void trials" in (swept / "sweeps/tiny/report.md").read_text()


def test_void_trial_is_run_by_no_sweep_until_that_is_taken_back(swept: Path) -> None:
    folder = folder_of(swept)
    (folder / "record.json").unlink()
    assert void("0").status == 0
    told = zoo("sweep", "tiny", "--bare")
    assert told.lines[0] == "tiny: nothing to do: = 3 done  x 1 void"
    assert "`zoo void tiny TRIAL --undo` takes that back" in told.text
    assert zoo("sweep", "tiny", "--bare", "--retrain").lines[0] == told.lines[0]
    assert (
        zoo("void", "tiny", "0", "--undo").lines[0] == f"= {FIRST}  counts again (was void: {WHY})"
    )
    assert zoo("sweep", "tiny", "--bare").status == 0
    assert record.read(folder) is not None


def test_void_undone_leaves_claims_and_results_as_they_were(swept: Path) -> None:
    before = zoo("compare", "tiny", "--json").text
    void("0")
    told = zoo("void", "tiny", "0", "--undo")
    assert "claims that are judged again: box" in told.lines
    assert zoo("compare", "tiny", "--json").text == before
    (row,) = json.loads((folder_of(swept) / "void.json").read_text())["rows"]
    assert row["undone"] >= row["time"]


def test_void_trial_that_retrain_trains_again_counts_and_stays_in_the_report(swept: Path) -> None:
    void("0")
    assert zoo("sweep", "tiny", "--bare", "--retrain").status == 0
    found = record.read(folder_of(swept))
    assert found is not None
    assert found.lineage == 2
    assert f"= {FIRST}  3 rounds" in zoo("status", "tiny").text
    told = zoo("void", "tiny", "0", "--undo")
    assert (told.status, "was trained again after it was set aside" in told.error) == (2, True)
    zoo("report", "tiny")
    page = (swept / "sweeps/tiny/report.html").read_text()
    assert "trained again since then, and that counts" in page
    (claimed,) = json.loads(zoo("compare", "tiny", "--json").text)["claims"]
    assert (claimed["standing"], claimed["effect"] is None) == ("voided", False)


def test_void_trial_has_its_numbers_and_a_tag_in_mlflow(swept: Path) -> None:
    study = load_study("tiny")
    trial, store = study.trials[0], study.store
    before = payload.mark(outcome.load_whole(trial, store))
    void("0")
    found = outcome.load_whole(trial, store)
    assert payload.tags(study.manifest.experiment, found)["zoo.void"] == WHY
    assert found.rounds
    assert payload.mark(found) != before
    assert outcome.load(trial, store).rounds == {}


def test_void_names_other_sweeps_with_the_trial(swept: Path) -> None:
    manifest = (swept / "experiments/tiny.yaml").read_text()
    manifest = manifest.replace("name: tiny", "name: other")
    (swept / "experiments/other.yaml").write_text(manifest)
    zoo("sweep", "other", "--bare")
    told = void("0")
    assert f"also void in sweep other: {folder_of(swept).name}" in told.lines
    assert "= 3 done  x 1 void" in zoo("status", "other").text


def test_void_takes_patterns_and_several_trials(swept: Path) -> None:
    told = void("*box*", "0")
    assert [line[:2] for line in told.lines[:4]] == ["x "] * 3 + ["se"]
    assert "= 1 done  x 3 void" in zoo("status", "tiny").text


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("qwen2.corectness",), "did you mean 'pocket-qwen2.correctness.pocket-easy'?"),
        (("zzz*",), "'zzz*' fits no trial of 'tiny'"),
        (("qwen2",), "names more than one trial"),
        (("9",), "there are 4, counted from 0"),
        (("0", "9"), "there are 4, counted from 0"),
    ],
)
def test_void_of_trials_that_are_not_there_writes_nothing(
    swept: Path, words: tuple[str, ...], error: str
) -> None:
    told = void(*words)
    assert told.status == 2
    assert error in told.error
    assert not list((swept / "runs").rglob("void.json"))


@pytest.mark.parametrize(
    ("why", "error"),
    [("  ", "no reason"), ("x" * 501, "501 characters"), ("a\x1b[1m", "no reason")],
)
def test_void_without_a_usable_reason_is_refused(swept: Path, why: str, error: str) -> None:
    told = void("0", why=why)
    assert (told.status, error in told.error) == (2, True)


def test_void_of_a_trial_that_never_ran_is_refused(folder: Path) -> None:
    told = void("0")
    assert told.status == 2
    assert "never ran" in told.error
    assert not (folder / "runs").exists()


def test_void_a_second_time_and_undo_of_what_counts_are_refused(swept: Path) -> None:
    void("0")
    assert "is void already: the GPU" in void("0").error
    assert "is not void" in zoo("void", "tiny", "1", "--undo").error


def test_void_of_a_trial_that_runs_now_is_refused(swept: Path) -> None:
    with claim(folder_of(swept)):
        told = void("0")
    assert (told.status, "runs now; `zoo stop tiny` first" in told.error) == (1, True)
    assert not (folder_of(swept) / "void.json").exists()


def test_void_file_that_cannot_be_read_is_one_message(swept: Path) -> None:
    path = folder_of(swept) / "void.json"
    path.write_text('{"form": 1, "rows": [{"why": 1}]}')
    told = zoo("status", "tiny")
    assert (told.status, "cannot be read; restore it" in told.error) == (1, True)
