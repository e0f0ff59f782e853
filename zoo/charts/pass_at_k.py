"""pass@k of base and trained models, and where they cross.

From evaluations with several responses a problem, by the unbiased estimator (`zoo.stats.samples`),
for k of at most half of the responses: beyond that its variance is too large to rely on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from zoo.charts.curves import ACROSS, PANEL_HEIGHT, Member, compared_axis, members
from zoo.errors import plain
from zoo.figures.layout import Figure, Key, Panel, in_rows, panel_width
from zoo.figures.plots import Axis, Curve, axis, curves
from zoo.findings.collect import Results
from zoo.findings.view import decoding_words
from zoo.trials.metrics import pass_ks
from zoo.trials.trial import Evaluation

BASE = "base model"
NEEDED = 4
"""Fewest responses a problem: k = 1 alone gives no curve."""
ABSENT = (
    "pass@k is absent: no evaluation that reaches the last round takes 4 responses a problem or "
    "more (`samples`), and k of at most half of them are relied on."
)


@dataclass(frozen=True)
class PassCurve:
    """pass@k by k, as shares, of an arm with a model: of the base model, mean of the trained trials
    with the lowest and the highest seed."""

    evaluation: Evaluation
    model: str
    arm: str
    ks: tuple[int, ...]
    base: tuple[float, ...] | None
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    trials: int

    @property
    def crossing(self) -> str:
        """Where the base model catches up with the trained, in words."""
        if self.base is None:
            return "base not evaluated"
        above = [t > b for t, b in zip(self.mean, self.base, strict=True)]
        if not above[0]:
            return "trained is not above base at k = 1"
        for (k, one), (after, other) in pairwise(zip(self.ks, above, strict=True)):
            if one and not other:
                return f"between k = {k} and k = {after}"
        return f"none up to k = {self.ks[-1]}"


def several(results: Results) -> list[Evaluation]:
    """The evaluations with enough responses a problem, that reach the last round."""
    return [e for e in results.headline if e.samples >= NEEDED]


def relied_ks(samples: int) -> tuple[int, ...]:
    """The k that are relied on."""
    return tuple(k for k in pass_ks(samples) if 2 * k <= samples)


def pass_curves(results: Results) -> list[PassCurve]:
    """One for each evaluation, model and arm that has final numbers."""
    arm = compared_axis(results)
    found: list[PassCurve] = []
    for e in several(results):
        groups: dict[tuple[str, str], list[Member]] = {}
        for member in members(results, arm):
            if member.values.ended and not member.values.collapsed:
                model = plain(member.found.trial.cell.get("model"))
                groups.setdefault((model, member.arm), []).append(member)
        for (model, value), own in groups.items():
            if (curve := _curve(e, model, value, own)) is not None:
                found.append(curve)
    return found


def _curve(e: Evaluation, model: str, arm: str, own: Sequence[Member]) -> PassCurve | None:
    ks = relied_ks(e.samples)
    names = [e.metric(f"pass{k}") for k in ks]
    ended = [m for m in own if all(name in m.values.final for name in names)]
    if not ended:
        return None
    by_seed: dict[int, list[Member]] = {}
    for member in ended:
        by_seed.setdefault(member.found.trial.seed, []).append(member)
    seeds = [
        [fmean(m.values.final[n] / 100 for m in same) for n in names] for same in by_seed.values()
    ]
    bases = [[m.values.series.get(n, {}).get(0) for n in names] for m in ended]
    base = next((b for b in bases if None not in b), None)
    mean = tuple(fmean(m.values.final[n] / 100 for m in ended) for n in names)
    ends = [(min(at), max(at)) for at in zip(*seeds, strict=True)]
    return PassCurve(
        e,
        model,
        arm,
        ks,
        None if base is None else tuple(v for v in base if v is not None),
        mean,
        tuple(low for low, _ in ends),
        tuple(high for _, high in ends),
        len(ended),
    )


def pass_figures(results: Results) -> list[Figure]:
    """One for each evaluation."""
    made: list[Figure] = []
    every = pass_curves(results)
    for e in several(results):
        if own := [curve for curve in every if curve.evaluation is e]:
            made.append(_figure(results, e, own))
    return made


def _figure(results: Results, e: Evaluation, own: Sequence[PassCurve]) -> Figure:
    arm = compared_axis(results)
    order = [plain(v) for v in results.values(arm)]
    models = list(dict.fromkeys(curve.model for curve in own))
    values = [100 * v for c in own for v in (*c.low, *c.high, *(c.base or ()))]
    y = axis("pass@k (%)", values, most=4)
    ks = own[0].ks
    x = Axis("k", -0.1, math.log2(ks[-1]) + 0.1, tuple((math.log2(k), str(k)) for k in ks))
    across = min(len(models), ACROSS)
    size = (panel_width(across), PANEL_HEIGHT)
    panels = [
        Panel(model, curves(_lines(own, model, order), x, y, size=size, made_up=results.made_up))
        for model in models
    ]
    keys = (*(Key(value, i) for i, value in enumerate(order)), Key(BASE, len(order), dashed=True))
    n = e.problems or e.benchmark.n
    size_words = f"the first {e.problems}" if e.problems else f"all {n or ''}".strip()
    caption = (
        f"Share of the problems of {e.benchmark.name} ({size_words}) that at least one of k "
        f"responses solves, {decoding_words(e.decoding)}, estimated without bias from {e.samples} "
        f"responses a problem, for k of at most half of them. Dashed: the base model; colours: "
        f"{arm}, mean over all trials that ended and did not collapse; bands reach from the lowest "
        "seed to the highest. "
        f"Where the base model catches up: {_crossings(own)}."
    )
    title = f"pass@k of base and trained models on {e.benchmark.name}"
    name = f"pass-at-k-{e.benchmark.name}-{e.decoding_name}"
    return Figure(name, title, caption, in_rows(panels, across), keys, tuple(pass_rows(own)))


def _lines(own: Iterable[PassCurve], model: str, order: Sequence[str]) -> list[Curve]:
    lines: list[Curve] = []
    for curve in (c for c in own if c.model == model):
        at = [math.log2(k) for k in curve.ks]
        band = tuple(
            (x, 100 * a, 100 * b) for x, a, b in zip(at, curve.low, curve.high, strict=True)
        )
        points = tuple((x, 100 * v) for x, v in zip(at, curve.mean, strict=True))
        if curve.base is not None and not lines:
            base = tuple((x, 100 * v) for x, v in zip(at, curve.base, strict=True))
            lines.append(Curve(len(order), base, dashed=True))
        lines.append(Curve(order.index(curve.arm), points, band))
    return lines


def _crossings(own: Sequence[PassCurve]) -> str:
    found = {f"{c.model}, {c.arm}": c.crossing for c in own}
    if len(set(found.values())) == 1:
        return f"{own[0].crossing} (all arms)"
    return "; ".join(f"{name}: {words}" for name, words in found.items())


def pass_rows(own: Iterable[PassCurve]) -> Iterable[tuple[object, ...]]:
    """A header, then a row for each curve and k; shares are fractions."""
    yield (
        *("benchmark", "decoding", "model", "arm", "k", "base", "trained"),
        *("lowest_seed", "highest_seed", "trials", "base_catches_up"),
    )
    for c in own:
        head = (c.evaluation.benchmark.name, c.evaluation.decoding_name, c.model, c.arm)
        for i, k in enumerate(c.ks):
            base = None if c.base is None else c.base[i]
            yield (*head, k, base, c.mean[i], c.low[i], c.high[i], c.trials, c.crossing)
