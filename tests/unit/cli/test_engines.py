"""Which engine a plan and a sweep take where vLLM is not installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.catalog import Catalog
from zoo.planning.machine import profile_of
from zoo.store import stack

TRAINED = ("--set", "trainer=trl", "--set", "grid.model=pocket-llama")


@pytest.fixture
def no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where vLLM is not installed."""

    def installed(name: str) -> str:
        if name.startswith("vllm"):
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(stack, "version", installed)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_sweep_that_needs_vllm_where_it_is_not_installed_is_refused(
    folder: Path, no_vllm: None
) -> None:
    told = zoo("sweep", "tiny", "--on", "laptop", *TRAINED)
    assert told.status == 2
    assert "--on laptop: vLLM is not installed" in told.error
    assert "`--on cpu-transformers`" in told.error


def test_simulated_sweep_needs_no_vllm(folder: Path, no_vllm: None) -> None:
    assert zoo("sweep", "tiny", "--on", "laptop", "--bare").status == 0


def test_machine_without_vllm_takes_the_other_engine(no_vllm: None) -> None:
    assert profile_of(Catalog(), None, None).engine == "transformers"


def test_plan_says_that_transformers_generates_and_how_much_at_a_time(folder: Path) -> None:
    told = zoo("plan", "tiny", "--on", "cpu-transformers", *TRAINED)
    assert "transformers generates 128 at a time; fits" in told.prose
    assert "generates" not in zoo("plan", "tiny", "--on", "laptop", *TRAINED).prose
