"""The rules by which a failure gets its class; the classes are `zoo.errors.FailureClass`."""

from __future__ import annotations

import re
import signal

from zoo.errors import FailureClass, TrialError, ZooError
from zoo.store.run_store import is_full

OUT_OF_MEMORY = re.compile(r"out of memory|MemoryError|Cannot allocate memory", re.IGNORECASE)
ENGINE_MEMORY = re.compile(
    r"memory for the cache blocks|desired [CG]PU memory utilization|available KV cache memory"
)
"""Messages of vLLM when it cannot reserve its memory at its start."""
NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")
SIGNALLED = (130, 143)  # exit statuses of a trial that ends at SIGINT or SIGTERM


def classify(
    exit_status: int = 1,
    error: BaseException | None = None,
    log: str = "",
    *,
    kernel: bool = False,
) -> FailureClass:
    """The class of a failure, from the best evidence: the error, else how the process ended.

    Args:
        exit_status: of the process; negative = ended by that signal.
        error: what was raised, where it is known.
        log: the last lines of the process's log.
        kernel: whether the kernel has killed processes for lack of memory meanwhile.
    """
    if isinstance(error, TrialError):
        return error.failure_class
    if error is not None:
        return _of_error(error)
    if exit_status in SIGNALLED:
        return FailureClass.INTERRUPTED
    if _lacks_memory(log) or (kernel and exit_status == -signal.SIGKILL):
        return FailureClass.OOM
    if NO_SPACE.search(log):
        return FailureClass.DISK
    return FailureClass.KILLED if exit_status < 0 else FailureClass.ERROR


def _lacks_memory(text: str) -> bool:
    return bool(OUT_OF_MEMORY.search(text) or ENGINE_MEMORY.search(text))


def _of_error(error: BaseException) -> FailureClass:
    if is_full(error):
        return FailureClass.DISK
    if isinstance(error, MemoryError) or _lacks_memory(f"{type(error).__name__}: {error}"):
        return FailureClass.OOM
    if isinstance(error, ZooError) and error.exit_code == 2:
        return FailureClass.CONFIG
    return FailureClass.ERROR
