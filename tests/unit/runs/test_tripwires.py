"""When a line counts as crossed."""

from __future__ import annotations

from zoo.manifest.thresholds import Threshold
from zoo.runs.tripwires import first_crossing


def test_line_is_crossed_by_rounds_in_a_row() -> None:
    line = Threshold.model_validate({"metric": "train/x", "above": 0.5, "for": 3})
    assert first_crossing(line, {1: 0.9, 2: 0.9, 3: 0.1, 4: 0.9, 5: 0.9}) is None
    assert first_crossing(line, {1: 0.1, 2: 0.9, 3: 0.9, 4: 0.9, 5: 0.9}) == 4
    assert first_crossing(line, {5: 0.9, 10: 0.9}) == 10  # every measurement within the rounds
    assert first_crossing(line, {0: 0.9, 1: 0.9, 2: 0.9}) is None  # the base model is no trial's
    below = Threshold.model_validate({"metric": "train/x", "below": 0.5})
    assert first_crossing(below, {3: 0.4}) == 3
    assert first_crossing(below, {}) is None
