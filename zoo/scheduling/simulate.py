"""A sweep in simulated time: how long it takes on a profile, what idles, when the first full
picture is there, and how far that is from the least that is possible.

Durations are the cost model's. Order and queue are those of real sweeps (`order`, `task_queue`);
only the executor is simulated: GPUs of nodes, each trial on the node that it fills best. A trial
whose base model is being measured by another waits for it, with its GPUs.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from zoo.catalog import ComputeProfile
from zoo.launching.launch import LaunchResult
from zoo.launching.task import Task
from zoo.resources import TrialCost
from zoo.scheduling.executor import Event, Handle, Stop, Tell
from zoo.scheduling.gpu_nodes import GpuNodes
from zoo.scheduling.order import Extent
from zoo.scheduling.task_queue import TaskQueue
from zoo.trials.trial import Trial


@dataclass(frozen=True, slots=True)
class SimulatedTrial:
    """One trial of a simulation; hours are of wall time."""

    trial: Trial
    gpus: int
    """GPUs that it holds; on a CPU the process that it is."""
    hours: float
    base: Hashable
    """The base evaluations that it shares with others."""
    base_hours: float
    """What they take; the first to start pays."""

    @property
    def extent(self) -> Extent:
        """How long it holds how many GPUs."""
        return Extent(self.hours, self.gpus)


@dataclass(frozen=True, slots=True)
class Span:
    """A trial that ran: from and to in hours, and the GPUs that it held, numbered over all
    nodes."""

    job: SimulatedTrial
    start: float
    end: float
    waited: float
    """Hours in which it held its GPUs and waited for a base model."""
    gpus: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """The least hours that a sweep can take, and why."""

    hours: float
    why: str


@dataclass(frozen=True)
class SimulatedSweep:
    """A sweep in simulated time."""

    slots: int
    """GPUs, or processes on a CPU."""
    spans: tuple[Span, ...]
    """In the order of their starts."""

    @property
    def makespan(self) -> float:
        """Hours from the first start to the last end."""
        return max((span.end for span in self.spans), default=0.0)

    @property
    def work(self) -> float:
        """GPU-hours of work, without idle ones."""
        return sum((s.end - s.start - s.waited) * len(s.gpus) for s in self.spans)

    @property
    def idle(self) -> float:
        """GPU-hours that nothing is done in, until the last end."""
        return self.slots * self.makespan - self.work

    @property
    def first_picture(self) -> float:
        """Hours until one trial of every cell has ended."""
        first: dict[Hashable, float] = {}
        for span in self.spans:
            cell = tuple(span.job.trial.cell.items())
            first[cell] = min(first.get(cell, span.end), span.end)
        return max(first.values(), default=0.0)


def jobs_of(trials: Sequence[Trial], costs: Sequence[TrialCost]) -> list[SimulatedTrial]:
    """What a simulation needs to know of trials; `costs` in the same order."""
    found = []
    for trial, cost in zip(trials, costs, strict=True):
        gpus = max(1, cost.gpus)
        base = (trial.start.name, trial.prompt.name, trial.cap, id(trial.evaluations))
        hours = cost.wall_hours, base, cost.base.mid / gpus
        found.append(SimulatedTrial(trial, gpus, *hours))
    return found


def simulate(jobs: Sequence[SimulatedTrial], profile: ComputeProfile) -> SimulatedSweep:
    """Run jobs in their order on the GPUs of a profile. A job that is wider than all of them is
    left out."""
    machine = _Machine(jobs, profile)
    tasks = [Task(job.trial, profile, "", "") for job in machine.jobs.values()]
    queue = TaskQueue(tasks, machine, Stop(), lambda: machine.now)
    while not queue.over:
        queue.fill()
        queue.take(machine.advance())
    return SimulatedSweep(machine.nodes.size, tuple(machine.spans))


class _Machine:
    """An executor whose tasks take simulated time."""

    name, changes = "simulated", 0

    def __init__(self, jobs: Iterable[SimulatedTrial], profile: ComputeProfile) -> None:
        self.nodes, self.slots = GpuNodes(profile), profile.concurrency
        self.jobs = {job.trial.id: job for job in jobs if job.gpus <= self.nodes.size}
        self.now, self.spans = 0.0, list[Span]()
        self._ends: list[tuple[float, int]] = []
        """When, and of which span."""
        self._bases: dict[Hashable, float] = {}

    def has_room(self, task: Task) -> bool:
        """Whether its GPUs are free."""
        if (taken := self.nodes.take(self.jobs[task.trial.id].gpus)) is None:
            return False
        self.nodes.give(taken)
        return True

    def open(self, tell: Tell, stop: Stop) -> None:
        """Nothing to prepare."""

    def start(self, task: Task) -> Handle:
        """Start a task now."""
        job, now = self.jobs[task.trial.id], self.now
        first = job.base not in self._bases
        ready = self._bases.setdefault(job.base, now + job.base_hours)
        waited = 0.0 if first else max(0.0, ready - now)
        end = now + job.hours + (job.base_hours if first else waited)
        heapq.heappush(self._ends, (end, len(self.spans)))
        self.spans.append(Span(job, now, end, waited, self.nodes.take(job.gpus) or ()))
        return Handle(task.trial.id)

    def advance(self) -> Event:
        """Go to the next end of a task; returns it."""
        self.now, at = heapq.heappop(self._ends)
        span = self.spans[at]
        self.nodes.give(span.gpus)
        return Event(span.job.trial.id, LaunchResult("done"))

    def check(self) -> None:
        """Nothing breaks."""

    def close(self) -> None:
        """Nothing runs."""


def bound(jobs: Iterable[SimulatedTrial], slots: int) -> Bound:
    """The least hours that these jobs can take: all work over all GPUs; the longest job; or jobs of
    which some GPU must run several, as together they need it: of jobs that need more than k times
    all GPUs, one GPU runs k + 1."""
    known = sorted((job for job in jobs if job.gpus <= slots), key=lambda job: -job.hours)
    if not known:
        return Bound(0.0, "nothing is left")
    bases = {job.base: job.base_hours * job.gpus for job in known}
    work = sum(job.hours * job.gpus for job in known) + sum(bases.values())
    found = [
        Bound(work / slots, "all work over all GPUs"),
        Bound(known[0].hours, f"the longest trial, {known[0].trial.id}"),
    ]
    for least in {job.gpus for job in known}:
        found += _several([job for job in known if job.gpus >= least], slots)
    return max(found, key=lambda one: one.hours)


def _several(jobs: Sequence[SimulatedTrial], slots: int) -> Iterator[Bound]:
    """Bounds from jobs, the longest first, of which one GPU must run several."""
    width, times = 0, 1
    for at, job in enumerate(jobs):
        width += job.gpus
        while width > times * slots:
            hours = sum(other.hours for other in jobs[at - times : at + 1])
            yield Bound(hours, f"{times + 1} of the {at + 1} longest wide trials on one GPU")
            times += 1
