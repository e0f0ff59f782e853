"""`--reward FILE.py`: a reward of the user's own, from the command line to the record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.evals.stages import read_parquet
from zoo.store import journal

BONUS = """\
PARAMS = {"bonus": 0.25}


def reward(verdicts, completions, params, seed):
    return [1.0 if v.correct else params["bonus"] for v in verdicts]
"""
GRID = ("--set", "grid={model: pocket-llama, reward: [correctness, bonus], data: pocket-easy}")
NO_CLAIMS = ("--set", "claims=[]")
WORDS = ("--reward", "bonus.py", *GRID, *NO_CLAIMS)


@pytest.fixture
def bonus(folder: Path) -> Path:
    """`bonus.py` in the working folder."""
    path = folder / "bonus.py"
    path.write_text(BONUS)
    return path


def ids(*words: str) -> dict[str, str]:
    """Reward -> id of its trial."""
    rows = json.loads(zoo("plan", "tiny", "--json", *words).text)["trials"]
    return {row["cell"]["reward"]: row["id"] for row in rows}


def test_a_sweep_trains_with_it_and_remembers_where_it_lies(folder: Path, bonus: Path) -> None:
    assert zoo("sweep", "tiny", "--bare", *WORDS).status == 0
    told = json.loads((folder / "runs/sweeps/tiny/driver.json").read_text())
    assert told["rewards"] == [str(bonus)]
    trial = folder / "runs/train" / ids(*WORDS)["bonus"]
    rewards = read_parquet(trial / "rollouts/round-0001.parquet")["reward"]
    assert set(rewards) <= {1.0, 0.25}
    rows = journal.read(trial / "metrics.jsonl")
    assert [row["metrics"].get("train/grade/reward_faults") for row in rows] == [None, 0, 0, 0]
    status = zoo("status", "tiny")
    assert status.lines[-1].startswith("tiny --set 'grid={model")
    assert status.lines[-1].endswith(f"--reward {bonus}: = 2 done")


def test_a_file_that_is_gone_is_missed(folder: Path, bonus: Path) -> None:
    zoo("sweep", "tiny", "--bare", *WORDS)
    bonus.rename(folder / "moved.py")
    error = zoo("status", "tiny").error
    assert error == (
        f"sweep tiny: it started with --reward {bonus}, which is gone; pass --reward FILE.py again"
    )


def test_where_it_lies_is_in_no_id_and_what_it_says_is(folder: Path, bonus: Path) -> None:
    before = ids(*WORDS)
    (folder / "far").mkdir()
    bonus.rename(folder / "far/bonus.py")
    assert ids("--reward", "far/bonus.py", *GRID, *NO_CLAIMS) == before
    bonus.write_text(BONUS + "# another\n")
    after = ids(*WORDS)
    assert after["bonus"] != before["bonus"]
    assert after["correctness"] == before["correctness"]
    assert ids(*GRID[:1], "grid={model: pocket-llama, reward: correctness, data: pocket-easy}",
               *NO_CLAIMS) == {"correctness": before["correctness"]}  # fmt: skip


def test_a_file_that_changes_under_a_sweep_is_a_drift(bonus: Path) -> None:
    zoo("sweep", "tiny", "--bare", *WORDS)
    bonus.write_text(BONUS + "# another\n")
    refused = zoo("sweep", "tiny", "--bare", *WORDS)
    assert refused.status == 2
    assert "moved since the sweep last started: reward.code " in refused.error
    assert zoo("sweep", "tiny", "--bare", "--relock", *WORDS).status == 0


def test_a_card_makes_an_axis_of_its_numbers(folder: Path, bonus: Path) -> None:
    for name, value in (("little", 0.1), ("much", 0.5)):
        card = folder / f"cards/rewards/{name}.yaml"
        card.parent.mkdir(parents=True, exist_ok=True)
        said = f"kind: bonus\nparams: {{bonus: {value}}}\nextract: boxed\n"
        card.write_text(f"schema: reward/1\nname: {name}\n{said}")
    grid = "grid={model: pocket-llama, reward: [bonus, little, much], data: pocket-easy}"
    words = ("--reward", "bonus.py", "--set", grid, *NO_CLAIMS)
    assert zoo("sweep", "tiny", "--bare", *words).status == 0
    for name, value in (("bonus", 0.25), ("little", 0.1), ("much", 0.5)):
        trial = folder / "runs/train" / ids(*words)[name]
        rows = read_parquet(trial / "rollouts/round-0001.parquet")["reward"]
        assert set(rows) <= {1.0, value}
        identity = json.loads((trial / "record.json").read_text())["identity"]["reward"]
        assert identity["kind"] == "bonus"
        assert identity["extract"] == ("simplerl" if name == "bonus" else "boxed")
        assert len(identity["code"]) == 64


def test_show_tells_which_file_it_is(bonus: Path) -> None:
    lines = zoo("show", "tiny", "--trial", "bonus", *WORDS).lines
    rows = {line.split()[0]: line.split()[-1] for line in lines if line.startswith("reward.")}
    assert rows == dict.fromkeys(rows, "bonus.py")
    assert "reward.code" in rows


def test_a_file_that_no_cell_has_is_refused(bonus: Path) -> None:
    told = zoo("plan", "tiny", "--reward", "bonus.py")
    assert told.status == 2
    assert told.error.startswith("--reward bonus.py: no cell has this reward; name it on the rew")


def test_two_files_of_one_name_are_refused(folder: Path, bonus: Path) -> None:
    (folder / "far").mkdir()
    (folder / "far/bonus.py").write_text(BONUS)
    error = zoo("plan", "tiny", "--reward", "far/bonus.py", *WORDS).error
    assert error.startswith("bonus.py: the name 'bonus' is taken by another --reward; set `NAME")
    assert zoo("plan", "tiny", "--reward", "bonus", *GRID).error == (
        "--reward bonus: no Python file; expected a file ending in .py"
    )


def test_a_reward_that_fails_stops_the_trial_with_the_first_error(
    bonus: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bonus.write_text(
        BONUS.replace("v in verdicts]", "v in verdicts if completions[0].n_tokens < 17]")
    )
    done = zoo("sweep", "tiny", "--bare", *WORDS)
    assert done.status == 1
    assert "reward 'bonus' failed on " in done.text
    assert "over 1.0%; first: group 1/" in done.text
    assert "0 rewards for 4 completions" in caplog.text
