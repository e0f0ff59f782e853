"""Means of cells with intervals over seeds, and the effects of each axis: shown next to
verdicts, without deciding anything.

An effect of an axis is a value less the axis' first value, over the cells that have a partner on
both sides, each pair with equal weight. Its intervals are at 95 % and not corrected. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import fmean
from typing import Any

from zoo.claims.comparisons import matched
from zoo.judging.numbers import Numbers
from zoo.judging.values import Key, key
from zoo.stats.contrasts import Estimate, StudyCells, cell_interval
from zoo.stats.descriptive import interquartile_mean, probability_of_improvement
from zoo.stats.proportions import clopper_pearson
from zoo.trials.grid import Cell

_share = lru_cache(maxsize=4096)(clopper_pearson)  # the same few counts for every metric


@dataclass(frozen=True)
class CellMean:
    """A cell by one metric, in the unit of claims."""

    cell: Cell
    trials: int
    ended: int
    collapsed: int
    n: int
    """Trials that the mean is of: those that ended with a number and did not collapse."""
    mean: float | None
    interval: tuple[float, float] | None
    """At 95 %; None for one trial."""
    mean_of_all: float | None
    """Collapsed trials among them, without an interval; None where none collapsed."""
    collapse: tuple[float, float]
    """Exact 95 % interval of the share of trials that collapse."""
    base: float | None
    """Of the base model before the training; None where not evaluated."""
    gain: float | None
    """Mean less base."""
    gain_interval: tuple[float, float] | None
    """At 95 %, with the noise of the base's one measurement; None for one trial."""
    problems_interval: tuple[float, float] | None = None
    """Of the mean at 95 %, over problems as well as over seeds; None where not requested,
    or scores by problem are not stored."""
    gain_problems_interval: tuple[float, float] | None = None
    """The same of the gain."""
    failed: int = 0
    """Trials whose last launch failed; they have no number and are among those not ended."""


@dataclass(frozen=True)
class AxisEffect:
    """A value of an axis less another, over the pairs of cells that differ in nothing else."""

    axis: str
    value: Any
    against: Any
    pairs: int
    moving: tuple[str, ...]
    """Axes that vary with this one, so that the effect is not only this axis'."""
    n: int
    effect: float | None
    interval: tuple[float, float] | None
    improvement: float | None
    """Share of pairs of trials in which the value is higher; descriptive."""
    iqm: tuple[float, float] | None
    """Interquartile means over all trials of both sides; descriptive."""
    problems_interval: tuple[float, float] | None = None
    """At 95 %, over problems as well as over seeds; None where scores by problem are not stored."""


def cell_means(
    numbers: Numbers, metric: str, cells: Sequence[Cell], *, problems: bool = False
) -> list[CellMean]:
    """The given cells by a metric. `problems`: also intervals over problems, which reads the
    scores of each."""
    study = numbers.study(metric)
    found: list[CellMean] = []
    for cell in cells:
        trials = numbers.by_cell[key(cell)]
        ended = [trial for trial in trials if trial.ended]
        collapsed = sum(trial.collapsed for trial in ended)
        everything = [t.final[metric] for t in ended if metric in t.final]
        known = study.cells.get(key(cell))
        base = numbers.base(key(cell), numbers.metrics[metric])
        gain = None if base is None else _gain(study, key(cell), *base)
        wider = (None, None)
        if problems and known:
            wider = _over_problems(numbers, metric, key(cell), gain)
        found.append(
            CellMean(
                cell,
                len(trials),
                len(ended),
                collapsed,
                known.n if known else 0,
                known.mean if known else None,
                cell_interval(study, key(cell)),
                fmean(everything) if collapsed and everything else None,
                _share(collapsed, len(ended)),
                base[0] if base else None,
                gain.value if gain else None,
                gain.interval() if gain and gain.judged else None,
                *wider,
                failed=sum(trial.failed for trial in trials),
            )
        )
    return found


def _gain(
    study: StudyCells[Key], cell: Key, base: float, variance: float | None
) -> Estimate | None:
    """A cell's mean less its base, as a claim of kind gain about this cell takes it."""
    noise = (study.typical or 0.0) if variance is None else variance
    return study.estimate({cell: 1.0}, offset=-base, base=math.sqrt(noise))


def _over_problems(
    numbers: Numbers, name: str, cell: Key, gain: Estimate | None
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """The intervals of a cell's mean and of its gain, over problems as well."""
    metric = numbers.metrics[name]
    mean = numbers.study(name).estimate(
        {cell: 1.0}, problems=numbers.over_problems({cell: 1.0}, {}, metric)
    )
    if gain is not None:
        gain = replace(gain, problems=numbers.over_problems({cell: 1.0}, {cell: -1.0}, metric))
    return mean and mean.over_problems(), gain and gain.over_problems()


def axis_effects(
    numbers: Numbers, metric: str, axis: str, cells: Sequence[Cell]
) -> list[AxisEffect]:
    """Each value of an axis less its first, over the given cells."""
    first, *others = dict.fromkeys(cell.get(axis) for cell in cells)
    return [_effect(numbers, metric, axis, value, first, cells) for value in others]


def _effect(
    numbers: Numbers, metric: str, axis: str, value: Any, against: Any, cells: Sequence[Cell]
) -> AxisEffect:
    study = numbers.study(metric)
    pairs, moving = _pairs(study, axis, value, against, cells)
    if not pairs:
        return AxisEffect(axis, value, against, 0, moving, 0, None, None, None, None)
    weights, _ = pair_weights(study, axis, value, against, cells)
    problems = numbers.over_problems(weights, {}, numbers.metrics[metric])
    estimate = study.estimate(weights, problems=problems)
    assert estimate is not None
    one, other = ([_finals(numbers, metric, pair[i]) for pair in pairs] for i in (0, 1))
    improved = fmean(probability_of_improvement(a, b) for a, b in zip(one, other, strict=True))
    iqm = [interquartile_mean([v for values in side for v in values]) for side in (one, other)]
    interval = estimate.interval() if estimate.judged else None
    return AxisEffect(
        axis,
        value,
        against,
        len(pairs),
        moving,
        estimate.n,
        estimate.value,
        interval,
        improved,
        (iqm[0], iqm[1]),
        estimate.over_problems(),
    )


def pair_weights(
    study: StudyCells[Key], axis: str, value: Any, against: Any, cells: Sequence[Cell]
) -> tuple[dict[Key, float], int]:
    """Weights of a value's effect, and the number of pairs of cells; none without a pair."""
    pairs, _ = _pairs(study, axis, value, against, cells)
    weights: dict[Key, float] = {}
    for pair in pairs:
        for cell, sign in zip(pair, (1, -1), strict=True):
            weights[cell] = weights.get(cell, 0.0) + sign / len(pairs)
    return weights, len(pairs)


def _pairs(
    study: StudyCells[Key], axis: str, value: Any, against: Any, cells: Sequence[Cell]
) -> tuple[list[tuple[Key, Key]], tuple[str, ...]]:
    """Pairs of cells with numbers that differ in an axis, and other axes that move along."""
    sides = [[cell for cell in cells if cell.get(axis) == side] for side in (value, against)]
    found = matched(axis, *sides)
    pairs = ((key(a), key(b)) for a, b in found.pairs)
    there = [pair for pair in pairs if all(cell in study.cells for cell in pair)]
    return there, tuple(found.moving)


def _finals(numbers: Numbers, metric: str, cell: Any) -> list[float]:
    return [t.final[metric] for t in numbers.counted(cell) if metric in t.final]
