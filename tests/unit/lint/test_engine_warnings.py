"""What a plan says where transformers generates: settings without effect, numbers nobody logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.study_cards import manifest
from zoo.catalog import Catalog, ComputeProfile
from zoo.lint.engine_warnings import engine_warnings
from zoo.lint.plan_warning import PlanWarning

LAPTOP, OWN = (Catalog().get(ComputeProfile, n) for n in ("laptop", "cpu-transformers"))
GAP = "train/sampling/sampling_logp_difference/mean"
WIRE = {"metric": GAP, "above": 0.1, "for": 1, "then": "mark"}


def warned(folder: Path, profile: ComputeProfile, **said: Any) -> dict[str, PlanWarning]:
    made, trials = manifest(folder, grid={"model": ["pocket-llama"]}, **said)
    return {w.id: w for w in engine_warnings(made.experiment, trials, profile)}


def test_metric_that_vllm_alone_brings_is_warned_of(tmp_path: Path) -> None:
    found = warned(tmp_path, OWN, tripwires=[WIRE])["sampling-not-logged"]
    assert found.text == f"{GAP} is logged only where vLLM generates; take another metric"


def test_plan_with_vllm_is_not_warned_of_its_engine(tmp_path: Path) -> None:
    assert warned(tmp_path, LAPTOP, tripwires=[WIRE]) == {}


@pytest.mark.parametrize(
    ("mode", "low", "high", "warns"),
    [
        ("sequence_mask", None, 3.0, True),
        ("token_truncate", 0.0, 2.0, True),
        ("token_truncate", 0.999999, 1.0, False),  # the study's: no correction, but its numbers
    ],
)
def test_correction_that_would_act_with_vllm_is_warned_of(
    tmp_path: Path, mode: str, low: float | None, high: float, warns: bool
) -> None:
    said = {"mode": mode, "clip_min": low, "clip_max": high}
    grpo = {f"vllm_importance_sampling_{name}": value for name, value in said.items()}
    assert ("no-correction" in warned(tmp_path, OWN, grpo=grpo)) == warns


def test_hours_on_a_gpu_are_said_to_be_those_of_vllm(tmp_path: Path) -> None:
    card = OWN.model_copy(update={"device": "cuda", "gpus_per_trial": 1})
    assert "hours-of-vllm" in warned(tmp_path, card)
