"""Every failure has one class, from the best evidence there is."""

from __future__ import annotations

import errno

import pytest

from zoo.errors import FailureClass, InputError, StateError, TrialError
from zoo.store.failures import classify

CUDA = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (TrialError(FailureClass.REWARD, "raises"), "reward"),
        (InputError("no such card"), "config"),
        (StateError("torn"), "error"),
        (MemoryError(), "oom"),
        (RuntimeError(CUDA), "oom"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "oom"),
        (ValueError("anything else"), "error"),
    ],
)
def test_classify_error_gives_the_class_of_the_error(error: Exception, found: str) -> None:
    assert classify(error=error) == FailureClass(found)


@pytest.mark.parametrize(
    ("status", "log", "found"),
    [
        (130, "", "interrupted"),
        (143, "", "interrupted"),
        (-9, "", "killed"),
        (-6, CUDA, "oom"),
        (1, f"Traceback ...\n{CUDA}", "oom"),
        (1, "OSError: [Errno 28] No space left on device", "disk"),
        (1, "ValueError: 3", "error"),
    ],
)
def test_classify_exit_without_an_error_reads_status_and_log(
    status: int, log: str, found: str
) -> None:
    assert classify(status, log=log) == FailureClass(found)
