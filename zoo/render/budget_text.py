"""What of a study's budget is spent, and what it holds back, as text."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.planning.budget_forecast import BudgetState
from zoo.render.plan_costs import held_lines
from zoo.scheduling.budget import UNITS, figure


def budget_lines(state: BudgetState | None) -> Iterator[str]:
    """A line a limit: `spent 3.2 of 10 GPU-hours; the rest needs about 5.1`; then what is held
    back."""
    if state is None:
        return
    for level in state.levels:
        rest = f"; the rest needs about {figure(level.rest)}" if level.rest else ""
        yield f"spent {figure(level.spent)} of {figure(level.limit)} {UNITS[level.name]}{rest}"
    yield from held_lines(state)
