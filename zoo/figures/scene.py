"""Shapes on a page: lines, areas, marks, texts. Lengths are in points (1/72
inch), y grows downward.

The palette is Okabe and Ito's, which people with any colour vision can distinguish, and four more;
marks repeat the information of colours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

INK = "ink"
"""The colour of axes and texts: black on paper, the text's colour in a page."""
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#8A8A8A",
    "#7A5195",
    "#A6761D",
    "#66A61E",
)
Shape = Literal["circle", "square", "diamond", "up", "down", "cross"]
SHAPES: tuple[Shape, ...] = ("circle", "square", "diamond", "up", "down")
Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]
FONT = 7.5


def colour_of(index: int) -> str:
    """The colour of an arm, by its index."""
    return PALETTE[index % len(PALETTE)]


def shape_of(index: int) -> Shape:
    """The mark of an arm, by its index: 50 arms differ in colour or mark."""
    return SHAPES[(index + index // len(PALETTE)) % len(SHAPES)]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    colour: str = INK
    width: float = 0.5
    opacity: float = 1.0
    dashed: bool = False

    def moved(self, dx: float, dy: float) -> Line:
        """The same elsewhere."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    colour: str
    opacity: float = 0.18

    def moved(self, dx: float, dy: float) -> Area:
        """The same elsewhere."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True, slots=True)
class Mark:
    """A small shape around a point; `size` is its width."""

    x: float
    y: float
    shape: Shape
    colour: str
    size: float = 3.4

    def moved(self, dx: float, dy: float) -> Mark:
        """The same elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)

    @property
    def outline(self) -> tuple[Point, ...]:
        """Its corners; of a circle none."""
        corners: dict[str, tuple[Point, ...]] = {
            "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
            "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
            "up": ((0, -1.15), (1.1, 0.9), (-1.1, 0.9)),
            "down": ((0, 1.15), (1.1, -0.9), (-1.1, -0.9)),
        }
        half = self.size / 2
        return tuple((self.x + half * x, self.y + half * y) for x, y in corners.get(self.shape, ()))


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; `y` is its baseline. `turn`: degrees, counter-clockwise."""

    x: float
    y: float
    text: str
    size: float = FONT
    anchor: Anchor = "start"
    bold: bool = False
    turn: float = 0.0
    opacity: float = 1.0

    def moved(self, dx: float, dy: float) -> Text:
        """The same elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


Item = Line | Area | Mark | Text


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawing: its size and its shapes, the later ones on top."""

    width: float
    height: float
    items: tuple[Item, ...]


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text is; fonts differ, so leave some room."""
    return 0.58 * size * len(text)


_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """A text without characters that neither XML nor a font has."""
    return _NOT_XML.sub("\ufffd", text)
