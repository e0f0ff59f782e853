"""Effects of each axis as a forest plot: one panel an axis, a row a value less the axis' first."""

from __future__ import annotations

from typing import Any

from zoo.claims.planned_power import amount
from zoo.errors import listed, plain
from zoo.report.collect import Results
from zoo.report.effects import AxisEffect
from zoo.report.svg import INK, PALETTE, Figure, Panel, draw
from zoo.report.verdict_text import span
from zoo.trials.metrics import Metric

WIDTH, ROW = 4.5, 0.44  # inches
MARGINS = (0.12, 0.48, 0.12, 0.05)


def forest(results: Results) -> Figure | None:
    """The effects that `zoo compare` lists, drawn; None where there is none with a number."""
    found, metric = results.answer.effects, results.answer.metric
    if metric is None or all(effect.effect is None for effect in found):
        return None
    limits = _limits(found)
    panels = tuple(
        _panel([e for e in found if e.axis == axis], metric, limits, f"effects{i}", results.made_up)
        for i, axis in enumerate(dict.fromkeys(effect.axis for effect in found))
    )
    unit = "" if metric.unit == "as logged" else f", in {metric.unit}"
    note = (
        f"Final numbers of {metric.name}{unit}: each value of an axis less the first of its axis, "
        "mean over the pairs of cells that differ in nothing else, each pair weighing alike. "
        f"{_intervals(found)} Trials that collapsed are left out. Effects decide nothing; claims "
        f"do.{_moving(found)}"
    )
    return Figure("Effects of each axis", note, panels)


def _intervals(found: tuple[AxisEffect, ...]) -> str:
    if all(effect.interval is None for effect in found):
        return "There is one trial a cell, so that there are no intervals."
    return "Bars are 95 % intervals over training seeds, not corrected for their number."


def _moving(found: tuple[AxisEffect, ...]) -> str:
    told = [f"{plain(e.value)} ({listed(e.moving)})" for e in found if e.moving]
    return f" Other axes move along, marked *: {', '.join(dict.fromkeys(told))}." if told else ""


def _limits(found: tuple[AxisEffect, ...]) -> tuple[float, float]:
    """From the lowest to the highest end of all intervals, with 0 among them and some room."""
    ends = [0.0]
    for effect in found:
        if effect.effect is not None:
            ends += [effect.effect, *(effect.interval or ())]
    low, high = min(ends), max(ends)
    room = 0.06 * ((high - low) or 1.0)
    return low - room, high + room


def _panel(
    effects: list[AxisEffect],
    metric: Metric,
    limits: tuple[float, float],
    salt: str,
    made_up: bool,
) -> Panel:
    against = plain(effects[0].against)

    def paint(axes: Any) -> None:
        axes.set_xlim(*limits)
        axes.set_ylim(len(effects) - 0.35, -0.65)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.axvline(0, color=INK, linewidth=0.9)
        axes.set_xlabel(f"less {against} ({metric.unit})", color=INK, labelpad=3, parse_math=False)
        for place, effect in enumerate(effects):
            _row(axes, place, effect, metric)

    height = ROW * len(effects) + MARGINS[1] + MARGINS[3]
    svg = draw(paint, salt, size=(WIDTH, height), margins=MARGINS, made_up=made_up)
    return Panel(f"{effects[0].axis}, less {against}", svg)


def _row(axes: Any, place: int, effect: AxisEffect, metric: Metric) -> None:
    text = {"color": INK, "size": 9, "va": "bottom", "parse_math": False}
    across = axes.get_yaxis_transform()
    name = plain(effect.value) + " *" * bool(effect.moving)
    axes.text(0, place - 0.16, name, transform=across, ha="left", **text)
    told = _told(effect, metric)
    axes.text(1, place - 0.16, told, transform=across, ha="right", **text)
    if effect.effect is None:
        return
    colour = PALETTE[0]
    if effect.interval is not None:
        axes.plot(effect.interval, (place, place), color=colour, linewidth=1.8)
    axes.plot([effect.effect], [place], color=colour, marker="o", markersize=6, markeredgewidth=0)


def _told(effect: AxisEffect, metric: Metric) -> str:
    if effect.effect is None:
        return "no pair of cells with numbers"
    figure = f"{'+' * (effect.effect > 0)}{amount(effect.effect, metric.unit).split(' ')[0]}"
    bounds = "" if effect.interval is None else f" ({span(effect.interval, metric.unit)})"
    return f"{figure}{bounds}, {effect.n} trials"
