"""What is less at a time, and what a user is advised."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.trials import manifest, trials_of
from zoo.catalog import Catalog, ComputeProfile
from zoo.resources import geometry, place
from zoo.resources.memory_advice import advice, fixed, smaller
from zoo.trials.trial import Trial


@pytest.fixture
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trials_of(manifest(tmp_path_factory.mktemp("m")))[0]


def profile(name: str, **update: Any) -> ComputeProfile:
    return Catalog().get(ComputeProfile, name).model_copy(update=update)


def test_smaller_profile_keeps_the_effective_batch_and_the_geometry(trial: Trial) -> None:
    before = profile("laptop")
    after = smaller(trial, before)
    assert after is not None
    one, other = place(trial, before), place(trial, after)
    assert other.micro_batch * 2 == one.micro_batch
    assert other.accumulation == one.accumulation * 2
    assert geometry(trial, before) == geometry(trial, after)


def test_smaller_profile_halves_what_transformers_generates_at_a_time(trial: Trial) -> None:
    batch = trial.batch.model_copy(update={"micro_batch": 1})
    pinned = trial.model_copy(update={"batch": batch})
    after = smaller(pinned, profile("cpu-transformers", generation_batch=8))
    assert after is not None
    assert (after.micro_batch, after.generation_batch) == (
        profile("cpu-transformers").micro_batch,
        4,
    )
    assert smaller(pinned, profile("laptop")) is None


def test_micro_batch_on_which_the_loss_depends_is_fixed(trial: Trial) -> None:
    bnpo = trial.model_copy(update={"grpo": trial.grpo | {"loss_type": "bnpo"}})
    assert fixed(bnpo, profile("laptop")) == "its loss depends on the micro-batch"
    assert smaller(bnpo, profile("laptop")) is None
    assert not fixed(trial, profile("laptop"))


def test_advice_on_a_gpu_names_sleep_mode_the_engines_share_and_a_wider_trial(
    trial: Trial,
) -> None:
    found = advice(trial, profile("h100x8", vllm_enable_sleep_mode=False), (16, 8))
    assert "(before that: 16, 8); planned: " in found
    assert "GiB usable; use " in found
    assert "`vllm_enable_sleep_mode: true`, less `vllm_gpu_memory_utilization` (0." in found
    assert found.endswith("or `gpus_per_trial: 2` in the profile")
