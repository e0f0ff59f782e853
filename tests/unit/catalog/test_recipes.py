"""The recipe cards state everything, and differ from each other where they say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.catalog import Catalog, ModelCard, RecipeCard
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trlspec import validation

CATALOG = Catalog()
CARDS = {name: CATALOG.get(RecipeCard, name) for name in CATALOG.names(RecipeCard)}
DRIFT_ONLY = {  # no correction, but engine and trainer are compared every round
    "vllm_importance_sampling_correction": True,
    "vllm_importance_sampling_mode": "token_truncate",
    "vllm_importance_sampling_clip_max": 1.0,
    "vllm_importance_sampling_clip_min": 0.999999,  # TRL wants it below the other
}


def differences(one: str, other: str) -> set[str]:
    """Dotted names of what two recipes say differently."""
    sides: list[dict[str, Any]] = []
    for card in (CARDS[one], CARDS[other]):
        batch = {f"batch.{k}": v for k, v in card.batch.model_dump().items()}
        sides.append({f"grpo.{k}": v for k, v in card.grpo.items()} | batch)
    return {key for key in sides[0] if sides[0][key] != sides[1][key]}


@pytest.mark.parametrize("name", CARDS)
def test_a_recipe_states_the_same_settings_as_every_other(name: str) -> None:
    assert CARDS[name].grpo.keys() == CARDS["simplerl-zoo"].grpo.keys()


@pytest.mark.parametrize("name", CARDS)
def test_a_recipe_states_every_setting_that_bears_on_results(name: str) -> None:
    assert set(validation.defaults()) <= CARDS[name].grpo.keys()


@pytest.mark.parametrize("name", CARDS)
def test_a_manifest_can_be_planned_with_every_recipe(name: str, tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(
        f"schema: experiment/1\nname: small\nquestion: Does it plan?\nrecipe: {name}\nrounds: 2\n"
        "grid: {model: pocket-llama, reward: correctness, data: pocket-easy}\n"
    )
    (trial,) = expand(load(path), CATALOG)
    assert trial.grpo.keys() == CARDS[name].grpo.keys()


@pytest.mark.parametrize("name", CARDS)
def test_a_recipe_says_where_it_is_from(name: str) -> None:
    assert CARDS[name].source


@pytest.mark.parametrize("name", CARDS)
def test_a_loss_that_depends_on_the_micro_batch_pins_it(name: str) -> None:
    card = CARDS[name]
    by_pass = card.grpo["entropy_coef"] != 0 and card.entropy_mean == "micro_batch"
    depends = card.grpo["loss_type"] == "bnpo" or by_pass
    assert (card.batch.micro_batch is not None) == depends


@pytest.mark.parametrize("name", CARDS)
def test_a_recipe_corrects_by_token_and_drops_no_response(name: str) -> None:
    """TRL's default, `sequence_mask`, drops whole responses, long ones first."""
    assert CARDS[name].grpo["vllm_importance_sampling_mode"] == "token_truncate"


def test_the_studys_recipe_has_the_studys_numbers() -> None:
    """arXiv:2503.18892 B.5 and train_grpo_math_tune_ray.sh."""
    card = CARDS["simplerl-zoo"]
    assert (card.batch.prompts, card.batch.num_generations, card.batch.updates) == (1024, 8, 4)
    assert card.batch.completions == 8192
    assert (card.batch.micro_batch, card.entropy_mean) == (None, "update")
    wanted = {
        "learning_rate": 5e-7,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "optim": "adamw_torch",
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "temperature": 1.0,
        "top_p": 1.0,
        "beta": "from-card",
        "max_completion_length": "from-card",
        "epsilon": 0.2,
        "epsilon_high": None,
        "entropy_coef": 0.001,
        "loss_type": "dapo",
        "scale_rewards": "group",
        "mask_truncated_completions": False,
        "num_iterations": 1,
        "use_bias_correction_kl": False,
        "bf16": True,
        **DRIFT_ONLY,
    }
    assert {name: card.grpo[name] for name in wanted} == wanted


def test_the_recipe_as_run_differs_in_the_loss_and_its_forward_passes() -> None:
    found = differences("simplerl-zoo", "simplerl-zoo-as-run")
    assert found == {"grpo.loss_type", "batch.micro_batch"}
    as_run = CARDS["simplerl-zoo-as-run"]
    assert (as_run.batch.micro_batch, as_run.entropy_mean) == (2, "micro_batch")
    assert CARDS["simplerl-zoo-as-run"].grpo["loss_type"] == "bnpo"


def test_the_small_recipe_says_that_it_is_not_the_studys() -> None:
    assert "NOT the study's" in CARDS["simplerl-zoo-small"].about
    assert differences("simplerl-zoo", "simplerl-zoo-small") == {
        "batch.prompts",
        *("grpo.learning_rate", "grpo.max_completion_length"),
    }


@pytest.mark.parametrize("name", CATALOG.names(ModelCard))
def test_the_small_recipes_cap_fits_every_hub_model(name: str) -> None:
    card = CATALOG.get(ModelCard, name)
    cap = CARDS["simplerl-zoo-small"].grpo["max_completion_length"]
    assert card.repo is None or cap <= card.cap


def test_dr_grpo_divides_by_neither_length_nor_std() -> None:
    """sail-sg/understand-r1-zero README."""
    card = CARDS["dr-grpo"]
    wanted = {"loss_type": "dr_grpo", "scale_rewards": "none", "beta": 0.0, **DRIFT_ONLY}
    assert {name: card.grpo[name] for name in wanted} == wanted
    assert (card.batch.prompts, card.batch.per_update) == (128, 128)


def test_dapo_clips_higher_and_says_what_trl_cannot() -> None:
    """arXiv:2503.14476 section 4.1; volcengine/verl run_dapo_qwen2.5_32b.sh."""
    card = CARDS["dapo"]
    wanted = {
        "epsilon": 0.2,
        "epsilon_high": 0.28,
        "beta": 0.0,
        "loss_type": "dapo",
        "mask_truncated_completions": True,
        "entropy_coef": 0.0,
        "learning_rate": 1e-6,
        "weight_decay": 0.1,
        **DRIFT_ONLY,
    }
    assert {name: card.grpo[name] for name in wanted} == wanted
    assert (card.batch.prompts, card.batch.num_generations, card.batch.updates) == (512, 16, 16)
    assert "no dynamic sampling" in card.about


def test_cuts_at_a_probability_never_meet_the_correction() -> None:
    """top_p or top_k with an importance correction bias it (huggingface/trl#6789)."""
    for card in CARDS.values():
        assert (card.grpo["top_p"], card.grpo["top_k"], card.grpo["min_p"]) == (1.0, 0, None)
