"""Drawings for the page: SVG with ink in the page's colour (dark or light) and ids of its own.

Same drawing, same bytes: no dates, fixed ids.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

INK = "#010203"  # becomes `currentColor` in the page
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


@dataclass(frozen=True)
class Panel:
    """One small plot. `svg` is made here and trusted; `title` is text."""

    title: str
    svg: str


@dataclass(frozen=True)
class Figure:
    """Panels that share their axes; `note` says all that they need to be read."""

    title: str
    note: str
    panels: tuple[Panel, ...]


def draw(
    paint: Callable[[Any], None],
    salt: str,
    *,
    size: tuple[float, float],
    margins: tuple[float, float, float, float],
    made_up: bool,
) -> str:
    """An SVG of one plot.

    Args:
        paint: draws on matplotlib axes.
        salt: sets this drawing's ids apart from those of all others on the page.
        size: width and height in inches.
        margins: left, bottom, right, top in inches.
        made_up: whether it is marked as not real.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    style: dict[Any, Any] = {
        "svg.hashsalt": salt,
        "svg.fonttype": "none",
        "font.size": 9.5,
        "font.family": "DejaVu Sans",
    }
    (width, height), (left, bottom, right, top) = size, margins
    with rc_context(style):
        canvas = Canvas(figsize=size)
        FigureCanvasSVG(canvas)
        place = (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - bottom - top) / height,
        )
        axes = canvas.add_axes(place)
        _bare(axes)
        paint(axes)
        if made_up:
            mark = {"ha": "center", "va": "center", "alpha": 0.12, "rotation": 18}
            mark["size"] = min(22, 14 * height)
            axes.text(0.5, 0.5, "NOT REAL", transform=axes.transAxes, **mark)
        out = io.StringIO()
        canvas.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return _inline(out.getvalue(), salt)


def _bare(axes: Any) -> None:
    """Axes without clutter: two spines, a light grid, all ink in the page's colour."""
    axes.tick_params(colors=INK, length=3, width=0.6, labelsize=9)
    axes.grid(color=INK, alpha=0.12, linewidth=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_linewidth(0.6)


def _inline(svg: str, salt: str) -> str:
    """An SVG for use inside a page: own ids, ink as `currentColor`, no prolog or metadata."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r'(<g) id="[^"]*"', r"\1", svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{salt}-", svg)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" role="img">', svg, count=1
    )
    svg = svg.replace("xlink:href", "href").replace(INK, "currentColor")
    svg = re.sub(
        r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, flags=re.S
    )  # it would style the whole page
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    return re.sub(r"\n\s*", "\n", svg).strip()
