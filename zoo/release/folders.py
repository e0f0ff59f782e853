"""New folders for others: written to a temporary folder and renamed, so that none is incomplete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import Fault, InputError


def must_be_free(target: Path) -> None:
    """Check that `target` can become a new folder.

    Raises:
        InputError: it is a file or a folder that is not empty.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(Fault(str(target), "there is a file of that name", "a new folder"))
    if target.is_dir() and any(target.iterdir()):
        raise InputError(Fault(str(target), "the folder is not empty", "a new or empty folder"))


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `target` at the end, or goes where something fails."""
    must_be_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    beside.mkdir()
    try:
        yield beside
        beside.replace(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
