"""`zoo eval` of a model whose engine needs more GPUs than the machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import files
from tests.support.study_models import evaluations, model, profile
from zoo.catalog import Catalog, PromptCard
from zoo.errors import InputError
from zoo.evals.stages import Graders
from zoo.measuring.eval_command import Work
from zoo.planning.targets import Target, model_trial
from zoo.store.run_store import Store


def target(name: str) -> Target:
    """A model with the study's benchmarks, none of them sampled yet."""
    catalog = Catalog()
    prompt = catalog.get(PromptCard, "simple")
    made = model_trial(catalog, model(name), "digest", prompt, evaluations((0,)))
    return Target(made, 0, Path("weights"))


@pytest.mark.parametrize(("there", "refused"), [(1, True), (3, True), (4, False)])
def test_engine_wider_than_the_machine_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: int, refused: bool
) -> None:
    lines = "".join(f"echo 'GPU {i}: NVIDIA H100 (UUID: GPU-{i})'\n" for i in range(there))
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    work = Work(Store(tmp_path / "runs"), profile(64, gpus_per_trial=1), Graders())
    work.check_gpus([target("qwen2.5-7b")])  # one GPU, whatever its training needs
    if not refused:
        work.check_gpus([target("qwen2.5-32b")])
        return
    with pytest.raises(InputError, match=f"qwen2.5-32b needs 4 GPUs, this machine has {there}"):
        work.check_gpus([target("qwen2.5-32b")])
    assert not files(tmp_path / "runs")
