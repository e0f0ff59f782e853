"""Curves over training: accuracy and response length by model, and how training went.

One column a model; colours are the values of one axis. A line is the mean over the trials of an
arm, a band reaches from the lowest to the highest seed. Axes that are neither columns nor colours
are averaged over. Accuracy is the metric that is measured at most rounds, of most benchmarks, so
that all trials are shown on the same problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from zoo.errors import listed, plain
from zoo.figures.layout import Figure, Key, Panel, in_rows, panel_width
from zoo.figures.plots import Axis, Curve, axis, curves
from zoo.figures.scene import Scene
from zoo.findings.collect import Results
from zoo.findings.view import decoding_words
from zoo.judging.answer import varied_axes
from zoo.judging.values import TrialValues
from zoo.manifest.metric_name import MetricName, measure_of
from zoo.runs.outcome import Outcome
from zoo.trials.metrics import KL_BASE_POLICY, Metric

ACROSS = 4
"""Most panels side by side."""
MOST_PANELS = 24
"""Most panels of the figure by cell."""
PANEL_HEIGHT = 118.0
BROKEN = ("stopped", "failed", "preempted", "unfinished")
Points = dict[int, float]


@dataclass(frozen=True)
class CurveMetric:
    """The vertical axis: the metric, its name in a title and on the axis, the factor of its
    values."""

    metric: str
    title: str
    label: str
    scale: float = 1.0


@dataclass(frozen=True)
class FigurePlan:
    """A figure to be."""

    name: str
    title: str
    note: str
    arm: str
    """The axis shown by colour."""
    averaged: tuple[str, ...]
    """Axes that are neither columns nor colours."""
    across: int


@dataclass(frozen=True)
class Member:
    """A trial in a panel."""

    found: Outcome
    values: TrialValues
    arm: str

    @property
    def broken(self) -> bool:
        """Whether its curve ends before training was meant to."""
        return self.found.state in BROKEN


@dataclass(frozen=True)
class ArmCurve:
    """An arm in a panel: the mean by round, the lowest and highest seed, and the number of trials;
    and each trial that ended early."""

    arm: str
    mean: Points
    low: Points
    high: Points
    trials: int
    broken: tuple[Points, ...] = ()


def compared_axis(results: Results) -> str:
    """The axis shown by colour: of the first claim that compares two values, else the first that
    varies and is not the model; without either the model."""
    varied = varied_axes(results.answer.numbers.cells)
    claimed = [claim.axis for claim in results.experiment.claims]
    others = [name for name in varied if name != "model"]
    return next((name for name in [*claimed, *others] if name in others), "model")


def accuracy_of(results: Results) -> Metric | None:
    """The accuracy that is drawn; None where none is measured at three rounds."""
    found = [m for m in results.answer.numbers.metrics.values() if measure_of(m.name) == "acc"]
    found = [m for m in found if len(m.series.rounds) > 2]
    return max(found, key=lambda m: (len(m.series.rounds), len(m.parts)), default=None)


def curve_figures(results: Results) -> list[Figure]:
    """All figures of curves that have a point, in the order of the page."""
    axes = [compared_axis(results)]
    varied = varied_axes(results.answer.numbers.cells)
    axes += [name for name in ("reward", "data") if name in varied and name not in axes]
    made = [_by_model(results, arm) for arm in axes]
    made.append(_by_cell(results, axes[0]))
    made.append(_dynamics(results, axes[0]))
    return [figure for figure in made if figure is not None]


# -- which figures --------------------------------------------------------------------------------


def held_out(results: Results) -> list[CurveMetric]:
    """Accuracy, response length and boxed share, of the evaluation that is drawn; of the training
    completions where none is measured often enough."""
    metric = accuracy_of(results)
    name = None if metric is None else MetricName.parse(metric.name)
    if name is None:
        names = ("train/accuracy", "train/completions/mean_length", "train/box_ratio")
    else:
        measures = ("acc", "mean_length", "box_ratio")
        names = tuple(
            str(MetricName(name.series, name.benchmark, m, name.decoding)) for m in measures
        )
    return [
        CurveMetric(names[0], "accuracy", "accuracy (%)", 100),
        CurveMetric(names[1], "response length", "length (tokens)"),
        CurveMetric(names[2], "boxed answers", "boxed (%)", 100),
    ]


TRAINING = (
    CurveMetric("train/reward", "reward", "reward"),
    CurveMetric("train/completions/clipped_ratio", "clipped", "clipped (%)", 100),
    CurveMetric("train/entropy", "entropy", "entropy (nats)"),
    CurveMetric("train/kl", "KL", "KL (nats)"),
    CurveMetric(KL_BASE_POLICY, "KL of the base", "KL (nats)"),
)


def _by_model(results: Results, arm: str) -> Figure | None:
    accuracy, length, boxed = held_out(results)
    quantities = [accuracy, length, *([boxed] if arm == "reward" else [])]
    title = "Accuracy and response length over training"
    if arm != "model":
        title += f", by {arm}"
    note = (
        f"Rows: accuracy, mean response length{' and share of boxed answers' * (arm == 'reward')}. "
        f"{measured_words(results)}"
    )
    return _figure(results, f"length-accuracy-by-{arm}", title, note, quantities, arm)


def _dynamics(results: Results, arm: str) -> Figure | None:
    note = (
        "Rows: mean reward of the completions of a round; share of them cut at the longest "
        "response; entropy of the policy, mean over tokens; KL divergence from the base model, and "
        "of the base model from the policy; of these what is logged."
    )
    return _figure(results, "training", "How training went", note, TRAINING, arm)


def _by_cell(results: Results, arm: str) -> Figure | None:
    """Accuracy in a panel for each model and combination of the axes that are not coloured."""
    others = [a for a in varied_axes(results.answer.numbers.cells) if a not in (arm, "model")]
    groups: dict[str, list[Member]] = {}
    for member in members(results, arm):
        cell = member.found.trial.cell
        names = ("model", *others) if arm != "model" else tuple(others)
        groups.setdefault(" · ".join(plain(cell.get(name)) for name in names), []).append(member)
    if not others or len(groups) > MOST_PANELS:
        return None
    columns = len(groups) // (len(results.values("model")) if arm != "model" else 1)
    across = columns if 1 < columns <= ACROSS else min(len(groups), ACROSS)
    quantity = held_out(results)[0]
    found = {(title, quantity): _curves(own, quantity) for title, own in groups.items()}
    note = f"Panels: {listed((*(['model'] if arm != 'model' else []), *others))}. "
    note += measured_words(results)
    title = "Accuracy over training, by cell"
    return _drawn(results, FigurePlan("accuracy-by-cell", title, note, arm, (), across), found)


def _figure(
    results: Results, name: str, title: str, note: str, quantities: Sequence[CurveMetric], arm: str
) -> Figure | None:
    """A column a model, a row a quantity; models beyond the width of a page follow below."""
    groups: dict[str, list[Member]] = {}
    for member in members(results, arm):
        column = "all models" if arm == "model" else plain(member.found.trial.cell.get("model"))
        groups.setdefault(column, []).append(member)
    found = {
        (column, quantity): _curves(own, quantity)
        for quantity in quantities
        for column, own in groups.items()
    }
    kept = {q for (_, q), own in found.items() if any(c.mean or c.broken for c in own)}
    columns = list(groups)
    across = min(len(columns), ACROSS if len(columns) != 5 else 3)
    ordered = {
        (column, q): found[column, q]
        for start in range(0, len(columns), across)
        for q in quantities
        for column in columns[start : start + across]
        if q in kept
    }
    varied = varied_axes(results.answer.numbers.cells)
    averaged = tuple(a for a in varied if a not in (arm, "model"))
    return _drawn(results, FigurePlan(name, title, note, arm, averaged, across), ordered)


def members(results: Results, arm: str) -> Iterable[Member]:
    """All trials, each with its arm."""
    for found, values in zip(results.outcomes, results.answer.numbers.results, strict=True):
        yield Member(found, values, plain(found.trial.cell.get(arm)))


# -- numbers --------------------------------------------------------------------------------------


def _curves(own: Iterable[Member], quantity: CurveMetric) -> list[ArmCurve]:
    by_arm: dict[str, list[Member]] = {}
    for member in own:
        if quantity.metric in member.values.series:
            by_arm.setdefault(member.arm, []).append(member)
    return [_arm(arm, trials, quantity) for arm, trials in by_arm.items()]


def _arm(arm: str, trials: list[Member], quantity: CurveMetric) -> ArmCurve:
    def points(member: Member) -> Points:
        series = member.values.series[quantity.metric]
        return {at: quantity.scale * value for at, value in series.items()}

    whole = [member for member in trials if not member.broken]
    broken = tuple(points(member) for member in trials if member.broken)
    by_seed: dict[int, list[Points]] = {}
    for member in whole:
        by_seed.setdefault(member.found.trial.seed, []).append(points(member))
    every = [curve for curves_ in by_seed.values() for curve in curves_]
    mean = _mean(every)
    seeds = [_mean(curves_) for curves_ in by_seed.values()]
    at = mean if len(seeds) > 1 else {}
    low = {round_: min(seed[round_] for seed in seeds) for round_ in at}
    high = {round_: max(seed[round_] for seed in seeds) for round_ in at}
    return ArmCurve(arm, mean, low, high, len(whole), broken)


def _mean(found: Sequence[Points]) -> Points:
    """The mean at rounds that all have."""
    if not found:
        return {}
    shared = sorted(set(found[0]).intersection(*found[1:]))
    return {at: fmean(curve[at] for curve in found) for at in shared}


# -- drawing --------------------------------------------------------------------------------------


def _drawn(
    results: Results, plan: FigurePlan, found: Mapping[tuple[str, CurveMetric], list[ArmCurve]]
) -> Figure | None:
    own = [curve for arms in found.values() for curve in arms if curve.mean or curve.broken]
    if not own:
        return None
    order = [plain(value) for value in results.values(plan.arm)]
    x = axis("round", [0, results.experiment.rounds])
    ys = {q: axis(q.label, _ends(found, q), most=4) for _, q in found}
    size = (panel_width(plan.across), PANEL_HEIGHT)
    panels = [
        Panel(
            f"{column}: {q.title}" if len(ys) > 1 else column,
            _panel(arms, order, x, ys[q], size, results.made_up),
        )
        for (column, q), arms in found.items()
    ]
    drawn = {curve.arm for curve in own}
    keys = tuple(Key(value, i) for i, value in enumerate(order) if value in drawn)
    broken = any(curve.broken for curve in own)
    caption = f"{plan.note} {drawn_words(results, plan, broken=broken)}"
    table = tuple(_rows(found, plan.arm))
    return Figure(plan.name, plan.title, caption, in_rows(panels, plan.across), keys, table)


def _ends(found: Mapping[tuple[str, CurveMetric], list[ArmCurve]], q: CurveMetric) -> list[float]:
    own = [curve for (_, other), arms in found.items() if other == q for curve in arms]
    parts = [part for c in own for part in (c.mean, c.low, c.high, *c.broken)]
    return [value for part in parts for value in part.values()]


def _panel(
    own: Iterable[ArmCurve],
    order: Sequence[str],
    x: Axis,
    y: Axis,
    size: tuple[float, float],
    made_up: bool,
) -> Scene:
    lines: list[Curve] = []
    for curve in own:
        index = order.index(curve.arm)
        band = tuple((at, curve.low[at], curve.high[at]) for at in curve.low)
        lines.append(Curve(index, tuple(curve.mean.items()), band))
        alone = not curve.mean and len(curve.broken) == 1
        for points in curve.broken:
            lines.append(Curve(index, tuple(points.items()), faint=not alone, cut=True))
    return curves(lines, x, y, size=size, made_up=made_up)


def _rows(
    found: Mapping[tuple[str, CurveMetric], list[ArmCurve]], arm: str
) -> Iterable[tuple[object, ...]]:
    yield ("panel", "metric", arm, "round", "mean", "lowest_seed", "highest_seed", "trials")
    for (column, quantity), own in found.items():
        for curve in own:
            for at, mean in curve.mean.items():
                ends = (curve.low.get(at), curve.high.get(at))
                shown = (None if v is None else v / quantity.scale for v in (mean, *ends))
                yield (column, quantity.metric, curve.arm, at, *shown, curve.trials)


# -- words ----------------------------------------------------------------------------------------


def measured_words(results: Results) -> str:
    """The benchmarks behind accuracy and lengths, in a sentence or two."""
    metric = accuracy_of(results)
    if metric is None:
        return (
            "Of the training completions of each round, for no evaluation takes place at three "
            "rounds; cut responses count at the longest response."
        )
    e = metric.evaluations[0]
    names = listed(one.benchmark.name for one in metric.evaluations)
    mean = f"plain mean over {names}" if len(metric.parts) > 1 else names
    size = {one.problems or one.benchmark.n for one in metric.evaluations}
    problems = (
        f"the first {size.pop()} problems" if e.problems and len(size) == 1 else "all problems"
    )
    return (
        f"Held out: {mean}, {decoding_words(e.decoding)}, {problems}, the same at all rounds "
        f"({metric.name}); round 0 is the base model. Cut responses count at the longest response."
    )


def drawn_words(results: Results, plan: FigurePlan, *, broken: bool) -> str:
    """How arms and seeds are drawn."""
    told = [f"Colours: {plan.arm}."] if len(results.values(plan.arm)) > 1 else []
    seeds = len({o.trial.seed for o in results.outcomes}) > 1
    over = [*plan.averaged, *(["seeds"] if seeds else [])]
    if over:
        told.append(f"Lines are means over {' and '.join(over)}{';' if seeds else '.'}")
    if seeds:
        told.append("bands reach from the lowest seed to the highest.")
    if broken:
        told.append("Lines that end in a cross are trials that broke off; no mean has them.")
    completions = {o.trial.batch.completions for o in results.outcomes}
    if len(completions) == 1:
        told.append(f"1 round = {completions.pop():,} completions.")
    return " ".join(told)
