"""Tripwires and budgets say one thing each, and nothing that means nothing."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from zoo.manifest.thresholds import Budget, Threshold, Tripwire


def test_a_tripwire_reads_as_the_design_writes_it() -> None:
    wire = Tripwire.model_validate(
        {"metric": "train/completions/clipped_ratio", "above": 0.5, "for": 5, "then": "stop"}
    )
    assert (wire.side, wire.number, wire.rounds, wire.then) == ("above", 0.5, 5, "stop")
    assert str(wire) == "train/completions/clipped_ratio above 0.5 for 5 rounds"
    assert Tripwire.model_validate(wire.model_dump()) == wire
    assert Tripwire.model_validate(wire.model_dump(by_alias=True)) == wire


def test_zero_is_a_number_like_others() -> None:
    assert str(Threshold(metric="train/accuracy", below=0)) == "train/accuracy below 0"


@pytest.mark.parametrize(
    "said",
    [
        {"metric": "train/kl"},
        {"metric": "train/kl", "above": 1, "below": 0},
        {"metric": "train/kl", "above": float("nan")},
        {"metric": "train/kl", "above": 1, "for": 0},
        {"metric": "train/kl", "above": 1, "then": "explode"},
        {"metric": "train/kl", "above": 1, "when": {"model": []}},
    ],
)
def test_half_a_tripwire_is_refused(said: dict) -> None:
    with pytest.raises(ValidationError):
        Tripwire.model_validate(said)


def test_a_budget_names_what_it_limits() -> None:
    assert Budget(gpu_hours=1344).stated == {"gpu_hours": 1344}
    assert Budget.model_validate(Budget(usd=1, hours=2).model_dump()).stated == {
        "usd": 1,
        "hours": 2,
    }
    assert Budget().stated == {}
    with pytest.raises(ValidationError):
        Budget(gpu_hours=0)
