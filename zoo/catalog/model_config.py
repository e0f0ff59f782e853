"""A model's own `config.json`, converted to fields of a card.

Plain values in and out: no file is opened and nothing of transformers is imported. Supports the
names that Llama, Mistral, Qwen2, OLMo2 and most others share; of a model that is not dense, or that
has other names, the geometry is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.catalog.model_card import Geometry

FIELDS = {
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "ffn": "intermediate_size",
    "vocab": "vocab_size",
    "tied": "tie_word_embeddings",
}
"""Field of a geometry -> key of a config."""
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
TIED_FAMILIES = ("gemma",)  # their configs leave out that embeddings are tied
Config = Mapping[str, Any]


def text_part(config: Config) -> Config:
    """The part about text: models that also see nest it."""
    found = config.get("text_config")
    return found if isinstance(found, dict) else config


def geometry_of(config: Config) -> Geometry | None:
    """Layer geometry of a dense model, or None where the config lacks it."""
    text = text_part(config)
    if any(text.get(key) for key in EXPERTS):
        return None
    sizes = {field: _size(field, text) for field in FIELDS if field != "tied"}
    if None in sizes.values():
        return None
    tied = text.get("tie_word_embeddings", config.get("tie_word_embeddings"))
    if tied is None:
        tied = str(text.get("model_type", "")).startswith(TIED_FAMILIES)
    try:
        return Geometry.model_validate(sizes | {"tied": bool(tied)})
    except ValueError:  # sizes beyond any model
        return None


def usual(field: str, config: Config) -> int | None:
    """What a config leaves out because it follows from the rest."""
    heads, hidden = _count(config.get("num_attention_heads")), _count(config.get("hidden_size"))
    if field == "kv_heads":
        return heads
    return hidden // heads if field == "head_dim" and heads and hidden else None


def context_of(config: Config) -> int | None:
    """Longest sequence that the model supports, in tokens."""
    return _count(text_part(config).get("max_position_embeddings"))


def ends_of(*settings: Config) -> tuple[int, ...]:
    """Ids that end a response, by `config.json` and `generation_config.json`, ascending."""
    found: set[int] = set()
    for said in settings:
        ids = said.get("eos_token_id")
        found |= {i for i in (ids if isinstance(ids, list) else [ids]) if isinstance(i, int)}
    return tuple(sorted(found))


def _size(field: str, config: Config) -> int | None:
    return _count(config.get(FIELDS[field])) or usual(field, config)


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value > 0 else None
