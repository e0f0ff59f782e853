"""What a budget does is shown by sweep, status and plan."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import zoo


def test_budget_that_is_spent_is_shown_and_holds_back_until_it_is_raised(folder: Path) -> None:
    spend = ("--set", "budget.hours=1e-9")
    told = zoo("sweep", "tiny", "--bare", *spend)
    assert told.status == 1
    held = "held back by the budget (hours: "
    assert held in told.prose
    assert "4 trials; raise it in the manifest or with --set budget.hours=N" in told.prose
    assert not list((folder / "runs/train").glob("*/record.json"))
    shown = zoo("status", "tiny").prose
    assert held in shown
    assert "of 1e-09 wall-clock hours" in shown
    planned = zoo("plan", "tiny").prose
    assert held in planned
    assert zoo("sweep", "tiny", "--bare", "--set", "budget.hours=1").status == 0
    done = zoo("status", "tiny").prose
    assert "of 1 wall-clock hours" in done
    assert "held back" not in done


def test_budget_line_of_a_plan_counts_what_was_spent(folder: Path) -> None:
    said = ("--set", "budget.hours=1")
    before = zoo("plan", "tiny", *said).prose
    assert "of it spent" not in before
    assert zoo("sweep", "tiny", "--bare", "--only", "model=pocket-llama", *said).status == 0
    assert "budget hours 1:" in (after := zoo("plan", "tiny", *said).prose)
    assert "of it spent" in after
