"""Fetched files are found by huggingface_hub's own rules, without importing it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.data.places import hub_cache, snapshot

ROOT = Path(__file__).parents[3]
VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"XDG_CACHE_HOME": "/x"},
        {"HF_HOME": "/h", "XDG_CACHE_HOME": "/x"},
        {"HF_HUB_CACHE": "/c", "HF_HOME": "/h"},
        {"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/h"},
        {"HF_HUB_CACHE": "/c", "HUGGINGFACE_HUB_CACHE": "/old"},
        {"HF_HOME": "~/h"},
        {"HF_HUB_CACHE": "$HOME/c"},
    ],
)
def test_the_cache_lies_where_huggingface_hub_puts_it(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    try:
        assert str(hub_cache()) == importlib.reload(constants).HF_HUB_CACHE
    finally:
        monkeypatch.undo()
        importlib.reload(constants)


def test_a_snapshot_is_found_by_commit_or_by_the_newest_that_was_fetched(
    empty_home: Path,
) -> None:
    assert snapshot("models", "org/name", "a" * 40) is None
    assert snapshot("models", "org/name", None) is None
    folder = empty_home / "hf/hub/models--org--name"
    (folder / "snapshots" / ("a" * 40)).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("a" * 40)
    assert snapshot("models", "org/name", None) == folder / "snapshots" / ("a" * 40)
    assert snapshot("models", "org/name", "a" * 40) == folder / "snapshots" / ("a" * 40)
    assert snapshot("models", "org/name", "b" * 40) is None
    assert snapshot("datasets", "org/name", None) is None


def test_looking_for_files_and_digests_imports_nothing_heavy() -> None:
    code = (
        "import sys, zoo.data, zoo.data.fetch, zoo.data.check, zoo.data.hub, zoo.data.git\n"
        "heavy = {'huggingface_hub', 'httpx', 'pyarrow', 'numpy', 'pandas', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
