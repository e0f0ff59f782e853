"""The last lines of a log, which may be of any size and contain anything."""

from __future__ import annotations

import os
from pathlib import Path

TAIL_BYTES, TAIL_LINES = 16_384, 15


def log_tail(path: Path, lines: int = TAIL_LINES, start: int = 0) -> str:
    """The last lines of a log, of those after its first `start` bytes.

    Raises:
        OSError: the log cannot be read.
    """
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(start, end - TAIL_BYTES))
        text = stream.read().decode("utf-8", "replace")
    return "\n".join(text.replace("\r", "\n").splitlines()[-lines:])
