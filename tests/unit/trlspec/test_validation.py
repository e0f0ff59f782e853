"""What a manifest may say under `grpo:`, one setting at a time and all together."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.catalog import Batch, Catalog, RecipeCard
from zoo.trlspec import fields, validation

GROUPS = {
    "result-bearing": fields.RESULT_BEARING,
    "owned": fields.OWNED,
    "dangerous": fields.DANGEROUS,
    "neutral": fields.NEUTRAL,
    "idle": fields.IDLE,
}
BATCH = Batch(prompts=8, num_generations=4)
PINNED = Batch(prompts=8, num_generations=4, micro_batch=2)


def test_every_setting_of_trl_is_in_exactly_one_group() -> None:
    """A new TRL: put each new setting where it belongs; what bears on results goes into recipes."""
    found = {
        name: [group for group, names in GROUPS.items() if name in names]
        for name in validation.fields()
    }
    assert {name: groups for name, groups in found.items() if len(groups) != 1} == {}
    assert {name for names in GROUPS.values() for name in names} == set(validation.fields())


def test_limits_and_choices_are_of_settings_that_bear_on_results() -> None:
    limited = {*fields.RANGES, *fields.CHOICES, *fields.NOT_NULL, *fields.MEANT}
    assert limited <= fields.RESULT_BEARING
    numbers = {n for n in fields.RESULT_BEARING if {"int", "float"} & set(validation.types(n))}
    assert numbers == set(fields.RANGES)


def test_trls_own_defaults_may_be_said_and_go_together() -> None:
    assert set(validation.defaults()) == fields.RESULT_BEARING
    for name, value in validation.defaults().items():
        assert validation.check(name, value).found == "", name
    assert validation.check_together(validation.defaults(), BATCH) == []


@pytest.mark.parametrize("name", Catalog().names(RecipeCard))
def test_a_recipe_states_every_setting_that_bears_on_results(name: str) -> None:
    recipe = Catalog().get(RecipeCard, name)
    assert set(recipe.grpo) == fields.RESULT_BEARING
    checked = {key: validation.check(key, value) for key, value in recipe.grpo.items()}
    assert {key: found for key, found in checked.items() if found.found} == {}
    whole = {key: found.value for key, found in checked.items()}
    whole |= {"beta": 0.001, "max_completion_length": 64}
    assert validation.check_together(whole, recipe.batch) == []


@pytest.mark.parametrize(
    ("name", "value", "expected", "hint"),
    [
        ("temperature", 0, "a number above 0", ""),
        ("learning_rate", -1e-6, "a number above 0", ""),
        ("top_p", 1.5, "a number above 0 and at most 1", ""),
        ("top_k", -1, "a whole number of at least 0", ""),
        ("num_iterations", 2.0, "a whole number of at least 1", ""),
        ("adam_beta2", 1.0, "a number of at least 0 and below 1", ""),
        ("beta", True, "a number of at least 0", ""),
        ("bf16", "yes", "true or false", ""),
        ("bf16", None, "true or false", "null means true to TRL, unless fp16 is"),
        ("max_completion_length", None, "a whole number of at least 1", "never ends"),
        ("min_p", "off", "a number of at least 0 and at most 1 or null", ""),
        ("lr_scheduler_kwargs", "{}", "a mapping or null", ""),
        ("loss_type", "drgrpo", "one of dapo, grpo, bnpo,", "did you mean 'dr_grpo'?"),
        ("scale_rewards", None, "one of group, batch, none", "did you mean 'none'?"),
        ("scale_rewards", False, "one of group, batch, none", ""),
        ("lr_scheduler_type", "cosin", "one of constant,", "did you mean 'cosine'?"),
        ("optim", "adamw", "one of adamw_torch,", "did you mean 'adamw_torch'?"),
    ],
)
def test_a_value_that_cannot_be_says_what_can(
    name: str, value: Any, expected: str, hint: str
) -> None:
    found = validation.check(name, value)
    assert found.found.startswith(f"{name} is ")
    assert found.expected.startswith(expected)
    assert hint in found.hint
    assert not found.name_is_wrong


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_is_finite(value: float) -> None:
    assert validation.check("learning_rate", value).found
    assert validation.check("delta", value).found


def test_a_whole_number_is_a_number_and_no_more_than_that() -> None:
    assert validation.check("beta", 1) == (1.0, "", "", "", False)
    assert type(validation.check("beta", 1).value) is float
    assert type(validation.check("top_k", 5).value) is int


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bta", "did you mean 'beta'?"),
        ("warmup_ratio", "set warmup_steps"),
        ("max_prompt_length", "prompts are never cut"),
        ("xyzzy", "names are TRL's"),
        ("generation_kwargs", "a seed in it makes all completions of a group equal"),
        ("save_steps", "inside a generation buffer"),
        ("eval_strategy", "evaluate"),
        ("model_init_kwargs", "in float32"),
        ("num_generations", "use `batch:"),
        ("torch_compile", "placement belongs to the compute profile"),
        ("label_names", "TRL's GRPO does nothing with it"),
        ("vllm_importance_sampling_cap", "set that one"),
    ],
)
def test_a_name_that_is_not_for_a_manifest_says_why(name: str, hint: str) -> None:
    found = validation.check(name, None)
    assert found.name_is_wrong
    assert hint in found.hint


CLASHES: list[tuple[dict[str, Any], Batch, str, str]] = [
    ({"top_p": 0.9}, BATCH, "top_p", "other distributions"),
    ({"top_k": 50}, BATCH, "top_k", "other distributions"),
    ({"min_p": 0.1}, BATCH, "min_p", "other distributions"),
    ({"repetition_penalty": 1.1}, BATCH, "repetition_penalty", "other distributions"),
    ({"loss_type": "bnpo"}, BATCH, "loss_type", "micro_batch"),
    ({"top_entropy_quantile": 0.2}, BATCH, "top_entropy_quantile", "micro_batch"),
    ({"loss_type": "luspo"}, BATCH, "loss_type", "importance_sampling_level: sequence"),
    ({"loss_type": "vespo"}, BATCH, "loss_type", "token_truncate or token_mask"),
    ({"loss_type": "cispo"}, BATCH, "loss_type", "epsilon_high above 1"),
    ({"loss_type": "sapo", "delta": 4.0}, BATCH, "delta", "delta: null"),
    ({"epsilon_high": 0.1}, BATCH, "epsilon_high", "at least epsilon"),
    ({"delta": 1.1}, BATCH, "delta", "above 1 + epsilon_high (1.2)"),
    ({"vllm_importance_sampling_clip_min": 3.0}, BATCH,
     "vllm_importance_sampling_clip_max", "clip_max above clip_min"),
    ({"vllm_importance_sampling_mode": "token_truncate",
      "vllm_importance_sampling_clip_max": None}, BATCH,
     "vllm_importance_sampling_clip_max", "clip_max, clip_min or both"),
    ({"sync_ref_model": True}, BATCH, "sync_ref_model", "beta above 0"),
    ({"lr_scheduler_type": "constant", "warmup_steps": 5.0}, BATCH,
     "warmup_steps", "constant_with_warmup"),
    ({"fp16": True}, BATCH, "fp16", "one of them"),
    ({"optim": "galore_adamw"}, BATCH, "optim", "optim_target_modules"),
    ({"multi_objective_aggregation": "normalize_then_sum", "scale_rewards": "none"}, BATCH,
     "multi_objective_aggregation", "sum_then_normalize"),
    ({"use_adaptive_entropy": True, "entropy_coef_min": 2.0}, PINNED,
     "entropy_coef_min", "at most entropy_coef_max"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "batch", "name", "expected"), CLASHES)
def test_settings_that_do_not_go_together_are_refused(
    changes: dict[str, Any], batch: Batch, name: str, expected: str
) -> None:
    (clash,) = validation.check_together(validation.defaults() | changes, batch)
    assert clash.name == f"grpo.{name}"
    assert expected in clash.expected


@pytest.mark.parametrize(
    ("changes", "batch"),
    [
        ({"top_p": 0.9, "vllm_importance_sampling_correction": False}, BATCH),
        ({"loss_type": "bnpo", "entropy_coef": 0.001, "top_entropy_quantile": 0.2}, PINNED),
        ({"entropy_coef": 0.001}, BATCH),
        ({"use_adaptive_entropy": True}, BATCH),
        ({"loss_type": "luspo", "importance_sampling_level": "sequence"}, BATCH),
        ({"loss_type": "vespo", "vllm_importance_sampling_mode": "token_mask"}, BATCH),
        ({"loss_type": "cispo", "epsilon_high": 5.0}, BATCH),
        ({"epsilon_high": 0.28, "delta": 4.0}, BATCH),
        ({"sync_ref_model": True, "beta": 0.001}, BATCH),
        ({"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 5.0}, BATCH),
        # stop ids are end tokens to TRL too, so masking what was cut masks only that
        ({"mask_truncated_completions": True}, BATCH),
    ],
)
def test_what_goes_together_is_taken(changes: dict[str, Any], batch: Batch) -> None:
    assert validation.check_together(validation.defaults() | changes, batch) == []


@pytest.mark.parametrize("name", ["entropy_coef", "use_adaptive_entropy"])
def test_entropy_bonus_by_micro_batch_needs_one_that_is_pinned(name: str) -> None:
    grpo = validation.defaults() | {name: 0.01 if name == "entropy_coef" else True}
    (clash,) = validation.check_together(grpo, BATCH, "micro_batch")
    assert (clash.name, "micro_batch" in clash.expected) == (f"grpo.{name}", True)
    assert validation.check_together(grpo, PINNED, "micro_batch") == []


@pytest.mark.parametrize(
    ("kind", "warmup", "depends"),
    [
        ("constant", 0.0, False),
        ("constant_with_warmup", 10.0, False),
        ("constant_with_warmup", 0.1, True),
        ("linear", 0.0, True),
        ("cosine", 0.0, True),
    ],
)
def test_a_share_of_the_horizon_depends_on_the_horizon(
    kind: str, warmup: float, depends: bool
) -> None:
    settings = validation.defaults() | {"lr_scheduler_type": kind, "warmup_steps": warmup}
    assert validation.depends_on_horizon(settings) is depends
