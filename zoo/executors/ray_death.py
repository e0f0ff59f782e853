"""Whether the Ray that zoo started is still there, and how a driver leaves one that is not."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any


def alive(ray: Any) -> bool:
    """Whether Ray's own servers are there: Tune waits for ever when they are not. There is no
    public way to ask."""
    node = ray._private.worker._global_node
    return ray.is_initialized() and node is not None and not node.dead_processes()


def abandon() -> None:
    """Leave a Ray whose servers are gone. At the exit of this process its handlers would call them
    for 10 s, and its native threads crash: the process ends without them, with status 1."""
    atexit.register(_leave)


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
