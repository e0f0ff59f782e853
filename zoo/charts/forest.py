"""Effects of each axis as a forest plot: one panel an axis, a row a value less the axis' first.

The same with the effect of the compared axis within each level of the others (interactions).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.charts.curves import compared_axis
from zoo.claims.planned_power import amount
from zoo.errors import listed, plain
from zoo.figures.layout import Figure, Panel, in_rows, panel_width
from zoo.figures.plots import Axis, ForestRow, axis, forest
from zoo.findings.collect import Results
from zoo.findings.format import MINUS
from zoo.findings.interactions import Interaction
from zoo.judging.effects import AxisEffect
from zoo.judging.verdict_text import span
from zoo.trials.metrics import Metric

HOW = (
    "mean over the pairs of cells that differ in nothing else, each pair weighing alike. Trials "
    "that collapsed are left out. Effects decide nothing; claims do."
)


def effects_figure(results: Results) -> Figure | None:
    """The effects that `zoo compare` lists, drawn; None where there is none with a number."""
    found, metric = results.answer.effects, results.answer.metric
    if metric is None or all(effect.effect is None for effect in found):
        return None
    x = _axis(metric, ((e.effect, e.interval) for e in found))
    panels: list[Panel] = []
    for name in dict.fromkeys(effect.axis for effect in found):
        own = [effect for effect in found if effect.axis == name]
        rows = [_row(_name(e), e.effect, e.interval, e.n, metric) for e in own]
        panels.append(_panel(f"{name}, less {plain(own[0].against)}", rows, x, results.made_up))
    note = (
        f"Final numbers of {_named(metric)}: each value of an axis less the first of its axis, "
        f"{HOW} {_intervals([e.interval for e in found])}{_moving(found)}"
    )
    return Figure("effects", "Effects of each axis", note, in_rows(panels, 2), (), _table(results))


def interactions_figure(results: Results, found: Sequence[Interaction]) -> Figure | None:
    """The effect of the compared axis within each level of the others; None without numbers."""
    metric, compared = results.answer.metric, compared_axis(results)
    own = [one for one in found if one.axis == compared]
    if metric is None or all(one.effect is None for one in own):
        return None
    x = _axis(metric, ((one.effect, one.interval) for one in own))
    panels: list[Panel] = []
    for within, value in dict.fromkeys((one.within, plain(one.value)) for one in own):
        same = [one for one in own if (one.within, plain(one.value)) == (within, value)]
        rows = [_row(plain(o.level), o.effect, o.interval, o.n, metric) for o in same]
        title = f"{value} less {plain(same[0].against)}, within {within}"
        panels.append(_panel(title, rows, x, results.made_up))
    note = (
        f"Final numbers of {_named(metric)}: the effect of {compared} within each level of the "
        f"other axes, {HOW} {_intervals([one.interval for one in own])} Whether levels differ is "
        "shown by the interactions in the table, differences of these differences."
    )
    return Figure(
        "interactions",
        f"Effect of {compared} within each level of the other axes",
        note,
        in_rows(panels, 2),
        (),
        tuple(interaction_rows(found)),
    )


def interaction_rows(found: Iterable[Interaction]) -> Iterable[tuple[object, ...]]:
    """A header, then a row for each effect within a level; numbers in the unit of claims."""
    yield (
        *("axis", "value", "against", "within", "level", "pairs", "trials"),
        *("effect", "low", "high", "less_level", "difference", "difference_low"),
        "difference_high",
    )
    for o in found:
        ends, other = o.interval or (None, None), o.difference_interval or (None, None)
        head = (o.axis, plain(o.value), plain(o.against), o.within, plain(o.level), o.pairs, o.n)
        first = plain(o.first) if o.difference is not None else None
        yield (*head, o.effect, *ends, first, o.difference, *other)


def _table(results: Results) -> tuple[tuple[object, ...], ...]:
    rows: list[tuple[object, ...]] = [
        ("axis", "value", "against", "pairs", "trials", "effect", "low", "high")
    ]
    for e in results.answer.effects:
        ends = e.interval or (None, None)
        rows.append((e.axis, plain(e.value), plain(e.against), e.pairs, e.n, e.effect, *ends))
    return tuple(rows)


def _panel(title: str, rows: Sequence[ForestRow], x: Axis, made_up: bool) -> Panel:
    return Panel(title, forest(rows, x, width=panel_width(2), made_up=made_up))


def _axis(metric: Metric, found: Iterable[tuple[float | None, tuple[float, float] | None]]) -> Axis:
    """From the lowest to the highest end of all intervals, with 0 among them and some room."""
    ends = [end for effect, interval in found for end in (effect, *(interval or ()))]
    return axis(f"difference ({metric.unit})", [0.0, *(end for end in ends if end is not None)])


def _named(metric: Metric) -> str:
    return metric.name + ("" if metric.unit == "as logged" else f", in {metric.unit}")


def _name(effect: AxisEffect) -> str:
    return plain(effect.value) + " *" * bool(effect.moving)


def _intervals(found: Iterable[tuple[float, float] | None]) -> str:
    if all(interval is None for interval in found):
        return "One trial a cell, so no intervals."
    return "Bars are 95 % intervals over training seeds, not corrected for their number."


def _moving(found: Iterable[AxisEffect]) -> str:
    told = [f"{plain(e.value)} ({listed(e.moving)})" for e in found if e.moving]
    return f" Other axes move along, marked *: {', '.join(dict.fromkeys(told))}." if told else ""


def _row(
    name: str,
    effect: float | None,
    interval: tuple[float, float] | None,
    n: int,
    metric: Metric,
) -> ForestRow:
    if effect is None:
        return ForestRow(name, "no pair of cells with numbers", None, None)
    figure = f"{'+' * (effect > 0)}{amount(effect, metric.unit).split(' ')[0]}"
    bounds = "" if interval is None else f" ({span(interval, metric.unit)})"
    told = f"{figure}{bounds}".replace("-", MINUS)
    return ForestRow(name, f"{told}, {n} trials", effect, interval)
