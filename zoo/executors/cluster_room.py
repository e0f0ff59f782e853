"""Whether a trial would find room on a cluster now, by what is free on each node.

What is free comes from Ray, and a moment late: tasks that were started and are not part of that
picture yet are placed in it first, each on the nodes that it fills best. Ray decides where a trial
really goes. Without this, narrow trials would take what a wide one waits for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zoo.launching.task import Task

LAG_S = 2.0
"""How old Ray's picture of its nodes may be."""
PART = 1e-6
"""Of a CPU or a GPU: sums of parts are not exact."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """CPUs and GPUs, of a node or of what a trial takes of one."""

    cpus: float
    gpus: float

    def holds(self, other: Capacity) -> bool:
        """Whether both are enough."""
        return self.cpus >= other.cpus - PART and self.gpus >= other.gpus - PART

    def less(self, other: Capacity) -> Capacity:
        """What is left."""
        return Capacity(self.cpus - other.cpus, self.gpus - other.gpus)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a trial takes: the same of each of its nodes."""

    nodes: int
    each: Capacity


@dataclass(slots=True)
class _Started:
    shape: Shape
    begun: float | None = None


class ClusterRoom:
    """Free capacity by node, and the tasks that were started. `update` may be called from another
    thread than the rest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.changes = 0
        """How often what is free changed, as Ray sees it."""
        self._clock, self._at = clock, 0.0
        self._free: Mapping[str, Capacity] = {}
        self._started: dict[str, _Started] = {}

    def update(self, free: Mapping[str, Capacity]) -> None:
        """Take note of what is free by now."""
        unsettled = any(self._unsettled())
        self._at = self._clock()
        if free != self._free or unsettled:
            self._free = free
            self.changes += 1

    def start(self, id_: str, shape: Shape) -> None:
        """A task was started."""
        self._started[id_] = _Started(shape)

    def begin(self, id_: str) -> None:
        """It has its nodes by now."""
        if id_ in self._started:
            self._started[id_].begun = self._clock()

    def end(self, id_: str) -> None:
        """It has given them back."""
        self._started.pop(id_, None)

    def fits(self, shape: Shape) -> bool:
        """Whether there is room for one more task. Where nothing runs, it may start in any case:
        it would wait for others' work to end, and there is none of ours that it could hold up."""
        if not self._started:
            return True
        free = dict(self._free)
        for other in self._unsettled():
            _place(other, free)
        return _place(shape, free)

    def _unsettled(self) -> list[Shape]:
        """Tasks that the picture may not have."""
        least = self._at - LAG_S
        every = [*self._started.values()]
        return [one.shape for one in every if one.begun is None or one.begun > least]


def _place(shape: Shape, free: dict[str, Capacity]) -> bool:
    """Take what a task needs of the nodes that it fills best; False = there are not so many."""
    fit = [name for name, node in free.items() if node.holds(shape.each)]
    if len(fit) < shape.nodes:
        return False
    for name in sorted(fit, key=lambda name: (free[name].gpus, free[name].cpus))[: shape.nodes]:
        free[name] = free[name].less(shape.each)
    return True


def shape_of(task: Task) -> Shape:
    """What a task takes. One that takes more GPUs than the profile gives each takes as many times
    the CPUs."""
    profile, gpus, nodes = task.profile, task.gpus, task.nodes
    times = max(1.0, gpus / max(1.0, profile.gpus_per_trial))
    return Shape(nodes, Capacity(profile.cpus_per_trial * times / nodes, gpus / nodes))
