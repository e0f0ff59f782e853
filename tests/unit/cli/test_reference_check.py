"""Real trials start only on problems whose references can be met."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.planning.options import PlanOptions
from zoo.planning.reference_check import must_be_usable, sets_of
from zoo.planning.study import load_study

REAL = ("--set", "trainer=trl", "--set", "grid.model=pocket-llama", "--set", "overrides=[]")


@pytest.fixture
def own(folder: Path) -> Callable[[int], None]:
    """Writes a training set of forty problems with so many wrong references, and its card."""
    (folder / "cards/data").mkdir(parents=True)
    said = {"schema": "data/1", "name": "mine", "local": {"path": "../../mine.jsonl"}}
    (folder / "cards/data/mine.yaml").write_text(json.dumps(said))

    def write(wrong: int) -> None:
        golds = ["We add them up.\nThat gives us what was asked. #### 4"] * wrong
        rows = [{"problem": f"{n} + 0", "answer": gold} for n, gold in enumerate(golds)]
        rows += [{"problem": f"{n} + 0", "answer": str(n)} for n in range(wrong, 40)]
        (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    return write


def test_a_sweep_on_wrong_references_is_refused_with_what_to_do(
    folder: Path, own: Callable[[int], None]
) -> None:
    own(3)
    told = zoo("sweep", "tiny", *REAL, "--set", "grid.data=mine")
    assert told.status == 2
    assert told.error.startswith("mine: of its references 3 of 40 cannot be graded (7.5%);")
    assert "right answer column, and the right `gold:` rule" in told.error
    assert "'We add them up. That gives us what was asked. #### 4': prose" in told.error
    assert not (folder / "sweeps").exists()
    listed = [json.loads(f.read_text()) for f in (folder / "runs/cache/references").glob("*.json")]
    assert {said["set"]: len(said["bad"]) for said in listed} == {"mine": 3, "pocket-easy": 0}


def test_a_few_are_told_and_the_plan_knows_of_them(
    folder: Path, own: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    own(2)
    words = (*REAL, "--set", "grid.data=mine")
    assert "references" not in zoo("plan", "tiny", *words).text
    made = load_study("tiny", PlanOptions(sets=words[1::2]), thorough=True)
    must_be_usable(made.trials, made)
    assert "mine: references: 2 of 40 cannot be graded (5.0%)" in capsys.readouterr().out
    told = zoo("plan", "tiny", *words).text
    assert "references mine: 2 of 40 cannot be graded (5.0%); pocket-easy: all 500 can" in told
    data = json.loads(zoo("plan", "tiny", "--json", *words).text)
    assert data["references"]["mine"]["unusable"] == 2


def test_simulated_trials_ask_for_none(folder: Path) -> None:
    made = load_study("tiny")
    assert sets_of(made.trials) == {}


def test_data_check_tells_the_same(folder: Path, own: Callable[[int], None]) -> None:
    own(2)
    told = zoo("data", "check", "mine")
    assert told.status == 0
    assert "references: 2 of 40 cannot be graded (5.0%)" in told.text
    assert "  longest 6 characters (mine-11-" in told.text
    own(3)
    told = zoo("data", "check", "mine")
    assert told.status == 1
    assert "wrong  is it the right answer column" in told.text


def test_data_show_and_check_write_nothing_that_a_terminal_obeys(
    folder: Path, own: Callable[[int], None]
) -> None:
    own(0)
    row = {"problem": "1\x1b[31m + 0", "answer": "\x1b]0;own\x07 We add. It is what was asked."}
    with (folder / "mine.jsonl").open("r+") as stream:
        rest = stream.readlines()[1:]
        stream.seek(0)
        stream.writelines([json.dumps(row) + "\n", *rest])
    for verb in ("show", "check"):
        told = zoo("data", verb, "mine").text
        assert "[31m" in told or "]0;own" in told
        assert "\x1b" not in told
        assert "\x07" not in told


def test_sets_of_one_name_are_named_with_their_kind(folder: Path) -> None:
    words = (*REAL, "--set", "grid.data=pocket-easy")
    made = load_study("tiny", PlanOptions(sets=words[1::2]), thorough=True)
    must_be_usable(made.trials, made)
    told = " ".join(zoo("plan", "tiny", *words).text.split())
    assert (
        "pocket-easy (training set): all 2,000 can be graded; pocket-easy (benchmark): all" in told
    )
    data = json.loads(zoo("plan", "tiny", "--json", *words).text)
    assert [said["n"] for said in data["references"].values()] == [2_000, 500]
