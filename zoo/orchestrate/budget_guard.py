"""Keeps a running sweep within the budget of its study: which trials may start, and when those that
run have to end.

A trial does not start where its forecast, beside what running trials will still need, exceeds what
is left. Where a limit is reached, running trials end their rounds and save them; their records say
`stopped`, for the reason `budget`, and they go on from there once the budget is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from zoo.launching.task import Task
from zoo.orchestrate.invocation import Sweep
from zoo.runs.spending import Spending, gib_by_trial
from zoo.scheduling.budget import UNITS, BudgetLevels, Level, figure
from zoo.store import record
from zoo.store.run_store import claim

FRESH_S = 1.0
"""How long figures are used before they are computed again."""
DISK_S = 60.0
"""The same of the size of run folders."""


class BudgetGuard:
    """The budget of a sweep while it runs. Used by the driver's main thread alone."""

    def __init__(self, sweep: Sweep, spending: Spending, clock: Callable[[], float]) -> None:
        """`clock`: seconds since the epoch, as in the rows that `spending` counted."""
        self._sweep, self._spending, self._clock = sweep, spending, clock
        self._limits = sweep.manifest.experiment.budget.stated
        self._levels: BudgetLevels | None = None
        self._at = self._disk_at = float("-inf")
        self._disk: dict[str, float] = {}
        self._warned, self._moved = False, True
        sweep.forecast.correct(spending.took)

    @property
    def levels(self) -> BudgetLevels:
        """The limits now."""
        now = self._clock()
        if self._levels is None or now - self._at > FRESH_S:
            gpu = self._sweep.profile.gpu
            price = gpu.usd_per_hour if gpu else None
            found = self._limits, self._spending, self._sweep.forecast, now, price
            self._at, self._levels = now, BudgetLevels(*found, self._sizes(now))
        return self._levels

    def _sizes(self, now: float) -> dict[str, float]:
        """GiB of the folder of each trial of the plan, where a limit asks for that."""
        if "disk_gib" in self._limits and now - self._disk_at > DISK_S:
            trials = self._sweep.planned or self._sweep.trials
            sizes = gib_by_trial(self._sweep.store, (trial.id for trial in trials))
            self._disk_at, self._disk = now, sizes
        return self._disk

    def moved(self) -> None:
        """Something started or ended."""
        self._levels, self._moved = None, True

    def ended(self) -> None:
        """A launch ended: what finished trials took corrects the forecast of the others."""
        if self._limits:
            self._sweep.forecast.correct(self._spending.took)
        self.moved()

    def allows(self, task: Task) -> bool:
        """Whether a trial may start."""
        return not self._limits or self.levels.obstacle(task.trial.id) is None

    def obstacle(self, id_: str) -> Level | None:
        """The limit that keeps a trial from its start."""
        return self.levels.obstacle(id_) if self._limits else None

    def reached(self) -> Level | None:
        """A limit that is used up."""
        return self.levels.reached() if self._limits else None

    def warning(self, waiting: Iterable[str]) -> str | None:
        """A line where the forecast of the rest crosses the budget for the first time."""
        if self._warned or not (self._limits and self._moved):
            return None
        self._moved = False
        levels = self.levels.levels(list(waiting), self._sweep.profile.concurrency)
        short = [level for level in levels if level.rest and level.short]
        if not short:
            return None
        self._warned = True
        told = "; ".join(
            f"{level}, the rest needs about {figure(level.rest)} {UNITS[level.name]}"
            for level in short
        )
        return f"budget {told}: trials start only where they fit"


def mark(task: Task, said: str) -> None:
    """Write into the record of a trial that was cut that its sweep's budget did it."""
    with claim(task.folder, wait=False) as ours:
        found = record.read(task.folder) if ours else None
        if found is None or found.state != "preempted":
            return  # finished training that was continued keeps its record
        cut = {"state": "stopped", "stop_reason": record.BUDGET, "failure_class": None}
        text = f"the study's budget is used up ({said})"
        written = found.model_copy(update={**cut, "message": text})
        record.write(task.folder, written, durable=not task.trial.simulated)
