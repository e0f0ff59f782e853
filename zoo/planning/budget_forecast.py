"""How far a sweep has used up the budget of its study, and what the rest is likely to need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.catalog import ComputeProfile
from zoo.planning.remaining import rates_of, to_pay
from zoo.planning.study import Study
from zoo.resources import sweep_cost
from zoo.runs.spending import gib_by_trial, read_spending
from zoo.runs.sweep_status import SweepStatus
from zoo.scheduling.budget import BudgetLevels, Forecast, Level, needs_of


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The limits of a budget, and which trials they hold back."""

    levels: tuple[Level, ...]
    held: Mapping[str, Level]
    """Trial id -> the limit that keeps it from its start."""


def forecast_of(
    study: Study,
    status: SweepStatus,
    profile: ComputeProfile,
    prompts: Mapping[str, int] | None = None,
) -> Forecast:
    """The needs of a study's trials by the cost model. `prompts`: trial id -> tokens of its longest
    prompt, where it was measured."""
    rates, prompts = rates_of(study, profile), prompts or {}
    left = [one.trial for one in status.left]
    whole = sweep_cost(study.trials, profile, rates, (), prompts).trials
    rest = sweep_cost(map(to_pay, status.left), profile, rates, (), prompts).trials
    needs = needs_of(study.trials, whole, profile), needs_of(left, rest, profile)
    return Forecast(study.trials, *needs)


def budget_state(
    study: Study,
    status: SweepStatus,
    profile: ComputeProfile | None = None,
    prompts: Mapping[str, int] | None = None,
) -> BudgetState | None:
    """The state of a study's budget; None where it has none.

    Args:
        profile: where the rest runs; None = where the sweep ran last.
        prompts: as of `forecast_of`.
    """
    limits = study.manifest.experiment.budget.stated
    if not limits:
        return None
    spending, now = read_spending(study.store, study.name)
    names = study.catalog.names(ComputeProfile)
    if profile is None and spending.profile in names:
        profile = study.catalog.get(ComputeProfile, spending.profile)
    if profile is None:
        return None
    forecast = forecast_of(study, status, profile, prompts)
    forecast.correct(spending.took)
    sizes: dict[str, float] = {}
    if "disk_gib" in limits:
        sizes = gib_by_trial(study.store, (trial.id for trial in study.trials))
    price = profile.gpu.usd_per_hour if profile.gpu else None
    levels = BudgetLevels(limits, spending, forecast, now, price, sizes)
    running = {launch.trial for launch in spending.running.values()}
    waiting = [one.trial.id for one in status.left if one.trial.id not in running]
    held = {id_: level for id_ in waiting if (level := levels.obstacle(id_)) is not None}
    return BudgetState(tuple(levels.levels(waiting, profile.concurrency)), held)
