"""`zoo init NAME`: a manifest that plans, from cards, paths, files and a reward of one's own."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from itertools import product
from math import prod
from pathlib import Path

import pytest

from tests.support.cli import Told, files, zoo
from zoo.cli.main import cli
from zoo.data.resolve import EMBEDDED
from zoo.manifest.load import load
from zoo.planning.options import PlanOptions
from zoo.planning.study import load_study

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODELS = (
    "pocket-qwen2",
    "pocket-qwen2,pocket-llama",
    "qwen2.5-0.5b,llama-3.2-1b",
    f"hf:org/Some-Model@{COMMIT}",
    "./model",
)
DATA = ("pocket-easy", "pocket-easy,pocket-hard", "simplerl-easy", "./mine.jsonl")
REWARDS = ("correctness", "random,cosine,box-strict", "own.py,correctness")
OWN = "def reward(verdicts, completions, params, seed):\n    return [1.0 for _ in verdicts]\n"


@pytest.fixture
def lab(folder: Path) -> Path:
    """A working folder with a model, twelve problems and a reward of one's own."""
    shutil.copytree(EMBEDDED / "pocket-llama", folder / "model")
    rows = [{"question": f"What is {n}+2?", "answer": f"so\n#### {n + 2}"} for n in range(12)]
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "own.py").write_text(OWN)
    return folder


def init(
    name: str,
    model: str = "pocket-qwen2",
    data: str = "pocket-easy",
    reward: str = "correctness,box-strict",
    *more: str,
) -> Told:
    return zoo("init", name, "--model", model, "--data", data, "--reward", reward, *more)


def refused(folder: Path, name: str, *words: str) -> str:
    """The error of an `init` that has to leave nothing."""
    before = files(folder)
    told = zoo("init", name, *words)
    assert (told.status, told.text) == (2, "")
    assert files(folder) == before
    return told.error


@pytest.mark.parametrize("model", MODELS)
def test_init_of_every_combination_plans(lab: Path, model: str) -> None:
    for i, (data, reward) in enumerate(product(DATA, REWARDS)):
        told = init(f"n{i}", model, data, reward)
        assert told.status == 0, told.error
        (command,) = [line.strip() for line in told.lines if line.startswith("  zoo plan ")]
        planned = zoo(*command.split()[1:])
        assert planned.status == 0, planned.error
        cells = prod(len(words.split(",")) for words in (model, data, reward))
        assert f"{3 * cells} trials" in told.text


def test_init_manifest_has_schema_line_placeholders_and_schedules(folder: Path) -> None:
    init("mine")
    text = (folder / "experiments/mine.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=")
    assert Path(text.splitlines()[0].partition("=")[2]).is_file()
    assert text.count("# Edit: ") == 3
    said = load(folder / "experiments/mine.yaml").experiment
    assert said.question.endswith("?")
    assert said.prediction
    assert list(said.evaluate.schedules) == ["watch", "full"]
    assert len(said.seeds) == 3
    assert all(len(line) <= 100 for line in text.splitlines())


def test_init_with_two_rewards_claims_a_contrast(folder: Path) -> None:
    init("mine", "pocket-qwen2,pocket-llama", reward="inverted,random,correctness")
    (claim,) = load(folder / "experiments/mine.yaml").experiment.claims
    assert claim.compare == {"reward": ["inverted", "random"]}
    assert claim.for_each == ["model"]


def test_init_with_one_reward_claims_a_gain(folder: Path) -> None:
    init("mine", data="pocket-easy,pocket-hard", reward="correctness")
    (claim,) = load(folder / "experiments/mine.yaml").experiment.claims
    assert (claim.kind, claim.metric, claim.for_each) == ("gain", "eval/avg2/acc/t1.0", [])


def test_init_takes_pocket_recipe_for_pocket_models_only(lab: Path) -> None:
    for name, model, recipe in (
        ("a", "pocket-llama", "pocket"),
        ("b", "./model", "pocket"),
        ("c", "pocket-llama,qwen2.5-0.5b", "simplerl-zoo-small"),
    ):
        init(name, model)
        assert load(lab / f"experiments/{name}.yaml").experiment.recipe == recipe
    init("d", "pocket-llama", "pocket-easy", "correctness", "--recipe", "dapo", "--rounds", "3")
    said = load(lab / "experiments/d.yaml").experiment
    assert (said.recipe, said.rounds) == ("dapo", 3)


def test_init_reads_columns_and_form_of_references_of_a_file(lab: Path) -> None:
    init("mine", data="./mine.jsonl")
    (trial, *_) = load_study("mine").trials
    assert trial.data.local is not None
    assert (trial.data.local.columns.problem, trial.data.local.gold) == ("question", "gsm8k")
    assert trial.batch.prompts == 8  # twelve problems do not fill the recipe's sixteen


def test_init_with_own_reward_prints_commands_that_bring_it(lab: Path) -> None:
    told = init("mine", reward="own.py,correctness")
    assert "  zoo sweep experiments/mine.yaml --reward own.py" in told.lines
    made = load_study("mine", PlanOptions(rewards=("own.py",)))
    assert {trial.reward.name for trial in made.trials} == {"own", "correctness"}


def test_init_with_card_of_the_user_prints_commands_that_find_it(lab: Path) -> None:
    (lab / "more/data").mkdir(parents=True)
    card = (
        "schema: data/1\nname: mine\nlocal: {path: ../../mine.jsonl, columns: {problem: question}}"
    )
    (lab / "more/data/mine.yaml").write_text(card)
    told = init("mine", "pocket-qwen2", "mine", "correctness", "--cards", "more")
    assert "  zoo plan experiments/mine.yaml --cards more" in told.lines


def test_init_of_existing_file_changes_nothing(folder: Path) -> None:
    before = (folder / "experiments/tiny.yaml").read_text()
    words = ("--model", "pocket-qwen2", "--data", "pocket-easy", "--reward", "correctness")
    assert refused(folder, "tiny", *words).startswith("experiments/tiny.yaml: the file exists")
    assert (folder / "experiments/tiny.yaml").read_text() == before


@pytest.mark.parametrize(
    "name", ["Mine", "mine.yaml", "experiments/mine", "a b", "x.rehearsal", ""]
)
def test_init_with_bad_name_suggests_one(folder: Path, name: str) -> None:
    error = refused(folder, name, "--model", "pocket-qwen2")
    assert "is no name of a manifest" in error
    suggested = error.rpartition("zoo init ")[2].rstrip("`")
    assert init(suggested).status == 0


def test_init_without_terminal_names_the_missing_options(folder: Path) -> None:
    error = refused(folder, "mine", "--data", "pocket-hard")
    assert "--model, --reward missing, and there is no terminal for prompts" in error
    command = error.partition("`zoo ")[2].rstrip("`").split()
    assert command[command.index("--data") + 1] == "pocket-hard"
    assert zoo(*command).status == 0


@pytest.mark.parametrize(
    ("axis", "word", "told"),
    [
        ("model", "pocket-qwen", "--model: unknown model 'pocket-qwen'; did you mean"),
        ("model", "./nowhere", "--model: no model folder at './nowhere'"),
        ("model", "hf:org/name@main", "names no model of the hub"),
        ("data", "pocket-esy", "--data: unknown data 'pocket-esy'; did you mean 'pocket-easy'?"),
        ("data", "nothing.jsonl", "--data: no file at 'nothing.jsonl'"),
        ("reward", "corectness", "--reward: unknown reward 'corectness'; did you mean"),
        ("reward", "nothing.py", "nothing.py"),
        ("reward", " , ", "--reward: names nothing"),
        ("recipe", "poket", "--recipe: unknown recipe 'poket'; did you mean 'pocket'?"),
        ("rounds", "2000000", "zoo init mine: "),
    ],
)
def test_init_with_wrong_word_suggests_and_writes_nothing(
    folder: Path, axis: str, word: str, told: str
) -> None:
    right = {"model": "pocket-qwen2", "data": "pocket-easy", "reward": "correctness"}
    words = [part for k, v in (right | {axis: word}).items() for part in (f"--{k}", v)]
    assert told in refused(folder, "mine", *words)


def test_init_reports_all_wrong_words_at_once(folder: Path) -> None:
    words = ("--model", "pocket-qwen,smol", "--data", "nothing", "--reward", "correctness")
    error = refused(folder, "mine", *words)
    assert [line.partition(":")[0] for line in error.splitlines()] == ["--model"] * 2 + ["--data"]


def test_init_of_problems_that_cannot_be_read_writes_nothing(folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"problem": ["a"], "answer": 1}\n')
    words = ("--model", "pocket-qwen2", "--data", "bad.jsonl", "--reward", "correctness")
    assert "bad.jsonl" in refused(folder, "mine", *words)


def test_init_manifest_sweeps_to_its_report(folder: Path) -> None:
    init("mine", "pocket-qwen2", "pocket-easy", "correctness,box-strict", "--rounds", "3")
    sets = ("--set", "trainer=simulated", "--set", "evaluate.full.problems=8")
    assert zoo("sweep", "mine", "--bare", *sets, "--set", "seeds=[0]").status == 0
    assert zoo("report", "mine").status == 0
    (page,) = (folder / "sweeps/mine").glob("*.html")
    assert "Does training pocket-qwen2 with correctness end above" in page.read_text()


def test_init_on_a_terminal_asks_shows_cards_and_takes_defaults(folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "zoo.cli.main", "init", "mine", "--data", "pocket-hard"]
    env = os.environ | {"PYTHONPATH": str(Path(cli.callback.__code__.co_filename).parents[2])}
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    os.write(ours, b"pocket-lama\npocket-llama\n\n")  # a wrong model, a right one, and a default
    text = ""
    while True:
        try:
            found = os.read(ours, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not found:
            break
        text += found.decode()
    assert child.wait(timeout=60) == 0, text
    assert "did you mean 'pocket-llama'?" in text
    assert "smollm2-1.7b" in text
    assert "[correctness,box-strict]" in text
    said = load(folder / "experiments/mine.yaml").experiment
    assert (said.grid.model, said.grid.data) == (["pocket-llama"], ["pocket-hard"])
    assert said.grid.reward == ["correctness", "box-strict"]
