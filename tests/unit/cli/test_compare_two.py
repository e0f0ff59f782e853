"""`zoo compare A B`: two simulated sweeps side by side, and what stands in the way of it."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.support.cli import files, zoo

MANIFEST = """\
schema: experiment/1
name: {name}
question: Does anything happen?
recipe: pocket
trainer: simulated
batch: {{prompts: 2, num_generations: 4}}
grpo: {{beta: {beta}}}
grid:
  model: [pocket-qwen2, pocket-llama]
  reward: [correctness]
  data: [{data}]
seeds: [0, 1, 2]
rounds: 4
evaluate:
  full: {{benchmarks: [pocket-easy], problems: {problems}, samples: 2, at: [0, last]}}
  decoding: {{t1.0: {{temperature: {temperature}}}}}
"""
ACC = "eval/pocket-easy/acc/t1.0"


def write(folder: Path, name: str, **said: Any) -> None:
    words = {"beta": 0, "data": "pocket-easy", "problems": 20, "temperature": 1.0} | said
    (folder / f"experiments/{name}.yaml").write_text(MANIFEST.format(name=name, **words))


@pytest.fixture
def two(folder: Path) -> Path:
    """Two finished sweeps of six trials, that differ in a setting."""
    for name, beta in (("one", 0), ("other", 0.01)):
        write(folder, name, beta=beta)
        assert zoo("sweep", name, "--bare").status == 0
    return folder


def data(*words: str) -> dict[str, Any]:
    told = zoo("compare", *words, "--json")
    assert told.status == 0
    return json.loads(told.text)


def test_two_sweeps_are_compared_over_equal_cells(two: Path) -> None:
    before = files(two)
    found, alone = data("one", "other"), [data(name) for name in ("one", "other")]
    assert (found["name"], found["other"], found["across"]) == ("one", "other", {})
    assert [cell["cell"]["sweep"] for cell in found["cells"]] == ["one"] * 2 + ["other"] * 2
    means = [[cell["mean"] for cell in each["cells"]] for each in alone]
    assert [cell["mean"] for cell in found["cells"]] == means[0] + means[1]
    (effect,) = found["effects"]
    assert (effect["axis"], effect["value"], effect["against"]) == ("sweep", "other", "one")
    assert (effect["pairs"], effect["n"]) == (2, 12)
    assert effect["effect"] == pytest.approx(fmean(means[1]) - fmean(means[0]))
    assert effect["problems_low"] < effect["low"] < effect["effect"] < effect["high"]
    assert (found["claims"], found["shared_trials"]) == ([], 0)
    told = zoo("compare", "one", "other")
    assert "other less one: " in told.prose
    assert "other compared with one; their claims are judged by `zoo compare` of each" in told.prose
    assert files(two) == before


def test_folders_of_sweeps_mean_their_sweeps(two: Path) -> None:
    assert data("sweeps/one", "sweeps/other") == data("one", "other")
    assert data("sweeps/one") == data("one")
    told = zoo("compare", "experiments", "one")
    assert (told.status, "this folder is no sweep" in told.error) == (2, True)


def test_trials_of_both_sweeps_are_pointed_out(two: Path) -> None:
    write(two, "again")
    assert zoo("sweep", "again", "--bare").status == 0
    assert data("one", "again")["shared_trials"] == 6
    assert "! 6 trials in both, the same one in each" in zoo("compare", "one", "again").prose


def test_another_stack_is_refused_unless_it_is_said(two: Path) -> None:
    for path in (two / "runs/train").glob("*"):
        found = json.loads((path / "record.json").read_text())
        if found["identity"]["grpo"].get("beta"):
            found["stack"] = {"trl": "0.1"}
            (path / "record.json").write_text(json.dumps(found))
    told = zoo("compare", "one", "other")
    assert (told.status, told.text) == (2, "")
    assert "stacks differ: " in told.error
    assert "trl 0.1; `--across stacks` compares them and notes it" in told.error
    found = data("one", "other", "--across", "stacks")
    assert found["across"]["stacks"]["other"] == "trl 0.1"
    assert "! across stacks: " in zoo("compare", "one", "other", "--across", "stacks").prose


def test_other_decoding_problems_and_grader_are_refused_together(two: Path) -> None:
    write(two, "cold", temperature=0.5, problems=10)
    assert zoo("sweep", "cold", "--bare").status == 0
    for index in (two / "runs/train").glob("*/evals.jsonl"):
        rows = [json.loads(line) for line in index.read_text().splitlines()]
        old = [row | {"grader": "1"} if row["problems"] == 10 else row for row in rows]
        index.write_text("".join(json.dumps(row) + "\n" for row in old))
    told = zoo("compare", "one", "cold", "--across", "stacks")
    assert told.status == 2
    for what in ("decodings differ: t1.0: temperature 1, ", "graders differ: ", "problems differ"):
        assert what in told.error
    some = zoo("compare", "one", "cold", "--across", "graders", "--across", "problems")
    assert "decodings differ" in some.error
    assert "problems differ" not in some.error
    words = [w for kind in ("decodings", "graders", "problems") for w in ("--across", kind)]
    found = data("one", "cold", *words)
    assert set(found["across"]) == {"decodings", "graders", "problems"}
    assert found["effects"][0]["problems_low"] is None  # other problems are not paired


def test_sweeps_that_cannot_be_compared_are_refused(two: Path) -> None:
    told = zoo("compare", "one", "one")
    assert (told.status, told.error) == (2, "compare: 'one' twice; expected two sweeps")
    told = zoo("compare", "one", "nothing")
    assert (told.status, "no manifest or sweep 'nothing'" in told.error) == (2, True)
    told = zoo("compare", "one", "other", "--metric", "eval/pocket-easy/acc/t0")
    assert (told.status, "is not evaluated" in told.error) == (2, True)
