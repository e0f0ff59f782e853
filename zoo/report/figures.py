"""Learning curves as small SVG panels: one a data x reward (and further axes), a colour a model.

Each panel is an SVG of its own, so that a page can reflow them on a phone. The palette is Okabe
and Ito's, and markers repeat what colours say. Same results, same bytes: no dates, fixed ids. Text
takes the page's colour (dark or light).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from zoo.errors import listed
from zoo.report.collect import Results
from zoo.runs.finals import measured_by
from zoo.runs.outcome import Outcome
from zoo.trials.trial import Evaluation

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
MARKERS = "osD^vPX<>h"
INK = "#010203"  # becomes `currentColor` in the page
Points = dict[int, float]


@dataclass(frozen=True)
class Key:
    """How one model is drawn, for the legend beside the panels."""

    model: str
    colour: str
    marker: str
    """The marker's shape as SVG path data in a 12 x 12 box."""


@dataclass(frozen=True)
class Panel:
    """One small plot. `svg` is made here and trusted; `title` is text."""

    title: str
    svg: str


@dataclass(frozen=True)
class Figure:
    """A row of panels that share their axes."""

    title: str
    note: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class _Curve:
    model: str
    seed: int
    points: Points
    broken: bool


@dataclass(frozen=True)
class _Kind:
    """A figure to be: name, axis label, factor of values, limits (None = from the data)."""

    title: str
    note: str
    label: str
    scale: float
    limits: tuple[float, float] | None
    pick: Callable[[Outcome], Points]


def figures(results: Results) -> list[Figure]:
    """Curves of reward, accuracy and response length; figures without a point are left out."""
    groups: dict[str, list[Outcome]] = {}
    for found in results.outcomes:
        groups.setdefault(_group(found), []).append(found)
    colours = {model: i for i, model in enumerate(results.values("model"))}
    made = []
    for number, kind in enumerate(_kinds(results)):
        curves = {title: _curves(members, kind) for title, members in groups.items()}
        if any(curve.points for panel in curves.values() for curve in panel):
            made.append(_figure(results, kind, curves, colours, f"zoo{number}"))
    return made


def legend(results: Results) -> list[Key]:
    """One key a model, in the manifest's order."""
    shapes = {
        "o": "M6 2a4 4 0 1 0 .01 0z",
        "s": "M2.5 2.5h7v7h-7z",
        "D": "M6 1l5 5-5 5-5-5z",
        "^": "M6 1.5l5 9H1z",
        "v": "M6 10.5l5-9H1z",
    }
    return [
        Key(
            str(model),
            PALETTE[i % len(PALETTE)],
            shapes.get(MARKERS[i % len(MARKERS)], shapes["o"]),
        )
        for i, model in enumerate(results.values("model"))
    ]


def across(results: Results) -> int:
    """Panels side by side: one a training set where there are two or three."""
    sets = len(results.values("data"))
    return (
        sets
        if sets in (2, 3)
        else min(3, max(1, len({_group(found) for found in results.outcomes})))
    )


def _group(found: Outcome) -> str:
    """Title of the panel that a trial belongs to: data, reward, and any further axis by name."""
    cell = found.trial.cell
    more = [
        f"{axis} {value}" for axis, value in cell.items() if axis not in ("model", "data", "reward")
    ]
    return " · ".join([str(cell.get("data")), str(cell.get("reward")), *more])


def _kinds(results: Results) -> list[_Kind]:
    accuracy_note, accuracy = _accuracy(results)
    return [
        _Kind(
            "Reward",
            "Mean reward of a round's training completions.",
            "reward",
            1,
            None,
            _train("train/reward"),
        ),
        _Kind("Accuracy", accuracy_note, "accuracy (%)", 100, (0, 100), accuracy),
        _Kind(
            "Response length",
            "Mean length of a round's training completions; cut ones count at the cap.",
            "tokens",
            1,
            None,
            _train("train/completions/mean_length"),
        ),
    ]


def _train(metric: str) -> Callable[[Outcome], Points]:
    return lambda found: {r: m[metric] for r, m in found.rounds.items() if metric in m}


def _accuracy(results: Results) -> tuple[str, Callable[[Outcome], Points]]:
    """Held-out accuracy where it was measured on the way, else that of the training completions."""
    often = max((len(e.rounds) for o in results.outcomes for e in o.trial.evaluations), default=0)
    if often < 3:
        note = "Share of right answers among a round's training completions."
        return note, _train("train/accuracy")
    drawn = dict.fromkeys(_drawn(found).metric("acc") for found in results.outcomes)
    note = (
        "Held-out accuracy on the benchmark named as the training data, else on the manifest's "
        "first, under its most frequently measured decoding, always on the same problems: "
        f"{listed(drawn)}."
    )
    return note, _watched


def _drawn(found: Outcome) -> Evaluation:
    """The evaluation whose curve is drawn."""
    plans = found.trial.evaluations
    names = [e.benchmark.name for e in plans]
    wanted = found.trial.data.name if found.trial.data.name in names else names[0]
    return max((e for e in plans if e.benchmark.name == wanted), key=lambda e: len(e.rounds))


def _watched(found: Outcome) -> Points:
    by_round = measured_by(_drawn(found), found.measured)
    return {r: m.values["acc"] for r, m in sorted(by_round.items()) if "acc" in m.values}


def _curves(members: list[Outcome], kind: _Kind) -> list[_Curve]:
    return [
        _Curve(
            str(found.trial.cell.get("model")),
            found.trial.seed,
            {r: kind.scale * v for r, v in kind.pick(found).items()},
            found.state in ("stopped", "failed", "preempted", "unfinished"),
        )
        for found in members
    ]


def _figure(
    results: Results,
    kind: _Kind,
    curves: dict[str, list[_Curve]],
    colours: dict[Any, int],
    salt: str,
) -> Figure:
    values = [v for panel in curves.values() for curve in panel for v in curve.points.values()]
    low, high = min(0.0, *values), max(values)
    pad = 0.06 * ((high - low) or 1.0)
    limits = kind.limits or (low - pad if low < 0 else 0.0, high + pad)
    completions = {o.trial.batch.completions for o in results.outcomes}
    each = f" (1 round = {completions.pop():,} completions)" if len(completions) == 1 else ""
    panels = tuple(
        Panel(
            title,
            _draw(panel, kind.label, f"rounds{each}", limits, results, colours, f"{salt}-{i}"),
        )
        for i, (title, panel) in enumerate(curves.items())
    )
    return Figure(kind.title, kind.note, panels)


def _draw(
    curves: list[_Curve],
    label: str,
    rounds: str,
    limits: tuple[float, float],
    results: Results,
    colours: dict[Any, int],
    salt: str,
) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    style: dict[Any, Any] = {
        "svg.hashsalt": salt,
        "svg.fonttype": "none",
        "font.size": 9.5,
        "font.family": "DejaVu Sans",
    }
    with rc_context(style):
        canvas = Canvas(figsize=(4.5, 2.9))
        FigureCanvasSVG(canvas)
        axes = canvas.add_axes((0.125, 0.165, 0.86, 0.79))
        _paint(axes, label, rounds, limits, results.experiment.rounds)
        for model in dict.fromkeys(curve.model for curve in curves):
            _plot(axes, [c for c in curves if c.model == model], colours[model])
        if results.made_up:
            middle = (0.5, 0.5, "NOT REAL")
            axes.text(
                *middle,
                transform=axes.transAxes,
                ha="center",
                va="center",
                size=22,
                alpha=0.12,
                rotation=18,
            )
        out = io.StringIO()
        canvas.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return _inline(out.getvalue(), salt)


def _paint(axes: Any, label: str, rounds: str, limits: tuple[float, float], horizon: int) -> None:
    """Axes without clutter: two spines, a light grid, all ink in the page's colour."""
    axes.set_xlim(-0.02 * horizon, 1.02 * horizon)
    axes.set_ylim(*limits)
    axes.set_xlabel(rounds, color=INK, labelpad=3)
    axes.set_ylabel(label, color=INK, labelpad=3)
    axes.locator_params(axis="x", nbins=7, integer=True)
    axes.locator_params(axis="y", nbins=6)
    axes.tick_params(colors=INK, length=3, width=0.6, labelsize=9)
    axes.grid(color=INK, alpha=0.12, linewidth=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_linewidth(0.6)


def _plot(axes: Any, curves: list[_Curve], index: int) -> None:
    """One model: mean over seeds, thin lines for the seeds, a cross where a trial broke off."""
    colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
    curves = [c for c in curves if c.points]
    if not curves:
        return
    whole = [c for c in curves if not c.broken] or curves
    shared = sorted(set.intersection(*(set(c.points) for c in whole)))
    mean = [fmean(c.points[r] for c in whole) for r in shared]
    style = {
        "color": colour,
        "marker": marker,
        "markersize": 3.6,
        "markeredgewidth": 0,
        "linewidth": 1.6,
    }
    axes.plot(shared, mean, markevery=max(1, len(shared) // 8), **style)
    for curve in curves:
        rounds = sorted(curve.points)
        values = [curve.points[r] for r in rounds]
        if len(curves) > 1:
            axes.plot(rounds, values, color=colour, linewidth=0.7, alpha=0.45)
        if curve.broken:
            axes.plot(
                rounds[-1:],
                values[-1:],
                marker="x",
                color=colour,
                markersize=8,
                markeredgewidth=1.8,
            )


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
