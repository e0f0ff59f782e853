"""All figures of a report, numbered in the order of the page, and their files: SVG, PDF and the
numbers that are drawn as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.charts.curves import curve_figures
from zoo.charts.forest import effects_figure, interactions_figure
from zoo.charts.pass_at_k import pass_figures
from zoo.figures.layout import Figure, Key, composed, key_scene
from zoo.figures.pdf import pdf
from zoo.figures.svg import document, inline
from zoo.findings.collect import Results
from zoo.findings.interactions import Interaction, interactions_of
from zoo.store.run_store import replacing, write_text

FOLDER = "report/figures"
CSS_PIXELS = 2.0
"""Widest that a point of a panel gets in the page, in CSS pixels."""


@dataclass(frozen=True)
class NumberedFigure:
    """A figure with its position in the report and its section."""

    number: int
    section: str
    figure: Figure

    @property
    def stem(self) -> str:
        """Name of its files, without the ending."""
        return f"figure-{self.number}-{self.figure.name}"

    @property
    def caption(self) -> str:
        """The caption with the title, as text."""
        return f"{self.figure.title}. {self.figure.caption}"

    @property
    def panel_px(self) -> int:
        """Widest that a panel gets in the page."""
        return round(CSS_PIXELS * self.figure.rows[0][0].scene.width)

    @property
    def rows(self) -> list[list[tuple[str, str]]]:
        """(title, SVG) of each panel, by row. The SVG is generated here and needs no escaping."""
        return [[(p.title, inline(p.scene, p.title)) for p in row] for row in self.figure.rows]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """(name, SVG) of each arm; none where there is only one."""
        keys: tuple[Key, ...] = self.figure.keys
        return [(key.name, inline(key_scene(key), "")) for key in keys] if len(keys) > 1 else []


def figures(results: Results, within: Sequence[Interaction] | None = None) -> list[NumberedFigure]:
    """All figures that have data. `within`: the interactions, if known."""
    within = interactions_of(results) if within is None else within
    found: list[tuple[str, Figure | None]] = [
        ("effects", effects_figure(results)),
        ("interactions", interactions_figure(results, within)),
        *(("curves", figure) for figure in curve_figures(results)),
        *(("pass", figure) for figure in pass_figures(results)),
    ]
    there = [(section, figure) for section, figure in found if figure is not None]
    return [NumberedFigure(i, section, figure) for i, (section, figure) in enumerate(there, 1)]


def write_figures(found: Iterable[NumberedFigure], folder: Path) -> None:
    """Write `report/figures/figure-N-NAME.{svg,pdf,csv}` into a sweep's folder; those of an earlier
    report go."""
    place = folder / FOLDER
    kept: set[str] = set()
    for one in found:
        scene = composed(one.figure)
        texts = {"svg": document(scene, one.caption), "csv": as_csv(one.figure.table)}
        for ending, text in texts.items():
            write_text(place / f"{one.stem}.{ending}", text, durable=False)
        with replacing(place / f"{one.stem}.pdf") as beside:
            beside.write_bytes(pdf(scene))
        kept |= {f"{one.stem}.{ending}" for ending in (*texts, "pdf")}
    for path in place.glob("figure-*"):
        if path.name not in kept:
            path.unlink()


def as_csv(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
