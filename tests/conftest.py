"""Tiers by folder: what lies in tests/stack is marked `stack`, and so on for faults, gpu and bench.

GPU tests skip themselves where there is no GPU; benchmarks run only under `--bench`.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TIERS = ("stack", "faults", "gpu", "bench")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bench", action="store_true", help="run the measurements in tests/bench")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        if tier in TIERS:
            item.add_marker(tier)
        if tier == "gpu" and not has_gpu():
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU here"))
        if tier == "bench" and not config.getoption("--bench"):
            item.add_marker(pytest.mark.skip(reason="a measurement; `make bench` runs it"))


@cache
def has_gpu() -> bool:
    """Whether nvidia-smi finds a GPU."""
    if shutil.which("nvidia-smi") is None:
        return False
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0
