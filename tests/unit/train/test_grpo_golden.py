"""`GRPOConfig` arguments of every recipe on every profile that comes along, held still by files.

Where a change is meant, `ZOO_GOLDEN=write pytest` with this file writes them anew; read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from zoo.catalog import Catalog, ComputeProfile, RecipeCard
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trainer.grpo_config import grpo_arguments
from zoo.trials.trial import Trial

GOLDEN = Path(__file__).parents[2] / "golden" / "grpo"
CATALOG = Catalog()
PROFILES = CATALOG.names(ComputeProfile)
RECIPES = CATALOG.names(RecipeCard)
MANIFEST = """\
schema: experiment/1
name: golden
question: What does TRL get?
recipe: {recipe}
rounds: 100
grid: {{model: {model}, reward: correctness, data: {data}}}
evaluate: {{}}
"""
MODEL, DATA = "llama-3.2-1b", "gsm8k-train"  # has stop ids
CONTEXT, LONGEST_PROMPT = 131_072, 500


def trial_of(folder: Path, recipe: str) -> Trial:
    """The one trial of a small manifest, as it is without anything fetched."""
    path = folder / "golden.yaml"
    path.write_text(MANIFEST.format(recipe=recipe, model=MODEL, data=DATA), encoding="utf-8")
    (trial,) = expand(load(path), CATALOG)
    return trial


def arguments(trial: Trial, profile: str) -> dict[str, Any]:
    """Keyword arguments of `GRPOConfig`, as JSON holds them."""
    card = CATALOG.get(ComputeProfile, profile)
    found = grpo_arguments(trial, card, "OUTPUT", CONTEXT, LONGEST_PROMPT)
    return json.loads(json.dumps(found, sort_keys=True))


def test_golden_arguments_are_of_every_recipe_and_every_profile() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(RECIPES)
    for recipe in RECIPES:
        golden = json.loads((GOLDEN / f"{recipe}.json").read_text(encoding="utf-8"))
        assert sorted(golden) == sorted(PROFILES), recipe


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_arguments_of_a_recipe_on_a_profile_are_the_golden_ones(
    tmp_path: Path, recipe: str, profile: str
) -> None:
    path = GOLDEN / f"{recipe}.json"
    golden = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = arguments(trial_of(tmp_path, recipe), profile)
    if os.environ.get("ZOO_GOLDEN") == "write":
        golden[profile] = found
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert found == golden[profile]


@pytest.mark.parametrize("recipe", RECIPES)
def test_arguments_follow_from_trial_and_profile_alone(tmp_path: Path, recipe: str) -> None:
    trial = trial_of(tmp_path, recipe)
    before = trial.model_copy(deep=True)
    first, again = (arguments(trial, "h100") for _ in range(2))
    assert first == again
    assert trial == before
    told = json.loads(json.dumps(trial.model_dump(mode="json", by_alias=True)))  # trial.json
    assert arguments(Trial.model_validate(told), "h100") == first
