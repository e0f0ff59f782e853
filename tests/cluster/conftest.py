"""These tests take minutes: `make cluster` runs them, other runs leave them out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and not os.environ.get("ZOO_CLUSTER"):
            item.add_marker(pytest.mark.skip(reason="`make cluster` runs it"))
