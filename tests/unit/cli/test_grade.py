"""`zoo grade`: what moved is told and kept, what did not move stands, and nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import files, zoo
from tests.support.older_grader import VERSION, age, err
from zoo.grading import GRADER_VERSION
from zoo.measuring import grade
from zoo.planning.options import PlanOptions
from zoo.runs import grader_drift
from zoo.runs.outcome import values_of
from zoo.store import journal, record
from zoo.store.parquet import read_parquet, write_parquet
from zoo.store.run_store import Store, claim

WRONG = {"verdict": "wrong"}
SETS = ("--set", "batch.prompts=8")


@pytest.fixture
def old(folder: Path) -> Store:
    """A finished sweep of four trials by an older grader."""
    assert zoo("sweep", "tiny", "--bare", *SETS).status == 0
    store = Store(folder / "runs")
    age(store)
    return store


def trials(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "train").iterdir())


def index(store: Store, trial: str) -> list[dict[str, Any]]:
    return journal.read(store.train(trial) / "evals.jsonl")


def some_scores(store: Store, round_: int) -> Path:
    """Verdicts with a right answer on the samples of a round."""
    for trial in trials(store):
        for row in index(store, trial):
            if row["round"] == round_ and values_of(row)["acc"]:
                return store.verdicts(row["scores"])
    raise AssertionError("no right answer anywhere")


def some_rollouts(store: Store, round_: int) -> tuple[str, Path]:
    """A trial rewarded by correctness, and its rollouts of a round."""
    trial = next(id_ for id_ in trials(store) if ".correctness." in id_)
    return trial, store.rollouts(trial, round_)


def test_verdicts_that_an_older_grader_got_wrong_come_back_and_are_told(old: Store) -> None:
    path = some_scores(old, 3)
    err(path, WRONG, rows=1)
    told = zoo("grade", "tiny")
    assert told.status == 0, told.text
    assert told.lines[0] == f"tiny: grader {GRADER_VERSION}"
    assert "12 graded again (48 answers), 1 verdict moved" in told.text
    assert "wrong -> correct 1" in told.text
    (case,) = [line for line in told.lines if line.endswith(": wrong -> correct")]
    assert case.startswith("    pocket-easy ")
    assert ": reference '" in case
    assert path.is_file()  # the old scores stay


def test_the_index_reads_the_new_numbers_and_the_record_keeps_who_trained(old: Store) -> None:
    before = {trial: index(old, trial) for trial in trials(old)}
    assert zoo("grade", "tiny").status == 0
    for trial, rows in before.items():
        assert index(old, trial)[: len(rows)] == rows
        last = grader_drift.last_rows(index(old, trial))
        assert [row["grader"] for row in last] == [GRADER_VERSION] * len(rows)
        for was, now in zip(rows, last, strict=True):
            assert (was["samples"], values_of(was), was["key"]) == (
                *(now["samples"], now["values"], now["key"]),
            )
            assert "metrics" not in now
        found = record.read(old.train(trial))
        assert found is not None
        assert found.about["grader"] == VERSION
    data = json.loads(zoo("plan", "tiny", "--json", *SETS).text)
    assert data["grading"] == {"evaluations_by_another": 0, "to_replay": [], "stale": {}}


def test_a_run_whose_rewards_do_not_change_is_adopted(old: Store) -> None:
    told = zoo("grade", "tiny")
    assert "rollouts: 4 trials replayed, 0 of 384 rewards change: 4 runs adopted" in told.lines
    data = json.loads((old.train(trials(old)[0]) / "regraded.json").read_text())
    assert data == {
        "grader": GRADER_VERSION,
        "round": 3,
        "rollouts": 96,
        "verdicts_changed": 0,
        "rewards_changed": 0,
        "first_changed_round": None,
        "lineage": 1,
    }


def test_a_run_whose_rewards_change_is_stale_from_its_first_round_and_no_sweep_runs_it(
    old: Store,
) -> None:
    trial, path = some_rollouts(old, 2)
    err(path, WRONG | {"reward": 0.0})
    told = zoo("grade", "tiny")
    assert told.status == 0
    changed = "rollouts: 4 trials replayed, 2 of 384 rewards change: 3 runs adopted, 1 stale"
    assert changed in told.lines
    assert f"  1 stale from round 2: {trial}" in told.lines
    plan = zoo("plan", "tiny", "--detailed-exitcode", *SETS)
    assert plan.status == 0
    why = f"rewards change from round 2 under grader {GRADER_VERSION}"
    assert f"~ 1 stale: {why}: {trial.rsplit('-', 1)[0].rsplit('.s', 1)[0]}" in plan.text.replace(
        "\n  ", " "
    )
    assert "~ 1 stale  = 3 done" in plan.lines
    assert f"rewards of 1 finished trial change under grader {GRADER_VERSION}" in plan.text
    sweep = zoo("sweep", "tiny", "--bare", *SETS)
    assert "nothing to do" in sweep.text
    again = (
        "`zoo sweep experiments/tiny.yaml --set batch.prompts=8 --bare --retrain` trains it again"
    )
    assert again in sweep.text
    data = json.loads(zoo("status", "--json", "tiny").text)
    assert data["grading"]["stale"] == {trial: 2}


def test_to_train_a_stale_run_again_its_folder_is_moved_away(old: Store) -> None:
    trial, path = some_rollouts(old, 2)
    err(path, WRONG | {"reward": 0.0})
    zoo("grade", "tiny")
    old.train(trial).rename(old.root / "moved")
    assert "+ 1 to run  = 3 done" in zoo("plan", "tiny", *SETS).text
    assert zoo("sweep", "tiny", "--bare", *SETS).status == 0
    assert "= 4 done" in zoo("plan", "tiny", *SETS).lines


def test_what_is_done_is_not_done_again(old: Store) -> None:
    assert zoo("grade", "tiny").status == 0
    before = {path: path.stat().st_mtime_ns for path in old.root.rglob("*") if path.is_file()}
    told = zoo("grade", "tiny")
    assert "evaluations: all are by this grader" in told.lines
    assert "rollouts: 4 trials replayed (4 before), 0 of 384 rewards change" in told.text
    after = {path: path.stat().st_mtime_ns for path in old.root.rglob("*") if path.is_file()}
    assert after == before


def test_a_plan_a_status_and_a_sweep_say_what_another_grader_graded(old: Store) -> None:
    for words in (("plan", *SETS), ("status",)):
        told = zoo(words[0], "tiny", *words[1:])
        assert "note: 12 evaluations are by another grader; `zoo grade experiments/tiny.yaml" in (
            told.text
        )
        assert "note: 4 trials were rewarded by another grader" in told.text
    data = json.loads(zoo("plan", "--json", "tiny", *SETS).text)
    assert data["grading"]["evaluations_by_another"] == 12
    assert len(data["grading"]["to_replay"]) == 4
    zoo("grade", "tiny")
    assert "note: " not in zoo("status", "tiny").text


def test_an_interrupted_command_keeps_what_it_did_and_goes_on(
    old: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def stop(text: str) -> None:
        seen.append(text)
        if text.endswith("rollouts, round 2/3") and len(regraded_trials(old)) == 2:
            raise KeyboardInterrupt

    assert grade.run("tiny", PlanOptions(), grade.GradeOptions(), stop) == 130
    assert "interrupted; `zoo grade experiments/tiny.yaml" in capsys.readouterr().out
    folders = [old.train(trial) for trial in regraded_trials(old)]
    records = {folder: record.read(folder) for folder in folders}
    found = [grader_drift.present_replay(folder, r) for folder, r in records.items() if r]
    assert sorted(replay.round for replay in found if replay) == [2, 3]
    later: list[str] = []
    assert grade.run("tiny", PlanOptions(), grade.GradeOptions(), later.append) == 0
    assert not set(seen) & {text for text in later if not text.endswith("rollouts")}
    assert len(set(seen) | set(later)) == 4 * (4 + 1 + 3)
    assert ": 4 runs adopted" in capsys.readouterr().out


def regraded_trials(store: Store) -> list[str]:
    return [id_ for id_ in trials(store) if (store.train(id_) / grader_drift.NAME).exists()]


def test_completions_that_are_gone_are_told_and_stop_nothing_else(old: Store) -> None:
    trial = trials(old)[0]
    gone = [
        old.completions(next(row["samples"] for row in index(old, trial) if row["round"] == 3)),
        old.rollouts(trial, 2),
    ]
    for path in gone:
        path.rename(path.with_suffix(".aside"))
    told = zoo("grade", "tiny")
    assert told.status == 1
    assert [line for line in told.lines if line.startswith("!")] == [
        f"! {trial}: {path} is gone" for path in gone
    ]
    assert "11 graded again" in told.text
    assert "3 trials replayed" in told.text
    for path in gone:
        path.with_suffix(".aside").rename(path)
    told = zoo("grade", "tiny")
    assert told.status == 0
    assert "1 graded again" in told.text
    assert "4 trials replayed (3 before), 0 of 384 rewards change" in told.text


def test_a_broken_file_of_rollouts_is_told(old: Store) -> None:
    trial, path = some_rollouts(old, 1)
    path.write_bytes(b"PAR1 broken")
    told = zoo("grade", "tiny")
    assert told.status == 1
    assert f"! {trial}: {path} cannot be read (" in told.text


def test_all_holds_the_present_graders_verdicts_against_a_new_grading(swept: Path) -> None:
    store = Store(swept / "runs")
    assert "all are by this grader" in zoo("grade", "tiny").text
    before = files(swept)
    told = zoo("grade", "tiny", "--all")
    assert told.status == 0
    assert "12 by this grader compared with a new grading (48 answers): all verdicts reproduce" in (
        told.text
    )
    assert "rollouts: 4 trials replayed, 0 of 96 rewards change" in told.text
    replays = {f"runs/train/{trial}/regraded.json" for trial in trials(store)}
    assert files(swept) - before == replays
    err(some_scores(store, 3), WRONG, rows=1)
    told = zoo("grade", "tiny", "--all")
    assert told.status == 1
    assert "does not reproduce 1 of them" in told.text


def test_only_finished_trials_are_replayed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2@pocket-llama.box")
    assert zoo("sweep", "tiny", "--bare", "--only", "model=pocket-llama").status == 1
    age(Store(folder / "runs"))
    told = zoo("grade", "tiny")
    assert told.status == 0
    assert "rollouts: 1 trial replayed" in told.text
    assert "  left out, as only finished trials count: 1 failed, 2 never ran" in told.lines


def test_stopped_trials_are_replayed_up_to_the_round_that_they_reached(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "diverge:1@box-strict,diverge:3@correctness")
    assert zoo("sweep", "tiny", "--bare").status == 0
    told = zoo("grade", "tiny", "--all")
    assert told.status == 0
    assert "rollouts: 2 trials replayed, 0 of 32 rewards change: 2 runs adopted" in told.lines
    assert zoo("status", "tiny").lines[-1] == "tiny: = 4 done (4 stopped)"


def test_a_trial_that_somebody_works_on_is_left_alone(old: Store) -> None:
    trial = trials(old)[0]
    with claim(old.train(trial)):
        told = zoo("grade", "tiny")
    assert told.status == 1
    assert f"! {trial}: another process works on it" in told.text
    assert "3 trials replayed" in told.text


def test_only_what_is_asked_for_is_graded(old: Store) -> None:
    told = json.loads(zoo("grade", "tiny", "--json", "--only", "reward=box-strict").text)
    assert sum(row["evaluations"] for row in told["evaluations"]) == 8
    assert set(told["rollouts"]) == {id_ for id_ in trials(old) if "box-strict" in id_}
    assert (told["problems"], told["stale"], told["grader"]) == ([], {}, GRADER_VERSION)


def test_a_models_text_cannot_speak_to_the_terminal(
    old: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    path = some_scores(old, 3)
    err(path, WRONG, rows=1)
    rows = [row for trial in trials(old) for row in index(old, trial)]
    sample = next(row["samples"] for row in rows if row["scores"] == path.parent.name)
    for file in (path, old.completions(sample)):
        columns = read_parquet(file)
        write_parquet(file, columns | {"id": [f"\x1b[2J{id_}" for id_ in columns["id"]]})
    assert grade.run("tiny", PlanOptions(), grade.GradeOptions()) == 0
    text = capsys.readouterr().out
    assert "wrong -> correct 1" in text
    assert " [2J" in text
    assert "\x1b" not in text


def test_an_unknown_name_is_bad_input(folder: Path) -> None:
    assert zoo("grade", "tiy").status == 2


def test_the_report_says_so_and_reads_the_new_numbers(old: Store, folder: Path) -> None:
    assert zoo("report", "tiny").status == 0
    page = folder / "sweeps/tiny/report.html"
    assert f"Evaluations by another grader than the current one ({GRADER_VERSION}): 12." in (
        page.read_text()
    )
    assert "zoo grade tiny" in page.read_text()
    told = zoo("grade", "tiny")
    assert "report: sweeps/tiny/report.html" in told.lines
    assert "another grader" not in page.read_text()
