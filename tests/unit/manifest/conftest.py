"""A small manifest to change: `write(key=text, ...)` replaces or adds top-level keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]

SMALL = {
    "schema": "experiment/1",
    "name": "small",
    "question": "Does it expand?",
    "recipe": "pocket",
    "grid": "{model: pocket-llama, reward: correctness, data: pocket-easy}",
    "rounds": "4",
    "evaluate": "{full: {benchmarks: [pocket-easy], at: [0, last]}}",
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write `small.yaml` with some keys changed (None = left out); returns its path."""

    def write(**changes: str | None) -> Path:
        lines = [f"{k}: {v}" for k, v in (SMALL | changes).items() if v is not None]
        path = tmp_path / "small.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
