"""The tables of a study: cells, effects, interactions, health of training, pass@k, and published
numbers beside ours. Numbers are in the unit of claims (points for shares) unless a head says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from zoo.charts.pass_at_k import pass_curves
from zoo.claims.planned_power import amount
from zoo.errors import plain
from zoo.findings.collect import Results
from zoo.findings.format import MINUS
from zoo.findings.interactions import Interaction
from zoo.judging.effects import CellMean, cell_means
from zoo.report.behaviour_table import behaviours_table
from zoo.report.health import health_table
from zoo.report.published import published_table
from zoo.report.response_tables import groups_table, responses_table
from zoo.report.table_files import Row, Table
from zoo.trials.metrics import Metric

BY_CELL = ("base", "mean", "low", "high", "gain", "gain low", "gain high")
OVER_PROBLEMS = ("problems low", "problems high", "gain problems low", "gain problems high")
DESCRIPTIVE = ("IQM", "IQM of first", "P(higher) %")
INTERVALS = "95 % intervals over training seeds, not corrected for their number"


def study_tables(
    results: Results, found: Sequence[Interaction], folder: Path | None = None
) -> list[Table]:
    """All tables, in the order of the report; those without rows are empty. `folder`: of the sweep,
    where labels of behaviours are."""
    return [
        *_cells(results),
        _effects(results),
        _interactions(results, found),
        _pass(results),
        responses_table(results),
        groups_table(results),
        behaviours_table(results, folder),
        health_table(results),
        published_table(results),
    ]


def shown_cells(results: Results) -> list[Metric]:
    """The metrics of the tables by cell: that of the effects, then the accuracies of the headline
    and, where there are several benchmarks, their mean."""
    known, chosen = results.answer.numbers.metrics, results.answer.metric
    names = [chosen.name] if chosen else []
    names += [e.metric("acc") for e in results.headline]
    return [known[n] for n in dict.fromkeys(names) if n in known and known[n].final is not None]


def _cells(results: Results) -> Iterable[Table]:
    numbers = results.answer.numbers
    for metric in shown_cells(results):
        means = cell_means(numbers, metric.name, numbers.cells, problems=True)
        means = [mean for mean in means if mean.mean is not None]
        wider = any(mean.problems_interval for mean in means)
        heads = [*BY_CELL, *(OVER_PROBLEMS if wider else ())]
        name = metric.name.replace("/", "-")
        yield Table(
            f"cells-{name}",
            f"{metric.name} by cell",
            f"Final numbers in {metric.unit}: mean over the trials of a cell that ended and did "
            f"not collapse (n), {INTERVALS}; base: the base model under the same decoding, on the "
            "same problems; gain: mean less base."
            + (" Heads with `problems`: the ends over problems as well as over seeds." * wider),
            (*results.axes, "n", "collapsed", *heads),
            tuple(_cell(found, results.axes, wider=wider) for found in means),
            dict.fromkeys(heads, digits(metric)),
        )


def _cell(found: CellMean, axes: Sequence[str], *, wider: bool) -> Row:
    ends = [i or (None, None) for i in (found.interval, found.gain_interval)]
    more = [i or (None, None) for i in (found.problems_interval, found.gain_problems_interval)]
    cell = (plain(found.cell.get(axis)) for axis in axes)
    row = (*cell, found.n, found.collapsed, found.base, found.mean, *ends[0], found.gain, *ends[1])
    return (*row, *more[0], *more[1]) if wider else row


def digits(metric: Metric) -> Callable[[float], str]:
    """How a value of a metric is written."""

    def form(value: float) -> str:
        return amount(value, metric.unit).split(" ")[0].replace("-", MINUS)

    return form


def _effects(results: Results) -> Table:
    metric = results.answer.metric
    rows: list[Row] = []
    for e in results.answer.effects:
        if e.effect is not None:
            head = (e.axis, plain(e.value), plain(e.against), e.pairs, e.n)
            told = (*(e.iqm or (None, None)), e.improvement and 100 * e.improvement)
            rows.append((*head, e.effect, *(e.interval or (None, None)), *told))
    return Table(
        "effects",
        "Effects of each axis",
        f"On {metric.name if metric else 'nothing'}: a value of an axis less the first, mean over "
        f"pairs of cells that differ in nothing else; {INTERVALS}. IQM: interquartile mean of all "
        "trials with the value, and with the first one; P(higher): share of pairs of trials in "
        "which the value is higher. Both describe, and no verdict rests on them.",
        ("axis", "value", "less", "pairs", "trials", "effect", "low", "high", *DESCRIPTIVE),
        tuple(rows),
        dict.fromkeys(("effect", "low", "high", *DESCRIPTIVE[:2]), digits(metric))
        | {DESCRIPTIVE[2]: lambda value: f"{value:.0f}"}
        if metric
        else {},
    )


def _interactions(results: Results, found: Sequence[Interaction]) -> Table:
    metric = results.answer.metric
    rows = [
        (
            *(o.axis, plain(o.value), plain(o.against), o.within, plain(o.level), o.n, o.effect),
            *(o.interval or (None, None)),
            o.difference,
            *(o.difference_interval or (None, None)),
        )
        for o in found
        if o.effect is not None
    ]
    return Table(
        "interactions",
        "Effects of an axis within each level of another",
        f"On {metric.name if metric else 'nothing'}: a value of an axis less its first, within one "
        "level of another axis; interaction: this effect less that within the first level. "
        f"{INTERVALS[0].upper()}{INTERVALS[1:]}.",
        (
            *("axis", "value", "less", "within", "level", "trials", "effect", "low", "high"),
            *("interaction", "interaction low", "interaction high"),
        ),
        tuple(rows),
        dict.fromkeys(
            ("effect", "low", "high", "interaction", "interaction low", "interaction high"),
            digits(metric),
        )
        if metric
        else {},
    )


def _pass(results: Results) -> Table:
    found = pass_curves(results)
    ks = sorted({k for curve in found for k in curve.ks})
    rows: list[Row] = []
    for c in found:
        at = {k: 100 * v for k, v in zip(c.ks, c.mean, strict=True)}
        base = dict(zip(c.ks, c.base or (), strict=False))
        head = (c.evaluation.benchmark.name, c.evaluation.decoding_name, c.model)
        bases = [None if k not in base else 100 * base[k] for k in ks]
        rows.append((*head, c.arm, c.trials, *(at.get(k) for k in ks), *bases, c.crossing))
    names = [f"pass@{k}" for k in ks]
    heads = (*names, *(f"base {name}" for name in names))
    return Table(
        "pass-at-k",
        "pass@k of trained and base models",
        "In percent, unbiased, for k of at most half of the responses a problem; mean over trials "
        "that ended and did not collapse; crossover: where the base model catches up.",
        ("benchmark", "decoding", "model", "arm", "trials", *heads, "crossover"),
        tuple(rows),
        {name: lambda value: f"{value:.1f}" for name in heads},
    )
