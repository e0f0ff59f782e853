"""What trials need, and which limit of a budget they would exceed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import simulated
from zoo.runs.spending import Spending
from zoo.scheduling.budget import BudgetLevels, Forecast, Need
from zoo.trials.trial import Trial

HOUR = 3600.0


@pytest.fixture
def trials(tmp_path: Path) -> list[Trial]:
    """Two shapes, two trials of each."""
    return simulated.make(tmp_path).trials


def test_forecast_is_corrected_by_finished_trials_of_the_same_shape_alone(
    trials: list[Trial],
) -> None:
    one, two, other, _ = (trial.id for trial in trials)
    forecast = Forecast(trials, {trial.id: Need(2.0, 1.0) for trial in trials}, {two: Need(1.0)})
    assert forecast.of(two).hours == 1.0
    forecast.correct({one: 6.0})
    assert forecast.of(two).hours == 3.0
    assert forecast.of(other).hours == 2.0


def test_forecast_without_a_model_is_the_mean_of_finished_trials(trials: list[Trial]) -> None:
    one, two, *_ = (trial.id for trial in trials)
    forecast = Forecast(trials)
    assert forecast.of(two).hours == 0.0
    forecast.correct({one: 6.0})
    assert forecast.of(two).hours == 6.0


def test_trial_does_not_start_where_it_exceeds_what_running_ones_leave(
    trials: list[Trial],
) -> None:
    one, two, *_ = (trial.id for trial in trials)
    forecast = Forecast(trials, {trial.id: Need(2.0, 1.0, 3.0) for trial in trials})
    rows = [
        {"event": "driver", "time": 0.0, "usd_per_hour": 2.0},
        {"event": "launch", "time": 0.0, "trial": one, "token": "token", "gpus": 1.0},
    ]
    spending = Spending(rows)

    def held(name: str, limit: float, at: float = HOUR, **more) -> str | None:
        level = BudgetLevels({name: limit}, spending, forecast, at, **more).obstacle(two)
        return str(level) if level else None

    assert held("gpu_hours", 4.0) is None  # 1 spent, 1 to come, 2 for this one
    assert held("gpu_hours", 3.9) == "gpu_hours: 1 of 3.9 spent"
    assert held("usd", 8.0, usd_per_hour=2.0) is None
    assert held("usd", 7.9, usd_per_hour=2.0) is not None
    assert held("hours", 3.0) is None  # it runs beside the other
    assert held("hours", 2.9) is not None
    disk = {one: 1.0, two: 0.5}
    assert held("disk_gib", 6.0, disk=disk) is None
    assert held("disk_gib", 5.9, disk=disk) is not None


def test_limit_that_is_spent_lets_nothing_start_even_without_a_forecast(
    trials: list[Trial],
) -> None:
    rows = [
        {
            "event": "end",
            "trial": "x",
            "token": "x",
            "seconds": HOUR,
            "gpu_s": HOUR,
            "state": "done",
        }
    ]
    levels = BudgetLevels({"gpu_hours": 1.0}, Spending(rows), Forecast(), 0.0)
    (level,) = levels.levels()
    assert (level.reached, level.rest) == (True, 0.0)
    assert levels.obstacle(trials[0].id) == level
