from __future__ import annotations

from pathlib import Path

import pytest

from zoo.catalog import Catalog
from zoo.errors import InputError
from zoo.planning.machine import count_gpus, profile_of, visible_gpus


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Pretend that nvidia-smi lists so many GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def pretend(count: int) -> None:
        lines = "".join(f"echo 'GPU {i}: NVIDIA H100 (UUID: GPU-{i})'\n" for i in range(count))
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{lines}" + ("" if count else "exit 9\n"))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return pretend


def test_without_a_gpu_the_laptop_profile_is_taken(gpus) -> None:
    gpus(0)
    assert profile_of(Catalog(), None, None).name == "laptop"


def test_with_gpus_as_many_trials_run_at_once_as_there_are_gpus(gpus) -> None:
    gpus(4)
    profile = profile_of(Catalog(), None, None)
    assert (profile.name, profile.device, profile.concurrency) == ("gpu", "cuda", 4)


def test_visible_devices_narrow_the_gpus(gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert count_gpus() == 2
    assert visible_gpus() == ["2", "3"]


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("", []),
        ("-1", []),
        ("1,7,2", ["1"]),
        ("GPU-aa, GPU-bb", ["GPU-aa", "GPU-bb"]),
        ("MIG-a,MIG-b,MIG-c,MIG-d,MIG-e", ["MIG-a", "MIG-b", "MIG-c", "MIG-d", "MIG-e"]),
    ],
)
def test_visible_devices_are_read_as_cuda_does(
    gpus, monkeypatch: pytest.MonkeyPatch, said: str, seen: list[str]
) -> None:
    gpus(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert visible_gpus() == seen


def test_visible_devices_of_a_profile_come_first(gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    profile = profile_of(Catalog(), "gpu", None)
    profile = profile.model_copy(update={"env": {"CUDA_VISIBLE_DEVICES": "2,3"}})
    assert visible_gpus(profile) == ["2", "3"]


def test_concurrency_and_profile_can_be_chosen(gpus) -> None:
    gpus(4)
    profile = profile_of(Catalog(), "laptop", 7)
    assert (profile.name, profile.concurrency) == ("laptop", 7)


def test_an_unknown_profile_gets_a_suggestion(gpus) -> None:
    gpus(0)
    with pytest.raises(InputError, match="did you mean 'laptop'"):
        profile_of(Catalog(), "labtop", None)
