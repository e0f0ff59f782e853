"""Digests by content for planning: of problems (normalised texts) and of model folders (their
files, not their path).

Digests of files are remembered in the run store by size, mtime and inode, so a big folder is read
once. A model of the hub is identified by its pinned commit and is never read here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from zoo.catalog import BenchmarkCard, DataCard, ModelCard
from zoo.data import problems
from zoo.errors import Fault, InputError
from zoo.manifest.identity import UNPINNED
from zoo.pocket.problems import GENERATOR_VERSION

EMBEDDED = Path(problems.pocket.__file__).parent / "models"
MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")


def model_folder(card: ModelCard) -> Path:
    """The local folder of a model's weights.

    Raises:
        InputError: the folder is not there or holds no safetensors.
    """
    if card.repo:
        raise InputError(
            Fault(
                card.name, "weights on the hub", "a local folder", "download it and give its `path`"
            )
        )
    folder = EMBEDDED / card.embedded if card.embedded else Path(str(card.path))
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        expected = "a Hugging Face folder with config.json and *.safetensors (no pickled weights)"
        raise InputError(Fault(str(folder), f"no model '{card.name}' here", expected))
    return folder


class LocalResolver:
    """Implements `zoo.manifest.Resolver` from local files; `cache` is a file in the run store."""

    def __init__(self, cache: Path | None = None) -> None:
        self._cache_file = cache
        self._cache: dict[str, str] = _read(cache)
        self._fresh = False

    def model(self, card: ModelCard) -> str:
        """Digest of the folder's files by name and content; `unpinned` for a model of the hub."""
        if card.repo:
            return UNPINNED
        folder = model_folder(card)
        files = sorted({file for pattern in MODEL_FILES for file in folder.glob(pattern)})
        parts = [f"{file.name}:{self._file(file)}" for file in files if file.name != "README.md"]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def problems(self, card: DataCard | BenchmarkCard) -> str:
        """Digest of the card's normalised problems."""
        if card.pocket is not None:
            key = f"pocket/{GENERATOR_VERSION}/{card.pocket.model_dump_json()}"
        else:
            assert card.local is not None
            key = f"problems/{card.local.model_dump_json()}/{_stamp(Path(card.local.path))}"
        return self._remember(key, lambda: problems.digest(problems.load(card)))

    def save(self) -> None:
        """Write the cache if something was added. Planning does not call this: it leaves nothing
        behind.
        """
        if self._fresh and self._cache_file is not None:
            self._cache_file.parent.mkdir(parents=True, exist_ok=True)
            beside = self._cache_file.with_suffix(f".{os.getpid()}.tmp")
            beside.write_text(json.dumps(self._cache), encoding="utf-8")
            beside.replace(self._cache_file)
            self._fresh = False

    def _file(self, file: Path) -> str:
        return self._remember(f"file/{file}/{_stamp(file)}", lambda: _sha256(file))

    def _remember(self, key: str, make: Callable[[], str]) -> str:
        key = hashlib.sha256(key.encode()).hexdigest()[:24]
        if key not in self._cache:
            self._cache[key] = make()
            self._fresh = True
        return self._cache[key]


def _read(cache: Path | None) -> dict[str, str]:
    """The cache as it was left; a lost or broken one only costs the reading of files."""
    try:
        return json.loads(cache.read_text(encoding="utf-8")) if cache else {}
    except (OSError, ValueError):
        return {}


def _stamp(file: Path) -> str:
    status = file.stat()
    return json.dumps([status.st_size, status.st_mtime_ns, status.st_ino])


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
