"""The model cards say what the study says, and their numbers hang together."""

from __future__ import annotations

import pytest

from zoo.catalog import Catalog, DataCard, ModelCard, PromptCard, RewardCard

CATALOG = Catalog()
CARDS = {name: CATALOG.get(ModelCard, name) for name in CATALOG.names(ModelCard)}
POCKET = {name for name in CARDS if name.startswith("pocket-")}
PROMPT_TOKENS = 1024  # the study's room for a prompt (train_grpo_math_tune_ray.sh:L25)
QWEN_7B = (151645, 151643, 872, 77091, 1474, 71703, 151644, 8948)
DATA = {  # cards of training sets that checkpoints name
    f"simplerl-{level}" for level in ("easy", "medium", "hard")
}

# Typed from the study: arXiv:2503.18892 B.3 and B.5, vllm_rollout.py:L122-142, issue #70.
STUDY = {
    "mistral-7b": (
        "mistralai/Mistral-7B-v0.1",
        *("simple", (22478, 24994, 26307, 9977, 933, 2820), 8192, 1e-4),
    ),
    "llama-3.1-8b": ("meta-llama/Llama-3.1-8B", "simple", (14924, 16533), 8192, 1e-4),
    "deepseek-math-7b": (
        "deepseek-ai/deepseek-math-7b-base",
        *("boxed", (3631, 81038, 5726, 77398, 6713), 3072, 1e-4),
    ),
    "mistral-small-24b": (
        "mistralai/Mistral-Small-24B-Base-2501",
        *("boxed", (23836, 19464, 3263, 18993), 8192, 1e-3),
    ),
    "qwen2.5-0.5b": ("Qwen/Qwen2.5-0.5B", "simple", (14582, 16141, 31198), 8192, 1e-4),
    "qwen2.5-1.5b": ("Qwen/Qwen2.5-1.5B", "simple", (14582, 16141, 31198), 8192, 1e-4),
    "qwen2.5-7b": ("Qwen/Qwen2.5-7B", "boxed", QWEN_7B, 8192, 1e-4),
    "qwen2.5-14b": ("Qwen/Qwen2.5-14B", "boxed", (), 8192, 1e-4),
    "qwen2.5-32b": ("Qwen/Qwen2.5-32B", "boxed", (), 8192, 1e-3),
    "qwen2.5-math-7b": ("Qwen/Qwen2.5-Math-7B", "boxed", (*QWEN_7B, 73594), 3072, 1e-4),
}

# Mean tokens at step 0 and over steps 0 to 100 of Figure 1, read off the image.
LENGTHS = {
    "mistral-7b": (490, 4145),
    "llama-3.1-8b": (410, 1395),
    "deepseek-math-7b": (310, 793),
    "mistral-small-24b": (580, 3516),
    "qwen2.5-0.5b": (400, 734),
    "qwen2.5-1.5b": (380, 852),
    "qwen2.5-7b": (720, 830),
    "qwen2.5-32b": (450, 706),
}

# README:L90-99 of the study; the round whose average in Figure 1 is Table 1's, where it shows one.
RELEASED = {
    "mistral-7b": ("Mistral-7B-v0.1", "easy", 100),
    "llama-3.1-8b": ("Llama-3.1-8B", "easy", 100),
    "deepseek-math-7b": ("DeepSeek-Math-7B", "easy", 75),
    "mistral-small-24b": ("Mistral-Small-24B", "hard", 115),
    "qwen2.5-0.5b": ("Qwen-2.5-0.5B", "medium", 90),
    "qwen2.5-1.5b": ("Qwen-2.5-1.5B", "hard", 75),
    "qwen2.5-7b": ("Qwen-2.5-7B", "hard", 90),
    "qwen2.5-14b": ("Qwen-2.5-14B", "hard", 100),
    "qwen2.5-32b": ("Qwen-2.5-32B", "hard", 115),
    "qwen2.5-math-7b": ("Qwen-2.5-Math-7B", "hard", 100),
}

# KiB of keys and values a token, computed apart from the cards (2 x 2 bytes x layers x kv x head).
KV_KIB = {
    "qwen2.5-0.5b": 12,
    "qwen2.5-1.5b": 28,
    "qwen2.5-7b": 56,
    "qwen2.5-14b": 192,
    "qwen2.5-32b": 256,
    "llama-3.2-1b": 32,
    "llama-3.1-8b": 128,
    "mistral-7b": 128,
    "mistral-small-24b": 160,
    "deepseek-math-7b": 480,
}


def parameters(card: ModelCard) -> int:
    """Parameters of a gated feed-forward decoder of the card's geometry, without norms and
    biases."""
    g = card.geometry
    assert g is not None
    attention = g.hidden * g.head_dim * (2 * g.heads + 2 * g.kv_heads)
    layer = attention + 3 * g.hidden * g.ffn
    return g.layers * layer + g.vocab * g.hidden * (1 if g.tied else 2)


@pytest.mark.parametrize("name", STUDY)
def test_a_model_of_the_study_has_the_studys_numbers(name: str) -> None:
    card = CARDS[name]
    assert (card.repo, card.prompt, card.stop_ids, card.cap, card.beta) == STUDY[name]


@pytest.mark.parametrize("name", LENGTHS)
def test_a_model_in_figure_1_has_its_lengths(name: str) -> None:
    length = CARDS[name].response
    assert length is not None
    assert (length.base, length.trained) == LENGTHS[name]
    assert CARDS[name].origin["response"].startswith("measured")


def test_lengths_that_figure_1_does_not_show_are_said_to_be_ours() -> None:
    for name in STUDY.keys() - LENGTHS.keys():
        assert CARDS[name].origin["response"].startswith("choice")


@pytest.mark.parametrize("base", RELEASED)
def test_a_published_checkpoint_differs_from_its_base_in_weights_alone(base: str) -> None:
    card, start = CARDS[f"simplerl-{base}"], CARDS[base]
    hub, level, rounds = RELEASED[base]
    assert card.repo == f"hkust-nlp/{hub}-SimpleRL-Zoo"
    assert card.base == base
    assert card.trained is not None
    assert (card.trained.data, card.trained.rounds) == (f"simplerl-{level}", rounds)
    for field in ("prompt", "stop_ids", "eos_ids", "cap", "geometry", "parameters", "context"):
        assert getattr(card, field) == getattr(start, field), field


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_model_says_where_every_value_came_from(name: str) -> None:
    card = CARDS[name]
    said = {"prompt", "stop_ids", "eos_ids", "cap", "beta", "context", "geometry", "response"}
    assert card.origin.keys() == said
    assert card.family
    assert card.license
    assert card.traps or name in POCKET


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_models_geometry_adds_up_to_its_parameters(name: str) -> None:
    card = CARDS[name]
    assert parameters(card) == pytest.approx(card.parameters, rel=0.03)


@pytest.mark.parametrize("name", KV_KIB)
def test_a_models_geometry_gives_its_keys_and_values(name: str) -> None:
    geometry = CARDS[name].geometry
    assert geometry is not None
    assert geometry.kv_bytes_per_token == KV_KIB[name] * 1024


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_response_at_the_cap_fits_the_context_beside_its_prompt(name: str) -> None:
    card = CARDS[name]
    assert card.context is not None
    assert card.cap + PROMPT_TOKENS <= card.context
    assert card.response is not None
    assert max(card.response.base, card.response.trained) < card.cap


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_model_names_cards_that_exist(name: str) -> None:
    card = CARDS[name]
    assert card.prompt in CATALOG.names(PromptCard)
    assert card.stand_in in POCKET
    assert card.eos_ids
    if card.trained is not None:
        assert card.base in CARDS
        assert card.trained.reward in CATALOG.names(RewardCard)
        assert card.trained.data in DATA | set(CATALOG.names(DataCard))


def test_stand_ins_are_spread_over_the_pocket_models_by_family() -> None:
    families = {name: {c.family for c in CARDS.values() if c.stand_in == name} for name in POCKET}
    assert families["pocket-qwen2"] == {"qwen2"}
    assert families["pocket-mistral"] == {"mistral"}
    assert families["pocket-llama"] == {"llama", "deepseek", "olmo2", "smollm"}


def test_a_cheap_study_need_not_be_of_qwen_alone() -> None:
    small = [card for card in CARDS.values() if card.repo and card.parameters < 2e9]
    assert len({card.family for card in small}) >= 4


def test_no_hub_model_is_pinned_by_a_commit_that_nobody_resolved() -> None:
    assert not any(card.pinned for card in CARDS.values() if card.repo)
