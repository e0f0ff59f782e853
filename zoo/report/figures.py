"""Learning curves as small SVG panels, a colour an arm.

Of single seeds an arm is a model, and there is a panel for each data x reward (and further axes).
Where cells have several trials, arms are the values of the axis that the first claim compares; then
models are panels, a line is the mean over seeds and a band reaches from the lowest to the highest.
Each panel is an SVG of its own, so that a page can reflow them on a phone. The palette is Okabe
and Ito's, and markers repeat what colours say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from zoo.errors import listed, plain
from zoo.report.answer import varied_axes
from zoo.report.collect import Results
from zoo.report.svg import INK, PALETTE, Figure, Panel, draw
from zoo.runs.finals import measured_by
from zoo.runs.outcome import Outcome
from zoo.trials.trial import Evaluation

MARKERS = "osD^vPX<>h"
MARGINS = (0.56, 0.48, 0.07, 0.13)
Points = dict[int, float]


@dataclass(frozen=True)
class Key:
    """How one arm is drawn, for the legend beside the panels."""

    arm: str
    colour: str
    marker: str
    """The marker's shape as SVG path data in a 12 x 12 box."""


@dataclass(frozen=True)
class _Curve:
    arm: str
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
    arm = arm_axis(results)
    groups: dict[str, list[Outcome]] = {}
    for found in results.outcomes:
        groups.setdefault(_group(found, arm), []).append(found)
    colours = {plain(value): i for i, value in enumerate(results.values(arm))}
    made: list[Figure] = []
    for number, kind in enumerate(_kinds(results)):
        curves = {title: _curves(members, kind, arm) for title, members in groups.items()}
        if any(curve.points for panel in curves.values() for curve in panel):
            made.append(_figure(results, kind, curves, colours, f"zoo{number}"))
    return made


def arm_axis(results: Results) -> str:
    """The axis whose values are told apart by colour."""
    cells = results.answer.numbers.cells
    if not seeds_averaged(results):
        return "model"
    varied = [axis for axis in varied_axes(cells) if axis != "model"]
    claimed = [claim.axis for claim in results.experiment.claims]
    return next((axis for axis in [*claimed, *varied] if axis in varied), "model")


def seeds_averaged(results: Results) -> bool:
    """Whether a cell has several trials, so that curves are means with bands."""
    return any(len(trials) > 1 for trials in results.answer.numbers.by_cell.values())


def legend(results: Results) -> list[Key]:
    """One key an arm, in the manifest's order."""
    shapes = {
        "o": "M6 2a4 4 0 1 0 .01 0z",
        "s": "M2.5 2.5h7v7h-7z",
        "D": "M6 1l5 5-5 5-5-5z",
        "^": "M6 1.5l5 9H1z",
        "v": "M6 10.5l5-9H1z",
    }
    return [
        Key(
            plain(value),
            PALETTE[i % len(PALETTE)],
            shapes.get(MARKERS[i % len(MARKERS)], shapes["o"]),
        )
        for i, value in enumerate(results.values(arm_axis(results)))
    ]


def across(results: Results) -> int:
    """Panels side by side: a row a model where arms are not models, else one a training set where
    there are two or three."""
    arm = arm_axis(results)
    panels = len({_group(found, arm) for found in results.outcomes})
    row = len(results.values("data")) if arm == "model" else panels // len(results.values("model"))
    return row if row in (2, 3) else min(3, max(1, panels))


def _group(found: Outcome, arm: str) -> str:
    """Title of the panel that a trial belongs to: model, data, reward, and any further axis by
    name, but for the one that colours tell apart."""
    cell = found.trial.cell
    named = ("model", "data", "reward")
    parts = [str(cell.get(axis)) for axis in named if axis != arm]
    parts += [f"{axis} {v}" for axis, v in cell.items() if axis not in (*named, arm)]
    return " · ".join(parts)


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


def _curves(members: list[Outcome], kind: _Kind, arm: str) -> list[_Curve]:
    return [
        _Curve(
            plain(found.trial.cell.get(arm)),
            {r: kind.scale * v for r, v in kind.pick(found).items()},
            found.state in ("stopped", "failed", "preempted", "unfinished"),
        )
        for found in members
    ]


def _figure(
    results: Results,
    kind: _Kind,
    curves: dict[str, list[_Curve]],
    colours: dict[str, int],
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
    return Figure(kind.title, f"{kind.note} {_drawn_words(results)}", panels)


def _drawn_words(results: Results) -> str:
    """How arms and seeds are drawn, a sentence."""
    arm = arm_axis(results)
    words = f"Colours: {arm}; panels: the other axes."
    if not seeds_averaged(results):
        return words
    return f"{words} Lines: means over seeds; bands: from the lowest seed to the highest."


def _draw(
    curves: list[_Curve],
    label: str,
    rounds: str,
    limits: tuple[float, float],
    results: Results,
    colours: dict[str, int],
    salt: str,
) -> str:
    def paint(axes: Any) -> None:
        _paint(axes, label, rounds, limits, results.experiment.rounds)
        for arm in dict.fromkeys(curve.arm for curve in curves):
            _plot(axes, [c for c in curves if c.arm == arm], colours[arm])

    return draw(paint, salt, size=(4.5, 2.9), margins=MARGINS, made_up=results.made_up)


def _paint(axes: Any, label: str, rounds: str, limits: tuple[float, float], horizon: int) -> None:
    """Axes without clutter: two spines, a light grid, all ink in the page's colour."""
    axes.set_xlim(-0.02 * horizon, 1.02 * horizon)
    axes.set_ylim(*limits)
    axes.set_xlabel(rounds, color=INK, labelpad=3)
    axes.set_ylabel(label, color=INK, labelpad=3)
    axes.locator_params(axis="x", nbins=7, integer=True)
    axes.locator_params(axis="y", nbins=6)


def _plot(axes: Any, curves: list[_Curve], index: int) -> None:
    """One arm: mean over seeds, a band from the lowest to the highest, and each trial that broke
    off as a thin line with a cross at its end."""
    colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
    curves = [c for c in curves if c.points]
    if not curves:
        return
    whole = [c for c in curves if not c.broken] or curves
    shared = sorted(set.intersection(*(set(c.points) for c in whole)))
    at = [[c.points[r] for c in whole] for r in shared]
    if len(whole) > 1:
        low, high = [min(v) for v in at], [max(v) for v in at]
        axes.fill_between(shared, low, high, color=colour, alpha=0.18, linewidth=0)
    style = {
        "color": colour,
        "marker": marker,
        "markersize": 3.6,
        "markeredgewidth": 0,
        "linewidth": 1.6,
    }
    every = max(1, len(shared) // 8)
    axes.plot(shared, [fmean(v) for v in at], markevery=every, **style)
    for curve in (c for c in curves if c.broken):
        rounds = sorted(curve.points)
        values = [curve.points[r] for r in rounds]
        if len(curves) > 1:
            axes.plot(rounds, values, color=colour, linewidth=0.7, alpha=0.45)
        cross = {"marker": "x", "markersize": 8, "markeredgewidth": 1.8}
        axes.plot(rounds[-1:], values[-1:], color=colour, **cross)
