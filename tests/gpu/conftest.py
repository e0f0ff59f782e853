"""GPUs of this machine for tests, and trials on them: with vLLM where it is installed, else with
transformers."""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.trials import manifest, trials_of
from zoo.catalog import Catalog, ComputeProfile
from zoo.launching import launch, processes
from zoo.launching.task import Task
from zoo.planning.machine import visible_gpus
from zoo.store import journal, record
from zoo.store.stack import package_version
from zoo.trials.trial import Trial

ROUNDS = 3
GAP, GAP_LIMIT = "train/sampling/sampling_logp_difference/mean", 0.2


def has_vllm() -> bool:
    """Whether vLLM generates here."""
    return package_version("vllm") != "absent"


@pytest.fixture
def two_gpus() -> list[str]:
    """Two GPUs, or a skipped test."""
    found = visible_gpus()
    if len(found) < 2:
        pytest.skip(f"needs 2 GPUs, this machine has {len(found)}")
    return found[:2]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Rounds of 4 x 4 in two updates, with mixed precision."""
    evaluate = "{full: {benchmarks: [pocket-easy], problems: 8, at: [0, last]}}"
    batch = "{prompts: 4, num_generations: 4, updates: 2}"
    folder = tmp_path_factory.mktemp("manifest")
    (found,) = trials_of(manifest(folder, batch=batch, rounds=ROUNDS, evaluate=evaluate))
    return found.model_copy(update={"grpo": found.grpo | {"bf16": True}})


def task_of(trial: Trial, runs: Path, gpus: list[str], **settings: Any) -> Task:
    """A launch on these GPUs."""
    update: dict[str, Any] = {"gpus_per_trial": len(gpus), "micro_batch": 2, "save_every": 1}
    if not has_vllm():
        update |= {"engine": "transformers", "engine_dtype": "float32"}
        update |= {"vllm_enable_sleep_mode": False}
    profile = Catalog().get(ComputeProfile, "gpu").model_copy(update=update | settings)
    token = f"token-{uuid.uuid4().hex}"
    return Task(trial, profile, str(runs), token, devices=",".join(gpus), across_stacks=True)


def finished(task: Task) -> dict[int, dict[str, Any]]:
    """Run a trial to its end; the metrics of its rounds, which are as they must be."""
    ended = launch.run(task, lambda: None)
    log = (task.folder / "log.txt").read_text(errors="replace")[-3000:]
    assert ended.state == "done", f"{ended.message}\n{log}"
    assert processes.of_launch(task.token) == []
    found = record.read(task.folder)
    assert found is not None
    assert found.done(ROUNDS)
    rows = {row["round"]: row["metrics"] for row in journal.read(task.folder / "metrics.jsonl")}
    assert sorted(rows) == [*range(ROUNDS + 1)]
    for round_ in range(1, ROUNDS + 1):
        assert math.isfinite(rows[round_]["train/loss"])
        assert not has_vllm() or rows[round_][GAP] < GAP_LIMIT
    evaluations = journal.read(task.folder / "evals.jsonl")
    assert {row["round"] for row in evaluations} == {0, ROUNDS}
    return rows


def killed_after_a_save(task: Task) -> None:
    """Run until a checkpoint of round 1 is there, then kill every process."""

    def grace() -> float | None:
        saved = list(task.folder.glob("state/**/round-0001/manifest.json"))
        return 0.0 if saved else None

    assert launch.run(task, grace).state == "preempted"
    assert processes.of_launch(task.token) == []
