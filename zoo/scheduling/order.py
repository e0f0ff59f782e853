"""In which order the trials of a sweep start. The same code orders real and simulated sweeps.

`seeds-first`, the default: the first seed of every cell, then the second of every cell; within a
seed the shapes (`zoo.resources.shape`) take turns, so that the first full picture comes early.
`longest-first`: the order that ends the sweep earliest, of those that were tried: from the longest
to the widest trials first, then random moves (always the same ones) that shorten the schedule. In
both, canaries go first: a trial of every shape, which fails for whatever fails all of its shape
(the others are then held back or ended) and measures the base model that they share.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple

from zoo.catalog import ComputeProfile
from zoo.resources import shape
from zoo.scheduling.gpu_nodes import GpuNodes
from zoo.scheduling.task_queue import OVERTAKES
from zoo.trials.trial import Trial

Order = Literal["seeds-first", "longest-first"]
ORDERS: tuple[Order, ...] = ("seeds-first", "longest-first")
MOVES, STARTS = 1000, 80_000
"""Most moves that are tried, and most starts of trials that are simulated for them (about 1 s)."""


class Extent(NamedTuple):
    """How long a trial holds how many GPUs (or processes on a CPU)."""

    hours: float
    gpus: int


POWERS = (0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 8.0)
"""From the longest first to the widest first."""
UNKNOWN = Extent(0.0, 1)
"""Of a trial without an estimate."""


def in_order(
    trials: Sequence[Trial], order: Order, extents: Mapping[str, Extent], profile: ComputeProfile
) -> list[Trial]:
    """The trials as they start.

    Args:
        trials: in the order of the plan.
        extents: trial id -> its extent; `longest-first` needs one of each trial.
        profile: where they run.
    """
    if order == "longest-first":
        return _shortest_schedule(trials, extents, profile)
    ranks = {seed: rank for rank, seed in enumerate(dict.fromkeys(t.seed for t in trials))}
    turns = sorted(_in_turns(trials), key=lambda trial: ranks[trial.seed])
    return _canaries_first(turns)


def _in_turns(trials: Sequence[Trial]) -> list[Trial]:
    """One trial of each seed and shape after the other."""
    groups: dict[Hashable, list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.seed, shape(trial)), []).append(trial)
    return [trial for turn in zip_longest(*groups.values()) for trial in turn if trial is not None]


def _canaries_first(trials: Sequence[Trial]) -> list[Trial]:
    canaries = {shape(trial): trial for trial in reversed(trials)}
    ids = {trial.id for trial in canaries.values()}
    return sorted(trials, key=lambda trial: trial.id not in ids)


def _shortest_schedule(
    trials: Sequence[Trial], extents: Mapping[str, Extent], profile: ComputeProfile
) -> list[Trial]:
    """Trials by hours x GPUs ** power, with the power that ends earliest, improved by moves."""
    size = GpuNodes(profile).size
    fit = [trial for trial in trials if extents[trial.id].gpus <= size]
    wide = [trial for trial in trials if extents[trial.id].gpus > size]  # they never start

    def by(power: float) -> list[Trial]:
        weights = {t.id: extents[t.id].hours * extents[t.id].gpus ** power for t in fit}
        return _canaries_first(sorted(fit, key=lambda trial: -weights[trial.id]))

    def hours(order: Sequence[Trial]) -> float:
        return scheduled_hours([extents[trial.id] for trial in order], profile)

    return [*_improved(min(map(by, POWERS), key=hours), hours), *wide]


def _improved(trials: list[Trial], hours: Callable[[Sequence[Trial]], float]) -> list[Trial]:
    """The trials after moves that do not make their schedule longer; canaries stay."""
    first, rng = len({shape(trial) for trial in trials}), random.Random(len(trials))
    best = hours(trials)
    for _ in range(min(MOVES, STARTS // max(1, len(trials))) if first < len(trials) else 0):
        moved = list(trials)
        moved.insert(rng.randrange(first, len(moved)), moved.pop(rng.randrange(first, len(moved))))
        if (now := hours(moved)) <= best:
            trials, best = moved, now
    return trials


def scheduled_hours(extents: Sequence[Extent], profile: ComputeProfile) -> float:
    """Hours until all have ended that start in this order, as `TaskQueue` starts them."""
    nodes, now, overtaken, number = GpuNodes(profile), 0.0, 0, 0
    waiting, running = list(extents), list[tuple[float, int, tuple[int, ...]]]()
    while waiting:
        at, passed, none = 0, 0, nodes.size + 1  # GPUs of the narrowest that has no room
        while at < len(waiting) and len(running) < profile.concurrency:
            if passed and overtaken >= OVERTAKES:
                break
            hours, gpus = waiting[at]
            taken = nodes.take(gpus) if gpus < none else None
            if taken is None:
                at, passed, none = at + 1, passed + 1, min(none, gpus)
                continue
            del waiting[at]
            heapq.heappush(running, (now + hours, number, taken))
            overtaken, number = overtaken + 1 if passed else 0, number + 1
        if waiting:
            now, _, back = heapq.heappop(running)
            nodes.give(back)
    return max((end for end, _, _ in running), default=now)
