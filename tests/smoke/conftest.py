"""The one line that a smoke run ends with."""

from __future__ import annotations

import pytest

LINE = pytest.StashKey[str]()


def pytest_unconfigure(config: pytest.Config) -> None:
    if line := config.stash.get(LINE, ""):
        print(line)
