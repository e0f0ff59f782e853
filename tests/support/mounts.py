"""Small and read-only filesystems, where this machine lets a test mount them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[Path]:
    """A filesystem in memory at `folder`, with these options of mount(8); skips the test where it
    is refused."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no mount: {error}")
    if done.returncode != 0:
        pytest.skip(f"mount is refused: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def may_unshare() -> None:
    """Skip the test where a process may not have mounts of its own."""
    try:
        done = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    except OSError as error:
        pytest.skip(f"no unshare: {error}")
    if done.returncode != 0:
        pytest.skip("unshare is refused")
