"""Cells: products, paired axes, patterns, inclusions, and the guard against too many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog, RecipeCard
from zoo.errors import InputError
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trials.trial import Trial

Write = Callable[..., Path]
MODELS = "[pocket-qwen2, pocket-llama, pocket-mistral]"


def trials(path: Path) -> list[Trial]:
    """The trials of a manifest."""
    return expand(load(path), Catalog())


def message(path: Path) -> str:
    """The whole message that expanding gives."""
    with pytest.raises(InputError) as caught:
        trials(path)
    return str(caught.value)


def test_paired_axes_go_together_and_multiply_with_the_grid(write: Write) -> None:
    path = write(
        zip="{model: [pocket-llama, pocket-qwen2], data: [pocket-easy, pocket-hard]}",
        grid="{reward: [correctness, box-strict]}",
    )
    assert [tuple(t.cell.values()) for t in trials(path)] == [
        ("pocket-llama", "correctness", "pocket-easy"),
        ("pocket-llama", "box-strict", "pocket-easy"),
        ("pocket-qwen2", "correctness", "pocket-hard"),
        ("pocket-qwen2", "box-strict", "pocket-hard"),
    ]


def test_settings_can_be_paired_so_that_arms_match_in_compute(write: Write) -> None:
    path = write(zip="{batch.num_generations: [4, 8], batch.prompts: [32, 16]}")
    assert [t.batch.completions for t in trials(path)] == [128, 128]


def test_several_groups_of_paired_axes_multiply(write: Write) -> None:
    path = write(
        grid="{reward: correctness}",
        zip="[{model: [pocket-llama, pocket-qwen2], data: [pocket-easy, pocket-hard]}, "
        "{grpo.beta: [0, 0.1], grpo.learning_rate: [1e-4, 2e-4]}]",
    )
    assert len(trials(path)) == 4


def test_paired_axes_of_different_lengths_are_refused(write: Write) -> None:
    path = write(zip="{model: [pocket-llama, pocket-qwen2], data: [pocket-easy]}", grid="{}")
    assert "axes of different lengths (model has 2, data has 1)" in message(path)


def test_an_axis_in_two_places_is_refused(write: Write) -> None:
    text = message(write(zip="{model: [pocket-llama], reward: [correctness]}"))
    assert "axis 'model' again; expected every axis once" in text


def test_an_axis_that_is_missing_is_named(write: Write) -> None:
    assert "no axis 'data'; expected `data: [...]` in grid or zip" in message(
        write(grid="{model: pocket-llama, reward: correctness}")
    )


def test_patterns_match_in_exclusions_and_overrides(write: Write) -> None:
    path = write(
        grid=f"{{model: {MODELS}, reward: correctness, data: pocket-easy}}",
        exclude="[{model: 'pocket-q*', why: too strong}]",
        overrides="[{when: {model: '*mistral'}, set: {grpo.beta: 0.5}}]",
    )
    assert {t.cell["model"]: t.grpo["beta"] for t in trials(path)} == {
        "pocket-llama": 0.0,
        "pocket-mistral": 0.5,
    }
    assert "axis 'model' has no value 'nobody*'" in message(
        write(exclude="[{model: 'nobody*', why: x}]")
    )


def test_a_grid_that_leaves_nothing_is_refused(write: Write) -> None:
    assert "no cell is left" in message(write(exclude="[{model: pocket-llama, why: x}]"))


def test_too_many_trials_are_refused_before_they_are_made(write: Write) -> None:
    assert "3 trials; expected at most 2, as max_trials" in message(
        write(seeds="[0, 1, 2]", max_trials="2")
    )
    axes = ", ".join(
        f"grpo.{name}: [{', '.join(str(i / 100) for i in range(1, 99))}]"
        for name in ("beta", "epsilon", "weight_decay", "adam_beta1")
    )
    grid = f"{{model: pocket-llama, reward: correctness, data: pocket-easy, {axes}}}"
    assert "millions of trials; expected at most 10,000, as max_trials" in message(write(grid=grid))


def test_an_inclusion_may_say_why(write: Write) -> None:
    grid = f"{{model: {MODELS}, reward: [correctness, box-strict], data: pocket-easy}}"
    path = write(
        grid=grid,
        exclude="[{reward: box-strict, why: later}]",
        include="[{model: pocket-llama, reward: box-strict, why: but this one}]",
    )
    assert len(trials(path)) == 4


def test_a_model_of_the_hub_needs_no_card(write: Write) -> None:
    commit = "a" * 40
    grid = f"{{model: ['hf:org/tiny@{commit}'], reward: correctness, data: pocket-easy}}"
    (trial,) = trials(write(grid=grid))
    assert (trial.model.repo, trial.model.revision) == ("org/tiny", commit)
    assert trial.identity["model"]["revision"] == commit
    assert "'main' is no commit; expected a full commit of 40 hex digits" in message(
        write(grid=grid.replace(commit, "main"))
    )


OVERRIDE = "[{when: {model: pocket-llama}, set: {grpo.beta: 0.2}}]"
PAIRS = "{grpo.beta: [0, 0, 1], grpo.epsilon: [0.1, 0.1, 0.2]}"
NARROW = "{model: pocket-llama, reward: correctness, data: pocket-easy, grpo.beta: [0, 0.1]}"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"zip": f"[{PAIRS}]"}, "8:23: this pairing twice (grpo.beta 0.0, grpo.epsilon 0.1)"),
        ({"zip": PAIRS}, "8:22: this pairing twice"),
        ({"zip": "{grpo.beta: [], grpo.epsilon: []}"}, "8:18: axis 'grpo.beta' has no value"),
        ({"zip": "{}"}, "8:6: a pairing without axes"),
        ({"grid": NARROW, "overrides": OVERRIDE}, "8:49: grpo.beta is an axis"),
        ({"exclude": "[{why: x}]"}, "8:11: this exclusion names no axis"),
        ({"exclude": "[{model: '*', why: x}]"}, "8:11: no cell is left"),
        ({"exclude": "[{model: null, why: x}]"}, "8:19: axis 'model' has no value null"),
        ({"overrides": OVERRIDE.replace("grpo.beta", "grpo.bta")}, "8:49: unknown GRPO setting"),
        (
            {"overrides": "[{when: {model: pocket-llama}, set: {grpo: {beta: 0.1}}}]"},
            "8:49: 'grpo' alone is no setting; write `grpo.beta: 0.1`",
        ),
        (
            {"overrides": "[{when: {model: pocket-llama}, set: {prompt: null}}]"},
            "8:57: prompt is null; expected a name",
        ),
        ({"overrides": "[{when: {model: pocket-llama}, set: {trainer: 3}}]"}, "trainer is 3"),
        ({"overrides": "[{when: {}, set: {grpo.beta: 0.1}}]"}, "8:20: overrides.0.when is {}"),
    ],
)
def test_what_says_nothing_or_twice_is_refused_at_its_place(
    write: Write, changes: dict[str, str], found: str
) -> None:
    text = message(write(**changes))
    assert found in text
    assert 1 <= text.count("small.yaml:") <= 2


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("overrides", OVERRIDE, "this override matches no cell"),
        (
            "tripwires",
            "[{metric: train/reward, below: 0, when: {model: pocket-llama}}]",
            "this tripwire matches no cell",
        ),
    ],
)
def test_overrides_and_tripwires_of_excluded_cells_alone_are_refused(
    write: Write, key: str, value: str, found: str
) -> None:
    grid = f"{{model: {MODELS}, reward: correctness, data: pocket-easy}}"
    path = write(grid=grid, exclude="[{model: pocket-llama, why: x}]", **{key: value})
    assert found in message(path)


def test_two_cells_of_one_trial_are_refused_and_both_are_named(
    write: Write, tmp_path: Path
) -> None:
    cards = tmp_path / "cards" / "recipes"
    cards.mkdir(parents=True)
    text = Catalog().file(RecipeCard, "pocket").read_text(encoding="utf-8")
    (cards / "same.yaml").write_text(text.replace("name: pocket", "name: same"), encoding="utf-8")
    path = write(
        grid="{model: pocket-llama, reward: correctness, data: pocket-easy, recipe: [pocket, same]}"
    )
    with pytest.raises(InputError) as caught:
        expand(load(path), Catalog(tmp_path / "cards"))
    told = str(caught.value)
    assert "two cells are one trial" in told
    assert "recipe pocket" in told
    assert "recipe same" in told


@pytest.mark.parametrize(
    ("changes", "place", "found"),
    [
        ({"batch": "{micro_batch: 3}"}, "small.yaml:8:22", "micro_batch (3) must divide the 128"),
        ({"batch": "{num_generations: 1}"}, "small.yaml:8:26", "batch.num_generations is 1"),
        ({"grpo": "{epsilon: 0.5}"}, "cards/recipes/own.yaml:4:44", "unknown GRPO setting 'betta'"),
        ({"grpo": "{epsilon: 0.5}"}, "small.yaml:8:17", "epsilon_high 0.3 below epsilon 0.5"),
        ({}, "cards/recipes/own.yaml:4:62", "top_p 0.9 together with"),
        (
            {"zip": "[{grpo.epsilon: [0.1, 0.5]}]"},
            "small.yaml:8:22",
            "epsilon_high 0.3 below epsilon 0.5",
        ),
    ],
)
def test_settings_that_are_wrong_are_placed_where_they_are_said(
    write: Write, tmp_path: Path, changes: dict[str, str], place: str, found: str
) -> None:
    cards = tmp_path / "cards" / "recipes"
    cards.mkdir(parents=True)
    betta = "betta: 1, " if "betta" in found else "beta: 0.1, "
    text = (
        "schema: recipe/1\nname: own\nbatch: {prompts: 16, num_generations: 8}\n"
        f"grpo: {{epsilon_high: 0.3, loss_type: dapo, {betta}top_p: 0.9}}\n"
    )
    if "top_p" not in found:
        text = text.replace("top_p: 0.9", "top_p: 1.0")
    (cards / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        expand(load(write(recipe="own", **changes)), Catalog(tmp_path / "cards"))
    told = [str(fault).split("\n")[0] for fault in caught.value.faults]
    assert any(f"{place}: {found}" in line for line in told), told


def test_what_is_wrong_with_a_recipe_is_told_beside_everything_else(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "cards" / "recipes").mkdir(parents=True)
    text = "schema: recipe/1\nname: own\nbatch: {prompts: 16, num_generations: 8}\n"
    text += "grpo: {betta: 1, learning_rate: null}\n"
    (tmp_path / "cards" / "recipes" / "own.yaml").write_text(text, encoding="utf-8")
    path = write(recipe="own", grid="{model: pocket-lama, reward: correctness, data: pocket-easy}")
    with pytest.raises(InputError) as caught:
        expand(load(path), Catalog(tmp_path / "cards"))
    assert [fault.found for fault in caught.value.faults] == [
        "unknown GRPO setting 'betta'",
        "learning_rate is null",
        "unknown model 'pocket-lama'",
    ]
