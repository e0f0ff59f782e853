"""`zoo status|report|logs|ui NAME` mean the trials that were started, whatever the command line
says less."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.planning.options import PlanOptions
from zoo.planning.study import load_study

SETS = ("--set", "seeds=[0, 1]", "--set", "grpo.beta=0.5")


def seeds(name: str, *words: str) -> list[int]:
    """Seeds of the trials that a status speaks of."""
    rows = json.loads(zoo("status", "--json", name, *words).text)["trials"]
    return [row["seed"] for row in rows]


def test_a_status_means_what_was_started_and_says_with_which_words(folder: Path) -> None:
    assert zoo("sweep", "tiny", "--bare", *SETS).status == 0
    status = zoo("status", "tiny")
    assert status.lines[-1] == "tiny --set 'seeds=[0, 1]' --set grpo.beta=0.5: = 8 done"
    assert seeds("tiny") == seeds("experiments/tiny.yaml") == [0, 1] * 4


def test_words_of_the_command_line_win(folder: Path) -> None:
    zoo("sweep", "tiny", "--bare", *SETS)
    assert seeds("tiny", "--set", "seeds=[7]") == [7] * 4
    assert seeds("tiny", "--only", "seed=1") == [1] * 4


def test_plan_and_sweep_by_path_mean_the_manifest_as_it_stands(folder: Path) -> None:
    zoo("sweep", "tiny", "--bare", *SETS)
    assert "4 cells x 1 seed = 4 trials" in zoo("plan", "experiments/tiny.yaml").text
    assert "4 cells x 2 seeds = 8 trials" in zoo("plan", "tiny").text
    assert zoo("sweep", "experiments/tiny.yaml", "--bare").status == 0
    assert seeds("tiny") == [0] * 4


def test_folders_of_cards_are_remembered_and_missed_when_gone(folder: Path) -> None:
    card = folder / "more/rewards/gold.yaml"
    card.parent.mkdir(parents=True)
    card.write_text("schema: reward/1\nname: gold\nkind: random\nparams: {p: 0.9}\n")
    words = ("--cards", "more", "--set", "grid.reward=[box-strict, correctness, gold]")
    assert zoo("sweep", "tiny", "--bare", *words).status == 0
    assert len(seeds("tiny")) == 6
    assert zoo("plan", "experiments/tiny.yaml").status == 0
    (folder / "more").rename(folder / "moved")
    error = zoo("status", "tiny").error
    assert error.startswith(f"sweep tiny: it started with --cards {folder / 'more'}, which is gone")
    assert len(seeds("tiny", "--cards", "moved")) == 6


def test_what_is_remembered_is_what_was_typed_and_nothing_else(folder: Path) -> None:
    zoo("sweep", "tiny", "--bare", *SETS)
    told = json.loads((folder / "runs/sweeps/tiny/driver.json").read_text())
    assert set(told) == {
        *("pid", "started", "boot", "host", "since", "manifest", "profile", "command", "sets"),
        *("cards", "rewards"),
    }
    assert (told["sets"], told["cards"]) == (["seeds=[0, 1]", "grpo.beta=0.5"], [])
    assert told["rewards"] == []


def test_another_manifest_of_the_same_name_is_not_taken_for_it(folder: Path) -> None:
    zoo("sweep", "tiny", "--bare", *SETS)
    (folder / "other").mkdir()
    text = (folder / "experiments/tiny.yaml").read_text()
    (folder / "other/tiny.yaml").write_text(text)
    assert seeds("other/tiny.yaml") == [0] * 4


def test_a_rehearsal_goes_by_its_own_name_and_words(folder: Path) -> None:
    words = ("--set", "grid.model=[pocket-llama]")
    assert zoo("sweep", "tiny", "--bare", "--rehearse", *words).status == 0
    status = zoo("status", "tiny.rehearsal")
    assert status.lines[-1] == "tiny.rehearsal --set 'grid.model=[pocket-llama]': = 2 done"
    assert status.text == zoo("status", "tiny", "--rehearse").text
    assert len(seeds("tiny")) == 4
    assert zoo("plan", "tiny.rehearsal", "--detailed-exitcode", *words).status == 0


def test_a_sweep_by_path_is_found_by_name_also_when_only_its_rehearsal_ran(folder: Path) -> None:
    (folder / "experiments/tiny.yaml").rename(folder / "tiny.yaml")
    assert zoo("sweep", "tiny.yaml", "--bare", "--rehearse").status == 0
    assert zoo("status", "tiny.rehearsal").lines[-1] == "tiny.rehearsal: = 4 done"
    assert "did you mean 'tiny.rehearsal'?" in zoo("status", "tiny.rehersal").error
    assert zoo("status", "tiny").lines[-1] == "tiny: + 4 to run"


def test_logs_are_those_of_the_trials_that_were_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:1")
    trial = "llama.box-strict.pocket-easy.s1"
    assert zoo("sweep", "tiny", "--bare", "--only", f"id=*{trial}*", *SETS).status == 1
    assert "failed, as set in ZOO_SIMULATE" in zoo("logs", "tiny", trial).text


def test_the_page_is_that_of_the_trials_that_were_started(folder: Path) -> None:
    assert zoo("sweep", "tiny", "--bare", *SETS).status == 0
    assert zoo("report", "tiny").lines == ["report: sweeps/tiny/report.html"]
    rows = (folder / "sweeps/tiny/results.csv").read_text().splitlines()
    seed = rows[0].split(",").index("seed")
    assert {row.split(",")[seed] for row in rows[1:]} == {"0", "1"}
    assert len(load_study("tiny", PlanOptions(), started=True).trials) == 8  # as `zoo ui tiny` asks


@pytest.mark.parametrize("name", ["tiny", "tiny.rehearsal", "./tiny.rehearsal", "..", "a\0b"])
def test_a_name_of_nothing_is_one_clear_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status = zoo("status", name)
    assert status.status == 2
    assert len(status.error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("told", ["[]", "{", '{"manifest": 5}', '{"manifest": "/x", "sets": [1]}'])
def test_a_start_that_cannot_be_read_is_one_clear_error(folder: Path, told: str) -> None:
    zoo("sweep", "tiny", "--bare")
    file = folder / "runs/sweeps/tiny/driver.json"
    file.write_text(told)
    for verb in ("plan", "sweep", "status"):
        found = zoo(verb, "tiny")
        assert found.status == 1
        assert found.error.startswith(f"{file}: is not what a sweep writes when it starts; move it")


def test_a_namesake_that_started_in_the_same_folder_is_told(folder: Path) -> None:
    zoo("sweep", "tiny", "--bare")
    (folder / "two").mkdir()
    (folder / "two/tiny.yaml").write_text((folder / "experiments/tiny.yaml").read_text())
    told = "last started from experiments/tiny.yaml, another manifest of that name; both write"
    assert told in zoo("plan", "two/tiny.yaml").prose
    assert told in zoo("sweep", "two/tiny.yaml", "--bare").prose
    assert told not in zoo("plan", "tiny").prose
