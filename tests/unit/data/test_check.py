"""A model folder is whole or it is told what is wrong with it, and held against its card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.model_folders import GEOMETRY, write_model
from zoo.catalog import Catalog, ModelCard
from zoo.data.check import check_model
from zoo.data.resolve import EMBEDDED
from zoo.yamlio import strict_yaml


def model(**said: object) -> ModelCard:
    """A card of the tiny model."""
    base = {"schema": "model/1", "name": "tiny", "path": "x", "prompt": "none", "cap": 64}
    return ModelCard.model_validate(base | said)


def wrong(card: ModelCard, folder: Path) -> list[str]:
    """What is found wrong."""
    return [finding.text for finding in check_model(card, folder) if not finding.ok]


GEOMETRY_OF_TINY = strict_yaml.parse(GEOMETRY + "true}").data


def test_a_whole_folder_that_is_as_its_card_says_has_nothing_wrong(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    card = model(geometry=GEOMETRY_OF_TINY, context=128, eos_ids=[3])
    told = [str(finding) for finding in check_model(card, folder)]
    assert told[0] == "ok     config.json: LlamaForCausalLM, context 128"
    assert told[1].startswith("ok     2 safetensors file(s), ")
    assert told[2] == "ok     tokenizer.json, ends with '</s>'"
    assert told[3] == "ok     config.json and card agree"


@pytest.mark.parametrize("name", ["pocket-qwen2", "pocket-llama", "pocket-mistral"])
def test_the_embedded_models_are_as_their_cards_say(name: str) -> None:
    assert wrong(Catalog().get(ModelCard, name), EMBEDDED / name) == []


def test_every_difference_to_the_card_is_listed(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    geometry = GEOMETRY_OF_TINY | {"kv_heads": 2, "head_dim": 8, "tied": False}
    assert wrong(model(geometry=geometry, context=64, eos_ids=[3, 4]), folder) == [
        "geometry.kv_heads: 1 in config.json, 2 in the card",
        "geometry.head_dim: 4 in config.json, 8 in the card",
        "geometry.tied: True in config.json, False in the card",
        "context: 128 in config.json, 64 in the card",
        "eos_ids: [3] in the model's files, [3, 4] in the card",
    ]


def test_what_the_config_leaves_open_is_not_held_against_the_card(tmp_path: Path) -> None:
    silent = {"num_key_value_heads": None, "tie_word_embeddings": None, "head_dim": None}
    folder = write_model(tmp_path / "tiny", max_position_embeddings=None, **silent)
    geometry = GEOMETRY_OF_TINY | {"kv_heads": 2}  # as many as heads, where none are named
    assert wrong(model(geometry=geometry, context=99), folder) == []


def test_missing_and_broken_weights_are_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    first, second = sorted(folder.glob("*.safetensors"))
    first.write_bytes(first.read_bytes()[:-4])
    second.unlink()
    size = first.stat().st_size
    assert wrong(model(), folder) == [
        f"weights missing: {second.name}",
        f"{first.name} has {size} bytes, its header states {size + 4}",
    ]
    first.write_bytes(b"pickle")
    assert wrong(model(), folder)[1].startswith(f"{first.name} is not safetensors")


def test_a_tokenizer_without_an_end_or_none_at_all_is_wrong(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": None}))
    assert "names no end token" in wrong(model(), folder)[0]
    (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": "</s>"}))
    assert wrong(model(), folder) == []
    (folder / "tokenizer.json").unlink()
    assert wrong(model(), folder) == [
        "no tokenizer: expected tokenizer.json or tokenizer.model",
    ]


def test_a_folder_without_a_config_says_so_and_no_more(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    (folder / "config.json").write_text("no json")
    assert wrong(model(), folder) == ["config.json is not there or not JSON"]
