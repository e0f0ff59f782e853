"""Paths of fetched files: models and data sets of the hub in the Hugging Face cache, single files
of git repositories in the cache folder of the run store.

Downloads nothing and does not import huggingface_hub, so planning can use it. The cache's layout is
huggingface_hub's: `models--ORG--NAME/snapshots/COMMIT/`, and in `refs/main` the commit that was the
newest at the last request.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from zoo.catalog import GitSource, HubSource
from zoo.errors import InputError

Kind = Literal["models", "datasets"]


class NotFetched(InputError):
    """Something of the hub or of a git repository that is not on this machine yet."""


def hub_cache(env: Mapping[str, str] = os.environ) -> Path:
    """The Hugging Face cache, by huggingface_hub's own rules (constants.py)."""
    xdg = env.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    home = env.get("HF_HOME") or os.path.join(xdg, "huggingface")
    found = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expandvars(os.path.expanduser(found or os.path.join(home, "hub"))))


def made_models(env: Mapping[str, str] = os.environ) -> Path:
    """Folder of the models that zoo created on this machine."""
    xdg = env.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return Path(os.path.expandvars(os.path.expanduser(os.path.join(xdg, "zoo", "models"))))


def repo_folder(kind: Kind, repo: str) -> Path:
    """The cache's folder of a repository, there or not."""
    return hub_cache() / "--".join([kind, *repo.split("/")])


def snapshot(kind: Kind, repo: str, revision: str | None) -> Path | None:
    """The folder of a repository's files at a commit, or None where nothing of it was fetched.

    `revision` None = the newest at the time of fetching.
    """
    folder = repo_folder(kind, repo)
    if revision is None:
        try:
            revision = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
        except OSError:
            return None
    found = folder / "snapshots" / revision
    return found if found.is_dir() else None


def hub_files(source: HubSource) -> list[Path] | None:
    """The files of a data set, or None where one of them was not fetched."""
    folder = snapshot("datasets", source.repo, source.revision)
    files = [folder / name for name in source.files] if folder else []
    return files if files and all(file.is_file() for file in files) else None


def git_file(source: GitSource, cache: Path) -> Path:
    """Path of a cached file of a git repository, existing or not: its content hash and suffix."""
    return cache / "files" / f"{source.sha256}{Path(source.path).suffix}"
