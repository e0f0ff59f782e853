"""The cost of the rounds of a launch: seconds by phase, tokens a second, peak memory. Two runs of
one trial differ only in these numbers.

The phases of a line of `metrics.jsonl` add up to the time since the line before it, or since
training began. A line is written when its round is trained, so that `evaluation` and `save` are
those between the line before and this round. `update` is the remaining time: forward passes for
log-probabilities, loss, gradients, optimiser.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from zoo.trials.metrics import PHASES

Phase = Literal["generation", "grading", "update", "evaluation", "save"]
MIB, GIB = 2**20, 2**30


class Phases:
    """Clocks of one launch."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The first round of this launch begins."""
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._began = time.perf_counter()

    @contextmanager
    def timed(self, phase: Phase) -> Iterator[None]:
        """Count the time inside as of a phase; phases are not nested."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[phase] += time.perf_counter() - began

    def take(self, tokens: float) -> dict[str, float]:
        """Seconds of each phase since the last call, and response tokens a second of the round's
        generation, grading and updates.

        Args:
            tokens: of the round's responses.
        """
        seconds = self._seconds
        seconds["update"] = time.perf_counter() - self._began - sum(seconds.values())
        self.begin()
        round_s = seconds["generation"] + seconds["grading"] + seconds["update"]
        times = {f"train/{phase}_time": taken for phase, taken in seconds.items()}
        return times | {"train/tokens_per_second": tokens / round_s if round_s > 0 else 0.0}


def peak_memory(device: str) -> float:
    """Peak memory of this process so far, in GiB: what torch allocated on the GPU (the engine is in
    the same process), on a CPU the resident set without the grader's workers."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / GIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (GIB if sys.platform == "darwin" else MIB)  # bytes on macOS, else KiB
