"""What ships as the pocket zoo: three architectures, small, safe, and different."""

import json
import struct

import pytest

from zoo.catalog import Catalog, ModelCard
from zoo.data.resolve import EMBEDDED

NAMES = ("pocket-qwen2", "pocket-llama", "pocket-mistral")


def parameters(name: str) -> int:
    """Number of parameters by the header of the weights' file."""
    with (EMBEDDED / name / "model.safetensors").open("rb") as stream:
        header = json.loads(stream.read(struct.unpack("<Q", stream.read(8))[0]))
    header.pop("__metadata__", None)
    assert {tensor["dtype"] for tensor in header.values()} == {"F32"}
    total = 0
    for tensor in header.values():
        size = 1
        for length in tensor["shape"]:
            size *= length
        total += size
    return total


def test_they_hold_at_most_two_million_parameters_together() -> None:
    assert sum(map(parameters, NAMES)) <= 2_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_the_weights_hold(name: str) -> None:
    card = Catalog().get(ModelCard, name)
    config = json.loads((EMBEDDED / name / "config.json").read_text())
    assert card.parameters == parameters(name)
    assert config["model_type"] == card.family
    assert config["max_position_embeddings"] >= 2048


def test_nothing_in_the_folders_is_pickled() -> None:
    suffixes = {file.suffix for file in EMBEDDED.rglob("*") if file.is_file()}
    assert suffixes <= {".safetensors", ".json", ".md"}


def test_they_share_one_tokenizer_and_differ_in_their_weights() -> None:
    tokenizers = {(EMBEDDED / name / "tokenizer.json").read_bytes() for name in NAMES}
    weights = {(EMBEDDED / name / "model.safetensors").read_bytes() for name in NAMES}
    assert len(tokenizers) == 1
    assert len(weights) == 3
