"""Unusable paths: read-only or full disks, files where folders should be.

Turns the operating system's error into a message with the path and what to do, for every
command; an `OSError` of any other kind is a bug in zoo and keeps its traceback.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import Fault, InputError, StateError
from zoo.planning.study import SWEEPS_VARIABLE, Study, sweeps_root
from zoo.store.run_store import FULL, ROOT_VARIABLE, Store

UNUSABLE = {
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR),
    *(errno.ELOOP, errno.ENAMETOOLONG),
}


def describe(error: OSError) -> Fault | None:
    """The message for a path that is full or unusable; None where the error is of another
    kind. A failed write does not name its path."""
    if error.errno in FULL:
        place = _place(error) or "disk"
        return Fault(place, f"cannot be written ({error.strerror})", hint=_hint(place, "make room"))
    if error.errno == errno.ENOENT and not _has_working_folder():
        return Fault("working folder", "it is gone", "one that is there", "`cd` to it")
    place = _place(error)
    if error.errno not in UNUSABLE or not place:
        return None
    return Fault(place, f"cannot be used ({error.strerror})", hint=_hint(place, _way_out(error)))


def exit_code(error: OSError) -> int:
    """1 where a disk is full, 2 where the path is unusable from the start."""
    return 1 if error.errno in FULL else 2


def must_be_writable(study: Study) -> None:
    """Refuse to run where the run store or the sweep's folder cannot be written. Writes nothing.

    Raises:
        InputError: each unusable path, and why.
    """
    faults = []
    for folder in (study.store.root, study.folder):
        try:
            _look(folder)
        except OSError as error:
            if (fault := describe(error)) is None:
                raise
            faults.append(fault)
    if faults:
        raise InputError(faults)


@contextmanager
def started() -> Iterator[None]:
    """Inside this context an unusable path is not an input error any more: work has begun.

    Raises:
        StateError: a path became full or unusable.
    """
    try:
        yield
    except OSError as error:
        if (fault := describe(error)) is None:
            raise
        raise StateError(f"{fault}; what is done is kept") from error


def _look(folder: Path) -> None:
    """Raise what making and writing the folder would raise."""
    there = folder
    while True:
        try:
            there.stat()
            break
        except FileNotFoundError:
            there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        read_only = os.statvfs(there).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise OSError(number, os.strerror(number), str(there))


def _has_working_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _place(error: OSError) -> str:
    """The path of the error: the file that blocks a folder, or the folder of a temporary
    file."""
    name = error.filename2 or error.filename
    if not isinstance(name, (str, bytes, os.PathLike)):
        return ""
    path = Path(os.fsdecode(name))
    if error.errno == errno.ENOTDIR:
        path = next(p for p in (path, *path.parents) if os.path.lexists(p))
    return str(path.parent if path.suffix == ".tmp" else path)


def _way_out(error: OSError) -> str:
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "allow writing"
    return "choose a shorter path" if error.errno == errno.ENAMETOOLONG else "move it away"


def _hint(place: str, way_out: str) -> str:
    """What to do; with the environment variable that moves the path, if there is one."""
    for variable, root in ((ROOT_VARIABLE, Store().root), (SWEEPS_VARIABLE, sweeps_root())):
        path = Path(place)
        if path.is_relative_to(root) or root.is_relative_to(path):
            return f"{way_out}, or name another folder with {variable}"
    return way_out
