"""Models with random weights: named as such, known by what they are drawn from, drawn once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import cli
from zoo.catalog import Catalog, ModelCard
from zoo.catalog.model_config import context_of, ends_of, geometry_of
from zoo.data import LocalResolver, model_folder
from zoo.data.places import NotFetched
from zoo.trainer.random_model import vocabulary

NAME = "qwen2.5-0.5b-random-weights"


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_stand_in_for_half_a_billion_parameters_has_its_architecture() -> None:
    card, real = Catalog().get(ModelCard, NAME), Catalog().get(ModelCard, "qwen2.5-0.5b")
    assert card.random_weights is not None
    config = card.random_weights.config
    assert geometry_of(config) == card.geometry == real.geometry
    assert context_of(config) == card.context == real.context
    assert ends_of(config) == card.eos_ids == real.eos_ids
    for field in ("parameters", "prompt", "cap", "beta", "stand_in"):
        assert getattr(card, field) == getattr(real, field), field


def test_weights_that_were_not_drawn_yet_are_refused_with_the_command_that_draws_them() -> None:
    card = Catalog().get(ModelCard, NAME)
    with pytest.raises(NotFetched, match=f"zoo models fetch {NAME}"):
        model_folder(card)
    assert LocalResolver().model(card) == LocalResolver(light=True).model(card) != "unpinned"


GIVEN: dict[str, Any] = {
    "schema": "model/1",
    "name": "own-random-weights",
    "prompt": "none",
    "cap": 64,
    "context": 128,
    "eos_ids": [3],
    "geometry": dict.fromkeys(("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn"), 8)
    | {"vocab": 400},
    "random_weights": {"config": {"model_type": "qwen2"}},
}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "own"}, "-random-weights"),
        ({"random_weights": None, "path": "folder"}, "-random-weights"),
        ({"path": "folder"}, "exactly one of"),
        ({"eos_ids": []}, "needs geometry, context and eos_ids"),
    ],
)
def test_a_card_of_random_weights_says_so_by_its_name(change: dict[str, Any], error: str) -> None:
    assert ModelCard.model_validate(GIVEN).random_weights
    with pytest.raises(ValueError, match=error):
        ModelCard.model_validate(GIVEN | change)


def test_tokens_of_random_weights_are_distinct_texts_and_end_at_the_models_own_id() -> None:
    found = vocabulary(151_936, 151_643)
    assert sorted(found.values()) == list(range(151_936))
    assert found["<|endoftext|>"] == 151_643
    assert all(token.strip() for token in found)


def test_a_plan_says_that_weights_are_random_and_ids_carry_it(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "schema: experiment/1\nname: own\nquestion: Does it run?\nrecipe: pocket\n"
        f"grid: {{model: {NAME}, reward: random, data: pocket-easy}}\nrounds: 2\n"
        "evaluate:\n  full: {benchmarks: [pocket-easy], problems: 8, at: [0, last]}\n"
    )
    assert f"RANDOM WEIGHTS: {NAME} was never trained" in cli.zoo("plan", str(path)).text
    found = json.loads(cli.zoo("plan", str(path), "--json").text)
    assert found["random_weights"] == [NAME]
    assert found["trials"][0]["id"].startswith(f"{NAME}.random.pocket-easy.s0-")
