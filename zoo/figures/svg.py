"""Scenes as SVG: for inside a page, where ink is the text's colour, and as a file of its own.

All texts are escaped; characters that XML does not have are replaced. No ids, no style sheets, no
links, so that one page can have any number of drawings.
"""

from __future__ import annotations

from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from zoo.figures.scene import INK, Area, Item, Line, Mark, Point, Scene, Text, printable

BLACK = "#1a1d21"
FAMILY = "DejaVu Sans, Helvetica, Arial, sans-serif"


def inline(scene: Scene, label: str) -> str:
    """An SVG to put into a page, which sets its font. `label`: text for screen readers."""
    said = quoteattr(printable(label))
    head = f'<svg viewBox="0 0 {_n(scene.width)} {_n(scene.height)}" role="img" aria-label={said}>'
    return "\n".join([head, *(_item(item, "currentColor") for item in scene.items), "</svg>"])


def document(scene: Scene, label: str, background: Literal["white", "none"] = "white") -> str:
    """An SVG file, on white by default."""
    size = f'width="{_n(scene.width)}pt" height="{_n(scene.height)}pt"'
    box = f'viewBox="0 0 {_n(scene.width)} {_n(scene.height)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} font-family="{FAMILY}">'
    lines = [head, f"<title>{escape(printable(label))}</title>"]
    if background != "none":
        lines.append(f'<rect width="100%" height="100%" fill="{background}"/>')
    return "\n".join([*lines, *(_item(item, BLACK) for item in scene.items), "</svg>", ""])


def _item(item: Item, ink: str) -> str:
    if isinstance(item, Text):
        return _text(item, ink)
    colour = ink if item.colour == INK else item.colour
    if isinstance(item, Line):
        dash = ' stroke-dasharray="3 2"' if item.dashed else ""
        style = f'stroke="{colour}" stroke-width="{_n(item.width)}"{_fade(item.opacity)}{dash}'
        return f'<path d="{_path(item.points)}" fill="none" {style} stroke-linejoin="round"/>'
    if isinstance(item, Area):
        return f'<path d="{_path(item.points)}z" fill="{colour}"{_fade(item.opacity)}/>'
    return _mark(item, colour)


def _mark(item: Mark, colour: str) -> str:
    if item.shape == "circle":
        place = f'cx="{_n(item.x)}" cy="{_n(item.y)}" r="{_n(item.size / 2)}"'
        return f'<circle {place} fill="{colour}"/>'
    if item.shape == "cross":
        half = item.size / 2
        left, right = item.x - half, item.x + half
        top, bottom = item.y - half, item.y + half
        path = f"{_path(((left, top), (right, bottom)))}{_path(((left, bottom), (right, top)))}"
        return f'<path d="{path}" stroke="{colour}" stroke-width="1.2"/>'
    return f'<path d="{_path(item.outline)}z" fill="{colour}"/>'


def _text(item: Text, ink: str) -> str:
    style = f'font-size="{_n(item.size)}" fill="{ink}"{_fade(item.opacity)}'
    if item.anchor != "start":
        style += f' text-anchor="{item.anchor}"'
    if item.bold:
        style += ' font-weight="600"'
    if item.turn:
        style += f' transform="rotate({_n(-item.turn)} {_n(item.x)} {_n(item.y)})"'
    words = escape(printable(item.text))
    return f'<text x="{_n(item.x)}" y="{_n(item.y)}" {style}>{words}</text>'


def _path(points: tuple[Point, ...]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _fade(opacity: float) -> str:
    return "" if opacity == 1 else f' opacity="{_n(opacity)}"'


def _n(value: float) -> str:
    """At most two digits; a hundredth of a point is not seen."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
