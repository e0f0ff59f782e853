"""Tiers by folder: what lies in tests/stack is marked `stack`, and so on for the others.

GPU tests skip themselves where there is no GPU. What lies in tests/bench is run by `make bench`.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TIERS = ("stack", "faults", "gpu", "smoke", "bench")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        if tier in TIERS:
            item.add_marker(tier)
        if tier == "gpu" and not has_gpu():
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU here"))


@cache
def has_gpu() -> bool:
    """Whether nvidia-smi finds a GPU."""
    if shutil.which("nvidia-smi") is None:
        return False
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0
