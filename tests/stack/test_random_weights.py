"""A small architecture with random weights: drawn once, the same each time, loaded by anyone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.support import cli
from zoo.catalog import Catalog, ModelCard
from zoo.catalog.model_card import RandomWeights
from zoo.data import model_folder, places
from zoo.errors import InputError
from zoo.trainer.random_model import draw as draw_model

SIZE = 1024
CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "vocab_size": SIZE,
    "eos_token_id": 2,
    "tie_word_embeddings": True,
    "dtype": "bfloat16",
}
CARD = """\
schema: model/1
name: tiny-random-weights
random_weights: {{seed: {seed}, config: {config}}}
geometry:
  {{layers: 2, hidden: 64, heads: 2, kv_heads: 1, head_dim: 32, ffn: 96, vocab: 1024, tied: true}}
context: 256
prompt: none
cap: 64
eos_ids: [2]
"""


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def draw(seed: int = 0, **changes: Any) -> ModelCard:
    """A card in the working folder, with its weights fetched."""
    file = Path("cards/models/tiny-random-weights.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(CARD.format(seed=seed, config=str(CONFIG | changes).replace("True", "true")))
    told = cli.zoo("models", "fetch", "tiny-random-weights")
    assert told.status == 0, told
    assert "random weights of seed" in told.text
    return Catalog(Path("cards")).get(ModelCard, "tiny-random-weights")


def test_random_weights_are_drawn_once_and_follow_from_their_seed() -> None:
    folder = model_folder(draw())
    weights = folder / "model.safetensors"
    first, when = weights.read_bytes(), weights.stat().st_mtime_ns
    assert {file.suffix for file in folder.iterdir()} == {".json", ".safetensors"}
    assert model_folder(draw()) == folder
    assert weights.stat().st_mtime_ns == when
    other = model_folder(draw(seed=1))
    assert other != folder
    assert (other / "model.safetensors").read_bytes() != first
    for file in folder.iterdir():
        file.unlink()
    assert (model_folder(draw()) / "model.safetensors").read_bytes() == first


def test_random_weights_load_as_their_architecture_with_a_text_for_each_id() -> None:
    card = draw()
    folder = model_folder(card)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", use_safetensors=True)
    assert model.config.model_type == "llama"
    assert model.get_input_embeddings().weight.shape == (SIZE, 64)
    assert model.generation_config.eos_token_id == [2]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [tokenizer.decode([id_]) for id_ in range(SIZE)]
    assert len(set(texts)) == SIZE
    assert all(texts)
    assert tokenizer.eos_token_id == 2
    said = "Question:\nWhat is 3+4?\tAnswer: \\boxed{7}~"
    assert tokenizer.decode(tokenizer(said)["input_ids"]) == said
    checked = cli.zoo("models", "check", "tiny-random-weights")
    assert checked.status == 0, checked
    assert "config.json and card agree" in checked.text


def test_a_config_that_makes_no_model_is_refused() -> None:
    card = draw()
    wrong = RandomWeights(config=CONFIG | {"model_type": "lama"})
    with pytest.raises(InputError, match="`model_type` is 'lama'; did you mean 'llama'"):
        draw_model(card, wrong)
    assert [folder.name for folder in places.made_models().iterdir()] == [model_folder(card).name]
