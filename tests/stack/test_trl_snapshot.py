"""The committed snapshot of TRL's settings is that of the installed TRL."""

from __future__ import annotations

import dataclasses
import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.trials import manifest, trials_of
from zoo.catalog import Catalog, ComputeProfile, RecipeCard
from zoo.trainer.grpo_config import grpo_arguments
from zoo.trials.metrics import is_logged
from zoo.trlspec import fields as trl_table
from zoo.trlspec import validation

SNAPSHOT = json.loads(
    (Path(validation.__file__).parent / "trl_fields.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def fields() -> dict[str, dataclasses.Field[object]]:
    """Fields of the installed `GRPOConfig`."""
    from trl.trainer.grpo_config import GRPOConfig

    return {field.name: field for field in dataclasses.fields(GRPOConfig)}


def test_the_snapshot_is_of_the_installed_versions() -> None:
    assert SNAPSHOT["trl"] == version("trl")
    assert SNAPSHOT["transformers"] == version("transformers")


def test_the_snapshot_has_the_fields_of_grpo_config(
    fields: dict[str, dataclasses.Field[object]],
) -> None:
    assert set(SNAPSHOT["fields"]) == {name for name, field in fields.items() if field.init}


def test_the_snapshot_has_their_defaults(fields: dict[str, dataclasses.Field[object]]) -> None:
    moved: dict[str, tuple[object, object]] = {}
    for name, said in SNAPSHOT["fields"].items():
        field = fields[name]
        if field.default is not dataclasses.MISSING:
            default: object = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        else:
            continue
        default = getattr(default, "value", default)
        plain = isinstance(default, bool | int | float | str | type(None))
        if plain and said["default"] != default:
            moved[name] = (said["default"], default)
    assert moved == {}


def test_the_words_of_a_choice_are_those_of_the_installed_versions() -> None:
    from transformers.trainer_utils import SchedulerType
    from transformers.training_args import OptimizerNames

    choices = trl_table.CHOICES
    assert {kind.value for kind in SchedulerType} == {
        *choices["lr_scheduler_type"],
        *("reduce_lr_on_plateau", "greedy"),
    }
    left_out = {
        *("adamw_torch_xla", "adamw_torch_npu_fused", "lomo", "adalomo"),
        *("schedule_free_radam", "schedule_free_adamw", "schedule_free_sgd"),
        *("galore_adamw_layerwise", "galore_adamw_8bit_layerwise"),
        *("galore_adafactor_layerwise", "apollo_adamw_layerwise"),
    }
    assert {name.value for name in OptimizerNames} == {*choices["optim"], *left_out}


@pytest.mark.parametrize(
    "name",
    [
        *("loss_type", "scale_rewards", "importance_sampling_level"),
        *("multi_objective_aggregation", "vllm_importance_sampling_mode"),
    ],
)
def test_the_words_of_a_choice_are_those_that_the_trainer_asks_for(name: str) -> None:
    from trl.trainer import grpo_trainer

    source = Path(str(grpo_trainer.__file__)).read_text(encoding="utf-8")
    asked = re.findall(rf"self\.{name} (?:==|!=|in) (\[[^\]]*\]|\"[^\"]*\")", source)
    words = {word for text in asked for word in re.findall(r'"([^"]*)"', text)}
    assert words == set(trl_table.CHOICES[name])


@pytest.mark.parametrize("name", Catalog().names(RecipeCard))
def test_every_recipe_is_a_config_of_trl(tmp_path: Path, name: str) -> None:
    from trl import GRPOConfig

    (trial,) = trials_of(manifest(tmp_path, recipe=name, batch="{}"))
    laptop = Catalog().get(ComputeProfile, "laptop")
    config = GRPOConfig(**grpo_arguments(trial, laptop, tmp_path / "out", 2048))
    assert config.loss_type == trial.grpo["loss_type"]


def test_every_metric_that_trl_logs_can_have_a_tripwire() -> None:
    import trl

    text = (Path(trl.__file__).parent / "trainer/grpo_trainer.py").read_text(encoding="utf-8")
    names = re.findall(r'_metrics\[(?:mode|"train")\]\["([^"]+)"\]', text)
    assert len(names) > 20
    assert [n for n in names if not n.startswith("tools/") and not is_logged(f"train/{n}")] == []
