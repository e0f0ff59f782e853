"""Figures: panels side by side under one caption, with one legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.figures.scene import FONT, Item, Line, Mark, Scene, Text, colour_of, shape_of, text_width

PAGE = 504.0
"""Width of a figure on paper, in points: 7 inches."""
GAP, TITLE, LEGEND_ROW = 8.0, 13.0, 13.0


@dataclass(frozen=True)
class Panel:
    """One small plot."""

    title: str
    scene: Scene


@dataclass(frozen=True)
class Key:
    """How one arm is drawn."""

    name: str
    index: int
    dashed: bool = False


@dataclass(frozen=True)
class Figure:
    """Panels that share their axes. `name` is for files; the caption is self-contained; `table` has
    the drawn numbers, a header first."""

    name: str
    title: str
    caption: str
    rows: tuple[tuple[Panel, ...], ...]
    keys: tuple[Key, ...]
    table: tuple[tuple[object, ...], ...]

    @property
    def across(self) -> int:
        """Most panels side by side."""
        return max(map(len, self.rows))


def in_rows(panels: Sequence[Panel], across: int) -> tuple[tuple[Panel, ...], ...]:
    """Panels in rows of `across`."""
    return tuple(tuple(panels[i : i + across]) for i in range(0, len(panels), across))


def panel_width(across: int) -> float:
    """Width of each of `across` panels side by side; never wider than half a page."""
    return (PAGE - GAP * (max(across, 2) - 1)) / max(across, 2)


def composed(figure: Figure) -> Scene:
    """A figure as one drawing: the legend, then its panels row by row with their titles."""
    items: list[Item] = []
    down = _legend(items, figure.keys) if len(figure.keys) > 1 else 0.0
    right = 0.0
    for row in figure.rows:
        across = 0.0
        for panel in row:
            items.append(Text(across + 2, down + 9, panel.title, bold=True))
            items += [item.moved(across, down + TITLE) for item in panel.scene.items]
            across += panel.scene.width + GAP
        right = max(right, across - GAP)
        down += TITLE + max(panel.scene.height for panel in row) + GAP
    return Scene(max(right, 1.0), max(down - GAP, 1.0), tuple(items))


def key_items(key: Key, x: float, y: float) -> list[Item]:
    """A key's line and mark, 20 wide, around height `y`."""
    colour = colour_of(key.index)
    line = Line(((x, y), (x + 20, y)), colour, 1.1, dashed=key.dashed)
    return [line, Mark(x + 10, y, shape_of(key.index), colour, 4)]


def key_scene(key: Key) -> Scene:
    """The line and mark of a key, for a legend in a page."""
    return Scene(20, 8, tuple(key_items(key, 0, 4)))


def _legend(items: list[Item], keys: Sequence[Key]) -> float:
    x, y = 2.0, 7.0
    for key in keys:
        width = 26 + text_width(key.name)
        if x > 2 and x + width > PAGE:
            x, y = 2.0, y + LEGEND_ROW
        items += key_items(key, x, y)
        items.append(Text(x + 24, y + 0.36 * FONT, key.name))
        x += width + 8
    return y + LEGEND_ROW - 3
