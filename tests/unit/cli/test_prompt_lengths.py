"""Prompts are measured in tokens before a sweep starts, and what does not fit is refused."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Told, files, zoo
from zoo.data.resolve import EMBEDDED
from zoo.errors import InputError
from zoo.planning import prompt_lengths
from zoo.planning.options import PlanOptions
from zoo.planning.study import load_study
from zoo.resources import longest_sequence

LONG = "1+" * 601 + "?"  # 1,203 tokens of a pocket tokenizer, 1,208 as a prompt
MANIFEST = """\
schema: experiment/1
name: long
question: Is one long prompt noticed before training?
recipe: pocket
batch: {prompts: 2, num_generations: 4}
grid:
  model: [{path: model, prompt: pocket, cap: 64}]
  reward: [correctness]
  data: [{path: mine.jsonl}]
rounds: 2
evaluate:
  full: {benchmarks: [pocket-easy, {path: test.jsonl}], problems: 2, at: [0, last]}
"""


@pytest.fixture
def long(folder: Path) -> Path:
    """The folder with a real manifest: seven problems to train on, the last of them long, and three
    to measure on, of which the last is long and is not measured."""
    shutil.copytree(EMBEDDED / "pocket-llama", folder / "model")
    (folder / "experiments/long.yaml").write_text(
        MANIFEST.replace("path: ", f"path: {folder}/").replace("cap: 64", "cap: 64, name: mine")
    )
    rows = [{"problem": f"What is {n}+2?", "answer": str(n + 2)} for n in range(6)]
    write(folder / "mine.jsonl", [*rows, {"problem": LONG, "answer": "602"}])
    write(folder / "test.jsonl", [*rows[:2], {"problem": f"{LONG}+1" * 3, "answer": "1"}])
    return folder


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def measured(*sets: str) -> dict[str, int]:
    """Tokens of the longest prompt of each trial."""
    made = load_study("long", PlanOptions(sets=sets), thorough=True)
    return prompt_lengths.measured(made.trials, made)


def refused(folder: Path, *sets: str) -> Told:
    """A sweep that has to be refused without leaving anything."""
    before = files(folder)
    told = zoo("sweep", "long", *(word for text in sets for word in ("--set", text)))
    assert (told.status, told.text) == (2, "")
    assert files(folder) == before
    return told


def rows(*words: str) -> list[dict[str, Any]]:
    return json.loads(zoo("plan", "long", "--json", *words).text)["prompts"]


def test_sweep_with_prompt_over_context_refuses_before_start(long: Path) -> None:
    error = refused(long, "grpo.max_completion_length=900").error
    assert error.startswith("mine: problem mine-7-")
    assert (
        " is a prompt of 1,208 tokens (model mine, prompt pocket); with responses of 900" in error
    )
    assert "over the context of 2,048; expected at most 1,148 tokens a prompt" in error
    assert "`filters: {max_prompt_chars: 1202}` on a card leaves out 1 of 7 problems" in error
    assert error.endswith("or grpo.max_completion_length of 840 leaves room for it")
    assert measured("grpo.max_completion_length=840")


def test_filter_hint_followed_makes_the_sweep_fit(long: Path) -> None:
    (long / "cards/data").mkdir(parents=True)
    said = {"schema": "data/1", "name": "kept", "local": {"path": "../../mine.jsonl"}}
    said |= {"filters": {"max_prompt_chars": 1202}}
    (long / "cards/data/kept.yaml").write_text(json.dumps(said))
    (tokens,) = measured("grpo.max_completion_length=900", "grid.data=kept").values()
    assert tokens < 30


def test_sweep_with_benchmark_prompt_over_context_refuses_before_start(long: Path) -> None:
    error = refused(long, "evaluate.full.problems=3").error
    assert error.startswith("test: problem test-3-")
    assert "max_tokens of decoding" not in error  # no cap makes room for it
    assert "at most 1,984 tokens a prompt; `filters: {max_prompt_chars: " in error


def test_sweep_with_evaluation_cap_over_context_refuses_before_start(long: Path) -> None:
    decoding = "evaluate.decoding={t0: {temperature: 0.0, max_tokens: 2040}}"
    error = refused(long, decoding).error
    assert "test: problem test-1-" in error
    assert "max_tokens of decoding t0 of 2,03" in error


def test_long_prompt_within_context_enlarges_the_engine(long: Path) -> None:
    made = load_study("long", thorough=True)
    (trial,) = made.trials
    (tokens,) = prompt_lengths.measured(made.trials, made).values()
    assert tokens == 1208
    assert longest_sequence(trial, 2048, tokens) == 1208 + 64
    assert trial.id == load_study("long").trials[0].id


def test_plan_shows_measured_prompts_from_cache(long: Path) -> None:
    line = "  prompts    not counted in tokens yet; a sweep does it before it starts"
    assert line in zoo("plan", "long").lines
    assert {row["tokens"] for row in rows()} == {None}
    measured()
    assert "  prompts    longest 1,208 tokens (mine, mine)" in zoo("plan", "long").lines
    assert {row["set"]: row["tokens"] for row in rows()} == {
        "mine": 1208,
        "pocket-easy": 13,
        "test": 11,
    }
    told = zoo("plan", "long", "--set", "grpo.max_completion_length=900").prose
    assert "so a sweep refuses it: mine (mine)" in told


def test_plan_of_simulated_trials_has_no_prompt_line(folder: Path) -> None:
    assert "prompts    " not in zoo("plan", "tiny").text


@pytest.mark.parametrize("what", ["template", "tokenizer", "problems"])
def test_measurement_is_not_reused_for_another_input(long: Path, what: str) -> None:
    measured()
    words: tuple[str, ...] = ()
    if what == "template":
        words = ("--set", "prompt=boxed")
    elif what == "tokenizer":
        path = long / "model/tokenizer.json"
        path.write_text(path.read_text() + "\n")
    else:
        text = (long / "mine.jsonl").read_text()
        (long / "mine.jsonl").write_text(text.replace('0+2?"', '0 +    2?"'))
    found = {row["set"]: row["tokens"] for row in rows(*words)}
    assert found["mine"] is None
    assert {row["tokens"] for row in rows()} != {None} or what == "tokenizer"


def test_cache_known_needs_no_tokenizer_run(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured()
    monkeypatch.setitem(sys.modules, "zoo.data.tokens", None)  # importing it would fail
    assert measured() == first


def test_model_without_tokenizer_json_is_bounded_by_bytes(
    long: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (long / "model/tokenizer.json").rename(long / "model/tokenizer.model")
    (bound,) = measured().values()
    assert 1208 <= bound < 1250
    told = capsys.readouterr().out
    assert told == (
        "model mine: prompts cannot be counted in tokens (no tokenizer.json); taken as "
        f"{bound:,} at most, by their bytes\n"
    )
    assert measured("grpo.max_completion_length=900").values()  # a bound refuses nothing


def test_broken_tokenizer_json_is_refused(long: Path) -> None:
    (long / "model/tokenizer.json").write_text("{}")
    error = refused(long).error
    assert error.startswith(f"{long}/model/tokenizer.json: cannot be read: ")


def test_checkpoint_trained_elsewhere_is_measured_with_its_base(long: Path) -> None:
    shutil.copytree(long / "model", long / "base")
    (long / "base/tokenizer.json").write_text("{}")
    (long / "cards/models").mkdir(parents=True)
    said = {"schema": "model/1", "name": "old", "path": "../../base", "prompt": "pocket", "cap": 64}
    (long / "cards/models/old.yaml").write_text(json.dumps(said))
    model = f"grid.model=[{{path: {long}/model, name: mine, prompt: pocket, cap: 64, base: old}}]"
    with pytest.raises(InputError, match=r"base/tokenizer\.json"):
        measured("trainer=external", model)


def test_a_cap_as_long_as_the_context_is_one_fault(long: Path) -> None:
    error = refused(long, "grpo.max_completion_length=4000").error
    assert error == (
        "model mine: responses of 4,000 tokens leave no room for a prompt in its context of 2,048; "
        "expected room for a prompt and its response; grpo.max_completion_length of 840 leaves "
        "room for the longest prompt"
    )


def over_context(*sets: str) -> list[str]:
    """Texts of the warnings about responses that the context cannot hold beside a prompt."""
    words = [word for text in sets for word in ("--set", text)]
    told = json.loads(zoo("plan", "long", "--json", *words).text)["warnings"]
    return [warning["text"] for warning in told if warning["id"].endswith("-over-context")]


def test_plan_warns_by_measured_prompts_and_not_by_assumed_ones(long: Path) -> None:
    lower, upper = "grpo.max_completion_length=1000", "grpo.max_completion_length=1100"
    assert over_context(lower) == []  # 1,024 tokens of prompt are assumed
    measured()
    assert over_context(lower) == [
        "a max response length of 1,000 and 1,208 tokens of prompt are over the context of mine "
        "(2,048); set it to 840 at most"
    ]
    rows = (long / "mine.jsonl").read_text().splitlines()[:6]
    (long / "mine.jsonl").write_text("".join(f"{row}\n" for row in rows))
    assert len(over_context(upper)) == 1  # another set of problems, not measured
    measured()
    assert over_context(upper) == []


def test_plan_warns_by_measured_prompts_of_the_evaluation(long: Path) -> None:
    decoding = "evaluate.decoding={t0: {temperature: 0.0, max_tokens: 1100}}"
    assert len(over_context(decoding)) == 1
    measured(decoding)
    assert over_context(decoding) == []


def test_remembered_prompts_are_those_that_a_sweep_measures(long: Path) -> None:
    made = load_study("long", thorough=True)
    assert prompt_lengths.remembered(made.trials, made) == ({}, {made.trials[0].id: {}})
    longest = prompt_lengths.measured(made.trials, made)
    whole, settings = prompt_lengths.remembered(made.trials, made)
    assert whole == longest
    assert settings == {made.trials[0].id: {"grpo.max_completion_length": 1208}}
