"""`zoo show`: every value of one trial, each with the layer that it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import zoo
from tests.support.model_folders import write_smallest_model

LAYERS = """\
schema: experiment/1
name: layers
question: Where does it come from?
recipe: bare
zip: {model: [mine, {path: folder, name: here, prompt: none}], reward: [correctness, box-strict]}
grid:
  data: [{path: mine.jsonl}]
  prompt: [pocket]
  grpo.temperature: [0.7, 1.0]
seeds: [5]
rounds: 4
trainer: simulated
grpo: {learning_rate: 2.0e-6}
batch: {prompts: 4}
overrides:
  - when: {model: mine}
    set: {grpo.weight_decay: 0.2, grpo.max_completion_length: 77}
evaluate:
  watch: {benchmarks: [pocket-easy], problems: 4, every: 2}
  full: {benchmarks: [pocket-easy], at: [0, last]}
  decoding: {t0: {temperature: 0, max_tokens: 50}}
"""
RECIPE = """\
schema: recipe/1
name: bare
batch: {prompts: 8, num_generations: 4}
grpo: {beta: from-card, max_completion_length: from-card, epsilon: 0.3}
"""
MODEL = """\
schema: model/1
name: mine
embedded: pocket-llama
prompt: none
cap: 123
beta: 0.02
stop_ids: [7]
origin: {stop_ids: "choice: to see where it came from"}
"""


@pytest.fixture
def layers(folder: Path) -> Path:
    """A manifest in which every layer says something."""
    (folder / "experiments/layers.yaml").write_text(LAYERS)
    for name, text in (("recipes/bare", RECIPE), ("models/mine", MODEL)):
        path = folder / f"cards/{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (folder / "mine.jsonl").write_text('{"problem": "1 + 1", "answer": "2"}\n' * 4)
    write_smallest_model(folder / "folder")
    return folder


def values(*words: str) -> dict[str, tuple[object, str]]:
    """Name -> value and origin."""
    shown = zoo("show", "--json", *words)
    assert not shown.error
    found = json.loads(shown.text)["values"]
    return {name: (row["value"], row["from"]) for name, row in found.items()}


def test_each_value_says_its_layer(layers: Path) -> None:
    found = values("layers")
    assert found["recipe"] == ("bare", "manifest, line 4")
    assert found["trainer"] == ("simulated", "manifest, line 12")
    assert found["model"] == ("mine", "axis, manifest, line 5")
    assert found["data"] == ("mine", "axis, manifest, line 7")
    assert found["seed"] == (5, "manifest, line 10")
    assert found["rounds"] == (4, "manifest, line 11")
    assert found["model.stop_ids"] == ([7], "card mine: choice: to see where it came from")
    assert found["prompt"] == ("pocket", "axis, line 8")
    assert found["reward.kind"] == ("matrix", "card correctness")
    assert found["batch.prompts"] == (4, "manifest, line 14")
    assert found["batch.num_generations"] == (4, "recipe bare")
    assert found["grpo.learning_rate"] == (2e-6, "manifest, line 13")
    assert found["grpo.temperature"] == (0.7, "axis, line 9")
    assert found["grpo.epsilon"] == (0.3, "recipe bare")
    assert found["grpo.beta"] == (0.02, "card mine (recipe bare has from-card)")
    assert found["grpo.weight_decay"] == (0.2, "override 1, line 17")
    assert found["grpo.max_completion_length"] == (77, "override 1, line 17")
    assert found["grpo.adam_beta1"][1].startswith("TRL ")
    assert found["final"] == ("last", "default")


def test_evaluations_are_told_apart_and_whole(layers: Path) -> None:
    found = values("layers")
    told = {name: row for name, row in found.items() if name.startswith("evaluate.")}
    assert list(told) == ["evaluate.watch.pocket-easy.t0", "evaluate.full.pocket-easy.t0"]
    how = {"samples": 1, "temperature": 0.0, "top_p": 1.0, "max_tokens": 50}
    assert told["evaluate.watch.pocket-easy.t0"] == (
        {"problems": 4, **how, "rounds": [0, 2, 4]},
        "manifest, line 19",
    )
    assert told["evaluate.full.pocket-easy.t0"][0] == {"problems": "all", **how, "rounds": [0, 4]}
    changed = values("layers", "--set", "evaluate.decoding.t0.max_tokens=")
    assert changed["evaluate.full.pocket-easy.t0"][0]["max_tokens"] == 77  # type: ignore[index]


def test_what_is_given_in_place_says_so(layers: Path) -> None:
    found = values("layers", "--trial", "here.box-strict.mine.s5", "--only", "grpo.temperature=1.0")
    assert found["model.stop_ids"] == ([], "manifest, given inline")
    assert found["data.digest"][1] == "manifest, given inline"
    assert found["grpo.max_completion_length"] == (
        512,
        "card here (recipe bare has from-card)",
    )


def test_the_command_line_says_what_it_changed(layers: Path) -> None:
    sets = ("grpo.epsilon=0.4", "rounds=6", "batch.updates=2", "grid.grpo.temperature=[0.5]")
    found = values("layers", *[word for text in sets for word in ("--set", text)])
    assert found["grpo.epsilon"] == (0.4, "--set")
    assert found["batch.updates"] == (2, "--set")
    assert found["rounds"] == (6, "--set rounds=6")
    assert found["grpo.temperature"][0] == 0.5
    found = values("layers", "--set", "evaluate.watch.problems=3", "--set", "trainer=trl")
    assert found["evaluate.watch.pocket-easy.t0"][1] == (
        "manifest, line 19, --set evaluate.watch.problems=3"
    )
    assert found["trainer"] == ("trl", "--set trainer=trl")


def test_a_rehearsal_says_what_it_replaced_and_keeps_the_rest(layers: Path) -> None:
    found = values("layers.rehearsal")
    assert found["seed"] == (0, "rehearsal")
    assert found["rounds"] == (2, "rehearsal")
    assert found["batch.prompts"] == (16, "rehearsal")
    assert found["batch.updates"] == (1, "recipe bare")
    assert found["model"][0] == "mine"
    assert found["model.weights"] == ("pocket-llama", "card pocket-llama")
    assert found["grpo.max_completion_length"] == (64, "rehearsal: card pocket-llama")
    assert found["grpo.beta"] == (0.02, "card mine (recipe bare has from-card)")
    assert found["evaluate.full.pocket-easy.t0"][1] == "rehearsal"


def test_a_checkpoint_from_elsewhere_has_no_settings_of_training() -> None:
    manifest = str(Path(__file__).parents[3] / "experiments/released.yaml")
    found = values(manifest)
    card = f"card {found['model'][0]}"
    assert found["trainer"][0] == "external"
    assert (found["reward"][1], found["data"][1], found["model.base"][1]) == (card, card, card)
    assert [name for name in found if name.startswith(("grpo.", "batch.", "reward."))] == [
        "grpo.max_completion_length"
    ]


def test_the_text_has_a_line_a_value(layers: Path) -> None:
    shown = zoo("show", "layers")
    assert shown.lines[0].startswith("mine.correctness.mine.s5-")
    rows = {line.split()[0]: line for line in shown.lines[2:]}
    assert rows.keys() == values("layers").keys()
    assert rows["prompt.template"].split(maxsplit=1)[1].startswith(r"Question: {problem}\nAnswer:")
    assert "  none  " in rows["grpo.epsilon_high"]
    assert "  false  " in rows["grpo.mask_truncated_completions"]


@pytest.mark.parametrize(
    ("word", "model"),
    [("0", "mine"), ("3", "here"), ("mine.correctness", None), ("here", None)],
)
def test_a_trial_is_named_by_number_or_by_a_part_of_its_id(
    layers: Path, word: str, model: str | None
) -> None:
    shown = zoo("show", "layers", "--trial", word)
    if model is None:
        assert (shown.status, "more than one trial" in shown.error) == (2, True)
    else:
        assert shown.lines[0].startswith(f"{model}.")
        again = zoo("show", "layers", "--trial", shown.lines[0])
        assert again == shown


@pytest.mark.parametrize("word", ["4", "99", "nothing"])
def test_a_trial_that_is_not_there_is_refused(layers: Path, word: str) -> None:
    assert zoo("show", "layers", "--trial", word).status == 2


def test_a_number_is_never_taken_for_a_part_of_an_id(folder: Path) -> None:
    shown = zoo("show", "tiny", "--trial", "2", "--only", "reward=correctness")
    assert shown.error == "--trial: 'tiny' has no trial 2; there are 2, counted from 0"
