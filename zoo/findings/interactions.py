"""Interactions of two axes: the effect of one within each level of the other, and by how much it
differs from that within the first level (a difference of differences).

Shown beside verdicts and decides nothing: intervals are at 95 % and not corrected. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import plain
from zoo.findings.collect import Results
from zoo.judging.answer import varied_axes
from zoo.judging.effects import pair_weights
from zoo.judging.numbers import Numbers
from zoo.trials.grid import Cell


@dataclass(frozen=True)
class Interaction:
    """A value of an axis less the axis' first, within one level of another axis. Numbers are in the
    unit of claims."""

    axis: str
    value: Any
    against: Any
    within: str
    level: Any
    pairs: int
    n: int
    """Trials."""
    effect: float | None
    interval: tuple[float, float] | None
    first: Any
    """The level that `difference` is against."""
    difference: float | None
    """This effect less that within the first level; None for the first level itself."""
    difference_interval: tuple[float, float] | None


def interactions(numbers: Numbers, metric: str, cells: Sequence[Cell]) -> list[Interaction]:
    """All ordered pairs of axes that vary, in the manifest's order."""
    axes = varied_axes(cells)
    return [
        one
        for axis in axes
        for within in axes
        if axis != within
        for one in _pair(numbers, metric, axis, within, cells)
    ]


def interactions_of(results: Results) -> list[Interaction]:
    """Those of a report: by the metric of its effects; none without one."""
    found = results.answer
    if found.metric is None:
        return []
    return interactions(found.numbers, found.metric.name, found.numbers.cells)


def _pair(
    numbers: Numbers, metric: str, axis: str, within: str, cells: Sequence[Cell]
) -> list[Interaction]:
    against, *values = dict.fromkeys(cell.get(axis) for cell in cells)
    levels = list(dict.fromkeys(cell.get(within) for cell in cells))
    at = {plain(level): [c for c in cells if c.get(within) == level] for level in levels}
    study = numbers.study(metric)
    found: list[Interaction] = []
    for value in values:
        first, _ = pair_weights(study, axis, value, against, at[plain(levels[0])])
        for level in levels:
            weights, pairs = pair_weights(study, axis, value, against, at[plain(level)])
            effect = study.estimate(weights) if weights else None
            difference = None
            if weights and first and level != levels[0]:
                less = {key: -weight for key, weight in first.items()}
                difference = study.estimate(weights | less)
            found.append(
                Interaction(
                    axis,
                    value,
                    against,
                    within,
                    level,
                    pairs,
                    effect.n if effect else 0,
                    effect.value if effect else None,
                    effect.interval() if effect and effect.judged else None,
                    levels[0],
                    difference.value if difference else None,
                    difference.interval() if difference and difference.judged else None,
                )
            )
    return found
