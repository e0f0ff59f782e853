"""Cells: products, paired axes, patterns, inclusions, and the guard against too many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog
from zoo.errors import InputError
from zoo.manifest import Trial, expand, load

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
