"""A model's own config.json in the words of a card."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.catalog import Catalog, Geometry, ModelCard
from zoo.catalog.model_config import context_of, ends_of, geometry_of


def config(
    kind: str,
    layers: int,
    hidden: int,
    heads: int,
    kv: int | None,
    ffn: int,
    vocab: int,
    **more: Any,
) -> dict[str, Any]:
    """A config.json as its family writes it."""
    said = {
        "model_type": kind,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": ffn,
        "vocab_size": vocab,
    }
    return said | ({"num_key_value_heads": kv} if kv else {}) | more


CONFIGS = {  # as their families leave them on the hub; what is the family's default is left out
    "qwen2.5-1.5b": config("qwen2", 28, 1536, 12, 2, 8960, 151936, tie_word_embeddings=True),
    "llama-3.1-8b": config("llama", 32, 4096, 32, 8, 14336, 128256, tie_word_embeddings=False),
    "mistral-7b": config("mistral", 32, 4096, 32, 8, 14336, 32000),
    "mistral-small-24b": config("mistral", 40, 5120, 32, 8, 32768, 131072, head_dim=128),
    "olmo-2-1b": config("olmo2", 16, 2048, 16, 16, 8192, 100352, tie_word_embeddings=False),
    "deepseek-math-7b": config("llama", 30, 4096, 32, None, 11008, 102400),
}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_config_gives_the_geometry_that_the_card_states(name: str) -> None:
    assert geometry_of(CONFIGS[name]) == Catalog().get(ModelCard, name).geometry


def test_what_a_config_leaves_out_follows_from_the_rest() -> None:
    found = geometry_of(config("any", 2, 64, 4, None, 128, 100))
    assert found == Geometry(
        layers=2, hidden=64, heads=4, kv_heads=4, head_dim=16, ffn=128, vocab=100, tied=False
    )
    gemma = geometry_of(config("gemma2", 2, 64, 4, None, 128, 100, head_dim=32))
    assert gemma is not None
    assert (gemma.head_dim, gemma.tied) == (32, True)


def test_a_model_that_also_sees_nests_its_text() -> None:
    text = config("mistral", 2, 64, 4, 2, 128, 100, max_position_embeddings=512)
    whole = {"model_type": "mistral3", "text_config": text, "tie_word_embeddings": True}
    found = geometry_of(whole)
    assert found is not None
    assert (found.kv_heads, found.tied) == (2, True)
    assert context_of(whole) == 512


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"n_layer": 12, "n_embd": 768},
        config("mixtral", 2, 64, 4, 2, 128, 100, num_local_experts=8),
        config("odd", 2, 64, 4, 2, 128, 100) | {"vocab_size": "many"},
        config("odd", 2, 64, 4, 2, 128, 100) | {"num_attention_heads": [2, 4]},
    ],
)
def test_what_is_not_dense_or_not_told_has_no_geometry(said: dict[str, Any]) -> None:
    assert geometry_of(said) is None


def test_ends_are_those_of_both_files() -> None:
    assert ends_of({"eos_token_id": 2}, {"eos_token_id": [2, 7]}) == (2, 7)
    assert ends_of({"eos_token_id": None}, {}) == ()
    assert context_of({"max_position_embeddings": None}) is None


def test_sizes_beyond_any_model_are_no_geometry() -> None:
    assert geometry_of(config("any", 10**30, 64, 4, None, 128, 100)) is None
