"""Scenes as PDF, by matplotlib: fonts are embedded as TrueType, as journals require; no dates.

One weight of one font per file: subsetting fonts takes most of the time.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

from zoo.figures.scene import INK, Area, Item, Line, Scene, Text, printable
from zoo.figures.svg import BLACK

STYLE: dict[Any, Any] = {"pdf.fonttype": 42, "font.family": "DejaVu Sans", "pdf.compression": 6}


def pdf(scene: Scene) -> bytes:
    """A PDF of one page of the scene's size."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of characters that the font lacks
        canvas = Figure(figsize=(scene.width / 72, scene.height / 72))
        FigureCanvasPdf(canvas)
        for order, item in enumerate(scene.items):
            for artist in _artists(item, scene):
                artist.set_zorder(order)
                canvas.add_artist(artist)
        none = dict.fromkeys(("Creator", "Producer", "CreationDate"))
        canvas.savefig(out, format="pdf", metadata=none, transparent=True)
    return out.getvalue()


def _artists(item: Item, scene: Scene) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon
    from matplotlib.text import Text as Words

    def at(x: float, y: float) -> tuple[float, float]:
        return x / scene.width, 1 - y / scene.height

    if isinstance(item, Text):
        x, y = at(item.x, item.y)
        align = {"start": "left", "middle": "center", "end": "right"}[item.anchor]
        words = Words(
            x, y, printable(item.text), color=BLACK, alpha=item.opacity, ha=align, va="baseline",
            size=item.size, rotation=item.turn, rotation_mode="anchor", parse_math=False,
        )  # fmt: skip
        return [words]
    colour = BLACK if item.colour == INK else item.colour
    if isinstance(item, Line):
        xs, ys = zip(*(at(*point) for point in item.points), strict=True)
        style: Any = {"linewidth": item.width, "alpha": item.opacity, "solid_joinstyle": "round"}
        return [Line2D(xs, ys, color=colour, linestyle="--" if item.dashed else "-", **style)]
    if isinstance(item, Area):
        corners = [at(*point) for point in item.points]
        return [Polygon(corners, color=colour, alpha=item.opacity, linewidth=0)]
    x, y = at(item.x, item.y)
    shape = {"circle": "o", "square": "s", "diamond": "D", "up": "^", "down": "v", "cross": "x"}
    mark: Any = {"marker": shape[item.shape], "markersize": item.size}
    mark["markeredgewidth"] = 1.2 if item.shape == "cross" else 0
    return [Line2D([x], [y], color=colour, linestyle="", **mark)]
