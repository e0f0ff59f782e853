"""Trials over two GPUs: sharded training, continuing over another number of GPUs, and tensor
parallel engines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.gpu.conftest import finished, has_vllm, killed_after_a_save, task_of
from tests.support.stored_engine import responses
from zoo.store import record
from zoo.trials.trial import Trial


def test_trial_over_two_gpus_trains_and_is_evaluated(
    trial: Trial, tmp_path: Path, two_gpus: list[str]
) -> None:
    task = task_of(trial, tmp_path, two_gpus)
    assert task.processes == 2
    rows = finished(task)
    assert any(rows[round_]["train/grad_norm"] > 0 for round_ in rows if round_)
    assert (task.folder / "log.1.txt").exists()
    found = record.read(task.folder)
    assert found is not None
    assert found.about["gpus"] == 2


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1), (2, 2)])
def test_trial_killed_on_gpus_continues_over_another_number_of_them(
    trial: Trial, tmp_path: Path, two_gpus: list[str], first: int, then: int
) -> None:
    killed_after_a_save(task_of(trial, tmp_path, two_gpus[:first]))
    task = task_of(trial, tmp_path, two_gpus[:then])
    finished(task)
    found = record.read(task.folder)
    assert found is not None
    assert found.about["resumed_from"] >= 1


@pytest.mark.skipif(not has_vllm(), reason="tensor parallelism is vLLM's, which is not installed")
def test_engine_over_two_gpus_answers_greedily_as_one_over_one(
    tmp_path: Path, two_gpus: list[str]
) -> None:
    env = os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(two_gpus)}
    one, two = (responses(tmp_path, width, env) for width in (1, 2))
    assert two[0] == one[0]
    assert two[1] == two[2] != two[3]
