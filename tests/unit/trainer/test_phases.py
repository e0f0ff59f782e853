from __future__ import annotations

import time

import pytest

from zoo.trainer.phases import Phases, peak_memory
from zoo.trials.metrics import PHASES


def test_phases_of_a_line_add_up_to_the_time_since_the_line_before() -> None:
    began = time.perf_counter()
    phases = Phases()
    with phases.timed("generation"):
        time.sleep(0.02)
    with pytest.raises(OSError, match="full"):
        fail(phases)
    time.sleep(0.01)
    found = phases.take(tokens=100)
    took = time.perf_counter() - began
    times = {phase: found[f"train/{phase}_time"] for phase in PHASES}
    assert times["generation"] >= 0.02
    assert times["save"] >= 0.01
    assert times["update"] >= 0.01
    assert times["grading"] == times["evaluation"] == 0
    assert sum(times.values()) == pytest.approx(took, abs=0.005)
    assert found["train/tokens_per_second"] == 100 / (times["generation"] + times["update"])


def fail(phases: Phases) -> None:
    """A save that takes its time and fails."""
    with phases.timed("save"):
        time.sleep(0.01)
        raise OSError("full")


def test_phases_after_a_line_begin_at_zero() -> None:
    phases = Phases()
    with phases.timed("evaluation"):
        time.sleep(0.01)
    assert phases.take(1)["train/evaluation_time"] >= 0.01
    assert phases.take(1)["train/evaluation_time"] == 0


def test_peak_memory_never_falls() -> None:
    before = peak_memory("cpu")
    assert 0.01 < before < 1000  # GiB
    kept = b"1" * 2**24
    assert peak_memory("cpu") >= before
    assert len(kept) == 2**24
