"""What each trial is likely to need, by the cost model and by what finished trials took; and which
limits of a study's budget a trial would exceed.

The model's hours of a trial are corrected by the ratio of measured to planned hours of finished
trials of the same shape (`zoo.resources.shape`). Where the model has no figure (simulated trials),
it is their mean. Pure: figures in, figures out.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass

from zoo.catalog import ComputeProfile
from zoo.resources import TrialCost, shape
from zoo.runs.spending import Spending
from zoo.trials.trial import Trial

GIB = 2**30
UNITS = {
    "gpu_hours": "GPU-hours",
    "usd": "USD",
    "disk_gib": "GiB on disk",
    "hours": "wall-clock hours",
}


@dataclass(frozen=True, slots=True)
class Need:
    """What a trial is likely to need."""

    hours: float = 0.0
    """Wall time."""
    gpus: float = 0.0
    """0 on a CPU."""
    disk_gib: float = 0.0
    """While it runs, at most."""

    @property
    def gpu_hours(self) -> float:
        """Hours of one GPU."""
        return self.hours * self.gpus


NOTHING = Need()


def needs_of(
    trials: Iterable[Trial], costs: Iterable[TrialCost], profile: ComputeProfile
) -> dict[str, Need]:
    """Trial id -> its need by the cost model; `costs` in the order of the trials."""
    found: dict[str, Need] = {}
    for trial, cost in zip(trials, costs, strict=True):
        gpus = cost.gpus if cost.gpus > 1 else min(cost.gpus, profile.gpus_per_trial)
        running = max(0.0, cost.saves.running - cost.saves.left)
        disk = (cost.disk.total + running) / GIB
        found[trial.id] = Need(cost.wall_hours, gpus, disk)
    return found


class Forecast:
    """The needs of trials, corrected by what finished ones took."""

    def __init__(
        self,
        trials: Iterable[Trial] = (),
        whole: Mapping[str, Need] | None = None,
        rest: Mapping[str, Need] | None = None,
    ) -> None:
        """`whole`: of each trial from round 0. `rest`: of those that are left, what is left of
        each."""
        self._shapes: dict[str, Hashable] = {trial.id: shape(trial) for trial in trials}
        self._whole, self._rest = whole or {}, rest or {}
        self._ratios: dict[Hashable, float] = {}
        self._means: dict[Hashable, float] = {}

    def correct(self, took: Mapping[str, float]) -> None:
        """Correct by wall hours of finished trials, by their ids."""
        by_shape: dict[Hashable, list[str]] = {}
        for id_ in took:
            if id_ in self._shapes:
                by_shape.setdefault(self._shapes[id_], []).append(id_)
        for arm, ids in by_shape.items():
            planned = sum(self._whole.get(id_, NOTHING).hours for id_ in ids)
            measured = sum(took[id_] for id_ in ids)
            self._means[arm] = measured / len(ids)
            self._ratios[arm] = measured / planned if planned else 1.0

    def of(self, id_: str) -> Need:
        """What is left of a trial."""
        need = self._rest.get(id_) or self._whole.get(id_, NOTHING)
        arm = self._shapes.get(id_)
        hours = need.hours * self._ratios.get(arm, 1.0) or self._means.get(arm, 0.0)
        return Need(hours, need.gpus, need.disk_gib)


@dataclass(frozen=True, slots=True)
class Level:
    """How far one limit is used up."""

    name: str
    limit: float
    spent: float
    rest: float
    """What running trials will still need, and all that wait."""

    @property
    def reached(self) -> bool:
        """Whether all of it is spent."""
        return self.spent >= self.limit

    @property
    def short(self) -> bool:
        """Whether the rest does not fit."""
        return self.reached or self.spent + self.rest > self.limit

    def __str__(self) -> str:
        return f"{self.name}: {figure(self.spent)} of {figure(self.limit)} spent"


class BudgetLevels:
    """The limits of a budget at one time."""

    def __init__(
        self,
        limits: Mapping[str, float],
        spending: Spending,
        forecast: Forecast,
        now: float,
        usd_per_hour: float | None = None,
        disk: Mapping[str, float] | None = None,
    ) -> None:
        """`now`: seconds since the epoch. `disk`: trial id -> GiB of its folder, where a limit
        asks for that."""
        self._limits, self._forecast, self._usd = limits, forecast, usd_per_hour
        self._disk, self._now = disk or {}, now
        spent = spending.at(now)
        self._spent = {
            "gpu_hours": spent.gpu_hours,
            "usd": spent.usd,
            "hours": spent.hours,
            "disk_gib": sum(self._disk.values()),
        }
        self._reserved = self._still_needed(spending)

    def levels(self, waiting: Collection[str] = (), at_once: int = 1) -> list[Level]:
        """Each limit; `waiting`: trials that have not started, `at_once` of which run at a
        time."""
        running = self._reserved
        needs = [self._forecast.of(id_) for id_ in waiting]
        found: list[Level] = []
        for name, limit in self._limits.items():
            each = [self._part(name, need) for need in needs]
            if name == "hours":
                rest = max([(sum(each) + running[name]) / max(1, at_once), *each], default=0.0)
            else:
                rest = sum(each) + running[name]
            found.append(Level(name, limit, self._spent[name], rest))
        return found

    def reached(self) -> Level | None:
        """A limit that is used up."""
        return next((level for level in self.levels() if level.reached), None)

    def obstacle(self, id_: str) -> Level | None:
        """The limit that a trial would exceed if it started now; None = it may start."""
        need = self._forecast.of(id_)
        for name, limit in self._limits.items():
            beside = 0.0 if name == "hours" else self._reserved[name]
            there = self._disk.get(id_, 0.0) if name == "disk_gib" else 0.0
            more = max(0.0, self._part(name, need) - there)
            level = Level(name, limit, self._spent[name], beside + more)
            if level.short:
                return level
        return None

    def _part(self, name: str, need: Need) -> float:
        if name == "usd":
            return need.gpu_hours * (self._usd or 0.0)
        return float(getattr(need, name))

    def _still_needed(self, spending: Spending) -> dict[str, float]:
        """What running trials will still need."""
        found = dict.fromkeys(UNITS, 0.0)
        for launch in spending.running.values():
            need = self._forecast.of(launch.trial)
            left = max(0.0, need.hours - (self._now - launch.since) / 3600)
            found["hours"] += left
            found["gpu_hours"] += left * launch.gpus
            found["usd"] += left * launch.gpus * (self._usd or 0.0)
            found["disk_gib"] += max(0.0, need.disk_gib - self._disk.get(launch.trial, 0.0))
        return found


def figure(value: float) -> str:
    """A number to three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
