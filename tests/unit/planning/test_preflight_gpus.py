"""A trial that is trained and only lacks evaluations needs the GPUs of one engine, not those of its
training."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.support import study_models
from tests.support.study_models import trial
from zoo.errors import InputError
from zoo.planning import preflight
from zoo.runs.sweep_status import TrialState, TrialStatus

profile = partial(study_models.profile, gpus_per_trial=1)


def left(name: str, state: TrialState) -> list[TrialStatus]:
    return [TrialStatus(trial(name), state, "")]


def gpus(folder: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Pretend that nvidia-smi lists so many GPUs."""
    tool = folder / "nvidia-smi"
    lines = "".join(f"echo 'GPU {i}: NVIDIA H100 (UUID: GPU-{i})'\n" for i in range(count))
    tool.write_text(f"#!/bin/sh\n{lines}")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_trial_that_only_lacks_evaluations_needs_no_room_for_its_training() -> None:
    one = profile(1)
    preflight.must_have_room(left("qwen2.5-14b", "unmeasured"), one, {})
    with pytest.raises(InputError, match=r"model qwen2\.5-14b: "):
        preflight.must_have_room(left("qwen2.5-14b", "new"), one, {})
    with pytest.raises(InputError, match=r"model qwen2\.5-32b: "):  # 61 GiB of weights and a cache
        preflight.must_have_room(left("qwen2.5-32b", "unmeasured"), one, {})


@pytest.mark.parametrize(("state", "needs"), [("new", 8), ("unmeasured", 2)])
def test_machine_needs_the_gpus_of_an_engine_where_only_evaluations_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: TrialState, needs: int
) -> None:
    found = left("qwen2.5-14b", state)
    why = f"a trial of qwen2.5-14b needs {needs} GPUs, this machine has {needs - 1}"
    for there, refused in ((needs, False), (needs - 1, True)):
        gpus(tmp_path, monkeypatch, there)
        told = [str(fault) for fault in preflight._machine(profile(8), "local", found, {})]
        assert any(why in text for text in told) is refused
