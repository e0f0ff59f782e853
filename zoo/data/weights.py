"""Check that the weights of a model folder are complete, by the index, the headers and the lengths
of its safetensors files.

No weight is read: a header is a few kilobytes, so planning can use it. A folder is hostile input.
"""

from __future__ import annotations

import json
from pathlib import Path

from zoo.errors import printable

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
MAX_HEADER_BYTES = 100_000_000  # safetensors' own bound
LFS_POINTER = b"version https://git-lfs"
POINTER = "is a git-lfs pointer, not the file itself (`git lfs pull`)"


def shards(folder: Path) -> list[str] | None:
    """Names of the weight files that loading reads: those in the index, else the single file. None
    where the index cannot be read or names anything but files in its folder.
    """
    index = folder / INDEX
    if not index.is_file():
        return [SINGLE]
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
        plain = all(name == Path(name).name and name.endswith(".safetensors") for name in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return sorted(names) if names and plain else None


def missing(folder: Path) -> list[str]:
    """Weight files that a folder lacks."""
    names = shards(folder)
    if names is None:
        return [f"a readable {INDEX} that names files in its folder"]
    return [printable(name) for name in names if not _is_file(folder / name)]


def broken(file: Path) -> str:
    """The fault of a safetensors file, by its header and its length; empty if valid."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(8)
            if start == LFS_POINTER[:8]:
                return POINTER
            length = int.from_bytes(start, "little")
            header = json.loads(stream.read(min(length, MAX_HEADER_BYTES))) if size else {}
        ends = [about["data_offsets"][1] for key, about in header.items() if key != "__metadata__"]
        whole = 8 + length + max(ends, default=0)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        return f"is not safetensors ({type(error).__name__})"
    if not size:
        return "is empty"
    return "" if size == whole else f"has {size:,} bytes, its header states {whole:,}"


def is_pointer(file: Path) -> bool:
    """Whether a file is a git-lfs pointer whose content was not downloaded."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(LFS_POINTER)) == LFS_POINTER
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
