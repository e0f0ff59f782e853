"""The lines that a smoke run ends with."""

from __future__ import annotations

import pytest

LINE = pytest.StashKey[list[str]]()


def pytest_unconfigure(config: pytest.Config) -> None:
    for line in config.stash.get(LINE, []):
        print(line)
