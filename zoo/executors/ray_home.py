"""Where the files of a Ray lie that zoo starts: a folder whose path leaves room for its sockets."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from zoo.errors import StateError

SOCKET_BYTES = 107  # the longest path of a Unix socket
LONGEST_SOCKET = "/session_2026-01-31_23-59-59_999999_4194304/sockets/plasma_store"


def is_home(folder: Path) -> bool:
    """Whether a folder is that of a Ray which zoo started."""
    return re.fullmatch(r"zoo-[0-9a-f]{8}", folder.name) is not None


def make_home() -> Path:
    """A new folder for the files of one Ray: in Ray's or the system's folder for temporary files,
    or in a common one where that path is too long for the sockets that Ray creates in it.

    Raises:
        StateError: no writable folder has a path that is short enough.
    """
    bases = [os.environ.get("RAY_TMPDIR"), tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]
    for base in filter(None, bases):
        name = Path(base).resolve() / f"zoo-{secrets.token_hex(4)}"
        if len(os.fsencode(name)) > SOCKET_BYTES - len(LONGEST_SOCKET):
            continue
        with suppress(OSError):
            name.mkdir(mode=0o700)
            return name
    most = SOCKET_BYTES - len(LONGEST_SOCKET) - len("/zoo-01234567")
    raise StateError(
        f"Ray needs a folder that can be written, with a path of at most {most} bytes, for its "
        f"sockets; there is none among {', '.join(filter(None, bases))}; set RAY_TMPDIR, or use "
        "`--executor local`"
    )
