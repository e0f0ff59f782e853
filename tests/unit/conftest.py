"""A small manifest to change (`write(key=text, ...)` replaces or adds top-level keys), a hub of our
own, an empty Hugging Face cache and an empty run store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.hub_mirror import Mirror, serving

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


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without cards, runs, cache and token; returns it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def hub(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A mirror that `HF_ENDPOINT` and `ZOO_GIT_ENDPOINT` name."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)  # it would call home
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(empty_home / "no-token"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as mirror:
        monkeypatch.setenv("HF_ENDPOINT", mirror.url)
        monkeypatch.setenv("ZOO_GIT_ENDPOINT", f"{mirror.url}/raw")
        yield mirror
