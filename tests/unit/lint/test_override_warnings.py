"""A plan warns of an override that sets what its cells have anyway."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.study_cards import manifest
from zoo.catalog import Catalog, RecipeCard
from zoo.lint.override_warnings import override_warnings
from zoo.lint.plan_warning import PlanWarning
from zoo.trials.trial import Trial

TWO = {"model": ["pocket-llama", "pocket-qwen2"]}
LLAMA = {"model": "pocket-llama"}


def warned(folder: Path, *overrides: Any, last: Any = None, **said: Any) -> list[PlanWarning]:
    """Warnings about overrides of a study of two models and three seeds."""
    own = json.loads(json.dumps(overrides))  # without YAML aliases, which are refused
    made, trials = manifest(folder, **{"grid": TWO} | said, overrides=own)
    recipe = partial(Catalog(folder / "cards").get, RecipeCard)
    return override_warnings(made.experiment, trials, recipe, last or {})


@pytest.mark.parametrize(
    ("set_", "said"),
    [
        ({"grpo.temperature": 1}, {}),  # TRL's default
        ({"batch.prompts": 4, "batch.updates": 2}, {"batch": {"prompts": 4, "updates": 2}}),
        ({"grpo.beta": 0.01}, {"grpo": {"beta": 0.01}}),
        ({"prompt": "pocket"}, {}),  # of the model's card
        ({"trainer": "trl"}, {}),
    ],
)
def test_override_that_changes_nothing_is_named(
    tmp_path: Path, set_: dict[str, Any], said: dict[str, Any]
) -> None:
    (found,) = warned(tmp_path, {"when": LLAMA, "set": set_}, **said)
    assert (found.id, found.where) == ("idle-override", "override 1, 3 trials")
    assert "without it in all that it matches; leave it out, or correct it" in found.text


def test_override_that_changes_something_somewhere_is_not_named(tmp_path: Path) -> None:
    usual = {"grpo": {"beta": 0.01}}
    assert warned(tmp_path, {"when": LLAMA, "set": {"grpo.beta": 0.02}}, **usual) == []
    pair = {"grpo.beta": 0.01, "grpo.temperature": 0.9}
    assert warned(tmp_path, {"when": LLAMA, "set": pair}, **usual) == []
    first = {"when": LLAMA, "set": {"grpo.beta": 0.02}}
    second = first | {"when": {"model": "*"}}
    assert warned(tmp_path, second, **usual) == []
    found = warned(tmp_path, first, second, **usual)  # the second says it for all
    assert [w.where for w in found] == ["override 1, 3 trials"]


def test_override_that_a_later_one_beats_changes_nothing(tmp_path: Path) -> None:
    first = {"when": LLAMA, "set": {"grpo.beta": 0.02}}
    found = warned(tmp_path, first, {"when": LLAMA, "set": {"grpo.beta": 0.03}})
    assert [w.where for w in found] == ["override 1, 3 trials"]


def test_override_that_the_command_line_beats_is_no_mistake(tmp_path: Path) -> None:
    one = {"when": LLAMA, "set": {"grpo.temperature": 1.0}}
    assert warned(tmp_path, one, last={"grpo.temperature": 0.5}) == []


def test_override_is_judged_by_all_trials_and_counted_by_those_that_are_meant(
    tmp_path: Path,
) -> None:
    overrides = [{"when": {"model": "*"}, "set": {"grpo.beta": 0.01}}]
    overrides.append({"when": LLAMA, "set": {"grpo.beta": 0.01}})
    made, trials = manifest(tmp_path, grid=TWO, overrides=overrides)
    recipe = partial(Catalog(tmp_path / "cards").get, RecipeCard)

    def where(chosen: list[Trial]) -> list[str]:
        return [w.where for w in override_warnings(made.experiment, trials, recipe, {}, chosen)]

    assert where(trials[:2]) == ["override 2, 2 trials"]
    assert where([trial for trial in trials if trial.model.name != "pocket-llama"]) == []
