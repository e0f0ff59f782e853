"""Words of other trainers have an answer wherever a manifest or `--set` says them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.catalog import Batch, Catalog, RewardCard
from zoo.manifest.schema import Experiment
from zoo.trlspec import foreign, validation

LORA = "LoRA is `peft: {r, alpha, dropout, target_modules}`"


def test_no_answer_hides_a_setting_of_trl_or_a_key_of_a_manifest() -> None:
    assert not set(foreign.ANSWERS) & set(validation.fields())
    assert not set(foreign.ANSWERS) & {*Batch.model_fields, *Experiment.model_fields}


def test_answers_name_what_there_is() -> None:
    known = {f"grpo.{name}" for name in validation.defaults()} | {
        f"batch.{n}" for n in Batch.model_fields
    }
    for text in set(foreign.ANSWERS.values()):
        for name in re.findall(r"\b(?:grpo|batch)\.[a-z_]+", text):
            assert name in known, text
        if said := re.match(r"say ([a-z_]+)(?::|$)", text):
            assert said[1] in validation.defaults(), text
    assert {"correctness-overlong", "cosine"} <= {*Catalog().names(RewardCard)}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("grpo.lora.r", LORA),
        ("lora_alpha", LORA),
        ("algorithm.filter_groups.enable", "TRL has no dynamic sampling"),
        ("actor_rollout_ref.actor.kl_loss_coef", "set grpo.beta"),
        ("grpo.kl_loss_coef", "set beta"),
        ("actor_rollout_ref.rollout.n", "set `batch.num_generations`"),
        ("actor.optim.lr", "set grpo.learning_rate"),
        ("learning_rate", "set grpo.learning_rate"),
        ("prompts", "set batch.prompts"),
        ("num_train_epochs", "set `rounds`"),
        ("algorithm.adv_estimator", "zoo trains by GRPO alone"),
        ("colour", ""),
    ],
)
def test_a_word_is_known_by_the_last_parts_of_its_name(name: str, answer: str) -> None:
    assert foreign.answer(name)[: len(answer) or None] == answer


PLACES = {
    "grpo.dynamic_sampling=true": "TRL has no dynamic sampling",
    "grpo.lora.r=8": LORA,
    "lora.r=8": LORA,
    "grid.lora.r=[8, 16]": LORA,
    "overrides=[{when: {model: pocket-llama}, set: {lora.r: 8}}]": LORA,
    "grpo={peft_config: {r: 8}}": LORA,
    "batch.train_batch_size=64": "set `batch.prompts`",
    "epochs=3": "set `rounds`",
    "grid.beta=[0, 0.1]": "set grpo.beta",
    "actor_rollout_ref.actor.kl_loss_coef=0.1": "zoo takes TRL's names",
}


@pytest.mark.parametrize(("change", "answer"), PLACES.items())
def test_the_answer_stands_in_the_message_instead_of_a_list(
    folder: Path, change: str, answer: str
) -> None:
    told = zoo("plan", "tiny", "--set", change)
    assert told.status == 2
    assert answer in told.error
    assert "known here" not in told.error
    assert len(told.error) < 450


def test_an_unknown_axis_without_an_answer_is_told_without_all_of_trls_names(folder: Path) -> None:
    error = zoo("plan", "tiny", "--set", "grid.colour=[red]").error
    assert error.endswith("and grpo.NAME for a setting of TRL's")
