"""Commands that zoo prints do what the sentence says, and keep the options of the command that
printed them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.support.cli import Told, zoo

STUDY = Path(__file__).parents[3] / "experiments"
REWARD = "def own(verdicts, completions, params, seed):\n    return [1.0] * len(verdicts)\n"


def commands(text: str) -> list[list[str]]:
    """The words of each `zoo VERB ...` in backticks, and of each line that is one."""
    found = re.findall(r"`(zoo \w+ [^`]*)`", text) + re.findall(r"^  (zoo .*)$", text, re.MULTILINE)
    return [shlex.split(command)[1:] for command in found]


def run(told: Told, verb: str) -> Told:
    """Run the one command with this verb that was printed."""
    (words,) = [words for words in commands(told.text) if words[0] == verb]
    return zoo(*words)


@pytest.fixture
def failed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """A sweep with every option, of which all trials failed; the next ones do not."""
    monkeypatch.setenv("ZOO_SIMULATE", "fail:1")
    told = zoo(
        *("sweep", "experiments/tiny.yaml", "--only", "model=*llama", "--set", "seeds=[0, 1]"),
        *("--on", "ci", "--executor", "local", "--concurrency", "1", "--bare"),
    )
    assert told.status == 1
    monkeypatch.delenv("ZOO_SIMULATE")
    return told


def test_the_command_that_does_what_is_left_keeps_all_options(failed: Told) -> None:
    (words,) = [words for words in commands(failed.text) if words[0] == "sweep"]
    assert words[1:] == [
        *("experiments/tiny.yaml", "--set", "seeds=[0, 1]", "--only", "model=*llama"),
        *("--on", "ci", "--executor", "local", "--concurrency", "1", "--bare"),
    ]
    again = run(failed, "sweep")
    assert again.status == 0
    assert "= 4 done" in again.text
    assert "MLflow" not in again.text


def test_a_plans_command_runs_what_the_plan_says(folder: Path) -> None:
    words = ("tiny", "--on", "ci", "--only", "model=*llama", "--set", "rounds=2", "--rehearse")
    plan = zoo("plan", *words)
    assert "+ 2 to run" in plan.lines
    (command,) = [words for words in commands(plan.text) if words[0] == "sweep"]
    assert command[-2:] == ["--on", "ci"]
    assert zoo(*command, "--bare").status == 0
    assert "= 2 done" in zoo("plan", *words).text


def test_a_plans_command_leaves_out_what_its_profile_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    plan = zoo("plan", str(STUDY / "full_grid.yaml"), "--on", "h100x8")
    assert "216 of 270 run on 'h100x8'" in plan.lines
    (command,) = [words for words in commands(plan.text) if words[0] == "sweep"]
    narrow = zoo("plan", *command[1:])
    assert "+ 216 to run" in narrow.lines
    assert "what cannot run" not in narrow.text


def test_a_plans_command_keeps_own_cards_and_rewards(folder: Path) -> None:
    (folder / "more/rewards").mkdir(parents=True)
    gold = "schema: reward/1\nname: gold\nkind: random\nparams: {p: 0.9}\n"
    (folder / "more/rewards/gold.yaml").write_text(gold)
    (folder / "own.py").write_text(REWARD)
    words = (
        "--cards",
        "more",
        "--reward",
        "own.py",
        "--set",
        "grid.reward=[gold, own, box-strict]",
    )
    plan = zoo("plan", "tiny", *words, "--set", "claims=[]")
    (command,) = commands(plan.text)
    told = zoo(*command, "--bare")
    assert told.status == 0
    assert "= 6 done" in told.text


def test_a_warnings_command_keeps_the_folders_of_cards(folder: Path) -> None:
    (folder / "more cards/models").mkdir(parents=True)
    loose = "schema: model/1\nname: loose\nrepo: org/loose\nprompt: none\ncap: 64\n"
    (folder / "more cards/models/loose.yaml").write_text(loose)
    words = ("tiny", "--set", "grid.model=loose", "--set", "trainer=trl", "--set", "overrides=[]")
    expected = "`zoo models pin loose --cards 'more cards'`"
    assert expected in zoo("plan", *words, "--cards", "more cards").text
    refused = zoo("sweep", *words, "--cards", "more cards")
    assert refused.status == 2
    assert expected in refused.error


# -- what a name remembers -------------------------------------------------------------------------


def test_a_sweep_by_name_goes_on_as_it_last_started_and_says_so(folder: Path) -> None:
    (folder / "own.py").write_text(REWARD)
    words = ("--reward", "own.py", "--set", "grid.reward=[own, box-strict]", "--set", "claims=[]")
    assert zoo("sweep", "tiny", "--bare", *words).status == 0
    again = zoo("sweep", "tiny", "--bare")
    own = folder / "own.py"
    assert again.lines[0] == (
        "tiny as it last started: --set 'grid.reward=[own, box-strict]' --set 'claims=[]' "
        f"--reward {own} (`zoo sweep experiments/tiny.yaml` is without)"
    )
    assert again.lines[1] == "tiny: nothing to do, all 4 trials are done"
    assert "= 4 done" in zoo("plan", "tiny").text
    assert zoo("plan", "tiny").lines[0].endswith("(`zoo plan experiments/tiny.yaml` is without)")
    assert "is without" not in zoo("plan", "tiny", "--json").text


def test_a_sweep_by_path_is_the_manifest_as_it_stands(folder: Path) -> None:
    assert zoo("sweep", "tiny", "--bare", "--set", "seeds=[3]").status == 0
    (words,) = [w for w in commands(zoo("sweep", "tiny", "--bare").text) if w[0] == "sweep"]
    assert words == ["sweep", "experiments/tiny.yaml"]
    told = zoo(*words, "--bare")
    assert "as it last started" not in told.text
    assert "tiny: + 4 to run" in told.text
    assert "as it last started" not in zoo("sweep", "tiny", "--bare").text  # that was the last


def test_options_that_are_said_win_one_by_one(folder: Path) -> None:
    words = ("--set", "seeds=[3]", "--set", "claims=[]")
    assert zoo("sweep", "tiny", "--bare", *words).status == 0
    told = zoo("sweep", "tiny", "--bare", "--set", "seeds=[4]")
    assert "as it last started" not in told.text
    assert "+ 4 to run" in told.text


def test_a_manifest_that_no_longer_goes_with_what_is_remembered_says_where_that_came_from(
    folder: Path,
) -> None:
    assert zoo("sweep", "tiny", "--bare", "--set", "overrides.0.why=so").status == 0
    text = (folder / "experiments/tiny.yaml").read_text()
    start, rest = text.split("overrides:\n")
    (folder / "experiments/tiny.yaml").write_text(start + rest.split("\n", 1)[1])
    told = zoo("sweep", "tiny", "--bare")
    assert told.status == 2
    assert "sweep tiny: taken as it last started: --set overrides.0.why=so; " in told.error
    assert zoo("sweep", "experiments/tiny.yaml", "--bare").status == 0
