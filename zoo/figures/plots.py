"""Panels: curves with bands, and rows of estimates with intervals (forest plots)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.figures.scene import FONT, INK, Area, Item, Line, Mark, Scene, Text, colour_of, shape_of

LEFT, RIGHT, TOP, BOTTOM = 36.0, 6.0, 6.0, 27.0
ROW, UNDER_TEXT = 25.0, 11.5
MINUS = "\N{MINUS SIGN}"
Ticks = tuple[tuple[float, str], ...]
INTERVAL_COLOUR = colour_of(0)


@dataclass(frozen=True)
class Axis:
    """A linear axis: label, range and ticks."""

    label: str
    low: float
    high: float
    ticks: Ticks

    def at(self, value: float, start: float, end: float) -> float:
        """Position of a value between the positions of both ends."""
        return start + (value - self.low) / (self.high - self.low) * (end - start)


@dataclass(frozen=True)
class Curve:
    """A line, its colour by index, and a band around it."""

    index: int
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()
    """(x, low, high)"""
    faint: bool = False
    cut: bool = False
    """Ends with a cross: the series ended early."""
    dashed: bool = False


@dataclass(frozen=True)
class ForestRow:
    """An estimate with its interval and its text."""

    name: str
    told: str
    value: float | None
    interval: tuple[float, float] | None


def axis(label: str, values: Iterable[float], *, zero: bool = True, most: int = 5) -> Axis:
    """An axis for these values with some room, from 0 unless they go below or `zero` is False."""
    found = list(values) or [0.0, 1.0]
    low, high = min(found), max(found)
    if zero:
        low, high = min(0.0, low), max(0.0, high)
    room = 0.05 * ((high - low) or abs(high) or 1.0)
    low = low if zero and low == 0 else low - room
    high = high + room
    return Axis(label, low, high, nice_ticks(low, high, most))


def nice_ticks(low: float, high: float, most: int) -> Ticks:
    """Round numbers between both ends, at most `most` + 1."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    digits += abs(step * 10**digits - round(step * 10**digits)) > 1e-9
    return tuple(
        (i * step, f"{i * step + 0.0:,.{digits}f}".replace("-", MINUS))
        for i in range(first, last + 1)
    )


def curves(
    found: Sequence[Curve], x: Axis, y: Axis, *, size: tuple[float, float], made_up: bool = False
) -> Scene:
    """A panel of curves."""
    width, height = size
    left, right, top, bottom = LEFT, width - RIGHT, TOP, height - BOTTOM

    def place(at: float, value: float) -> tuple[float, float]:
        return x.at(at, left, right), y.at(value, bottom, top)

    items: list[Item] = [*_frame(x, y, (left, right, top, bottom))]
    for curve in found:
        if len(curve.band) > 1:
            up = [place(at, high) for at, _, high in curve.band]
            down = [place(at, low) for at, low, _ in reversed(curve.band)]
            items.append(Area((*up, *down), colour_of(curve.index)))
    for curve in found:
        items += _curve(curve, [place(*point) for point in curve.points])
    if made_up:
        items.append(_not_real((left + right) / 2, (top + bottom) / 2, min(16.0, height / 6)))
    return Scene(width, height, tuple(items))


def _curve(curve: Curve, points: list[tuple[float, float]]) -> list[Item]:
    colour, items = colour_of(curve.index), list[Item]()
    if len(points) > 1:
        style = (0.5, 0.5) if curve.faint else (1.1, 1.0)
        items.append(Line(tuple(points), colour, *style, dashed=curve.dashed))
    if not curve.faint:
        every = max(1, len(points) // 8)
        items += [Mark(px, py, shape_of(curve.index), colour) for px, py in points[::every]]
    if curve.cut and points:
        items.append(Mark(*points[-1], "cross", colour, 5.5))
    return items


def _frame(x: Axis, y: Axis, box: tuple[float, float, float, float]) -> Iterable[Item]:
    left, right, top, bottom = box
    for value, text in x.ticks:
        at = x.at(value, left, right)
        yield Line(((at, top), (at, bottom)), opacity=0.12)
        yield Text(at, bottom + 9, text, anchor="middle")
    for value, text in y.ticks:
        at = y.at(value, bottom, top)
        yield Line(((left, at), (right, at)), opacity=0.12)
        yield Text(left - 3, at + 0.36 * FONT, text, anchor="end")
    yield Line(((left, top), (left, bottom), (right, bottom)))
    yield Text((left + right) / 2, bottom + 20, x.label, anchor="middle")
    yield Text(8, (top + bottom) / 2, y.label, anchor="middle", turn=90)


def forest(rows: Sequence[ForestRow], x: Axis, *, width: float, made_up: bool = False) -> Scene:
    """A panel of estimates, a row each, with a line at 0. Vertical lines span only the marks, so
    that none crosses a text."""
    left, right, top = 6.0, width - 6.0, 4.0
    bottom = top + ROW * len(rows)
    items: list[Item] = []
    for value, text in x.ticks:
        items.append(Text(x.at(value, left, right), bottom + 9, text, anchor="middle"))
    items.append(Line(((left, bottom), (right, bottom))))
    items.append(Text((left + right) / 2, bottom + 20, x.label, anchor="middle"))
    for i, row in enumerate(rows):
        y = top + ROW * i
        for value, _ in x.ticks:
            at = x.at(value, left, right)
            items.append(Line(((at, y + UNDER_TEXT), (at, y + ROW)), opacity=0.12))
        zero = x.at(0.0, left, right)
        items.append(Line(((zero, y + UNDER_TEXT), (zero, y + ROW)), INK, 0.8))
        items.append(Text(left, y + 9, row.name))
        items.append(Text(right, y + 9, row.told, anchor="end"))
        if row.value is None:
            continue
        if row.interval is not None:
            ends = tuple((x.at(end, left, right), y + 17) for end in row.interval)
            items.append(Line(ends, INTERVAL_COLOUR, 1.4))
        items.append(Mark(x.at(row.value, left, right), y + 17, "circle", INTERVAL_COLOUR, 4.6))
    if made_up:
        size = min(16.0, (bottom - top) / 3)
        items.append(_not_real((left + right) / 2, (top + bottom) / 2, size))
    return Scene(width, bottom + BOTTOM - 3, tuple(items))


def _not_real(x: float, y: float, size: float) -> Text:
    """The mark of simulated numbers."""
    return Text(x, y, "NOT REAL", size=size, anchor="middle", bold=True, turn=18, opacity=0.13)
