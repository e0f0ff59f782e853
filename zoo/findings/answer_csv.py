"""`cells.csv` and `claims.csv`: the answer as tables for programs.

Shares, and effects on them, are fractions as in `results.csv`; all intervals are at 95 % unless
`level` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zoo.findings.collect import Results
from zoo.judging.answer import claim_row, interval_row
from zoo.judging.effects import cell_means

COUNTS = ("trials", "ended", "collapsed", "n")
NUMBERS = (
    *("mean", "low", "high", "base", "gain", "gain_low", "gain_high", "mean_of_all"),
    *("problems_low", "problems_high", "gain_problems_low", "gain_problems_high"),
)
HEAD = ("id", "label", "says", "kind", "expect", "standing", "verdict", "unit")
EFFECTS = (
    *("effect", "low", "high", "low_95", "high_95", "detects"),
    *("problems_low_95", "problems_high_95"),
)
BASIS = ("level", "p", "df", "spread_ratio", "n", "missing")


def cell_rows(results: Results) -> Iterator[list[Any]]:
    """`cells.csv`: a header, then a row for each cell and metric with a final number. Intervals
    over problems as well are of accuracies and of the metrics of claims alone: they read all
    scores."""
    numbers, axes = results.answer.numbers, results.axes
    headline = {e.metric("acc") for e in results.headline}
    wider = headline.union(*(claim.metrics for claim in results.experiment.claims))
    yield [*axes, "metric", *COUNTS, *NUMBERS]
    for metric in numbers.metrics.values():
        if metric.final is None:
            continue
        divisor = _divisor(metric.unit)
        problems = metric.name in wider
        for found in cell_means(numbers, metric.name, numbers.cells, problems=problems):
            row = interval_row(found)
            cell = [found.cell.get(axis) for axis in axes]
            counts = [row[name] for name in COUNTS]
            yield [*cell, metric.name, *counts, *(_scaled(row[n], divisor) for n in NUMBERS)]


def claim_rows(results: Results) -> Iterator[list[Any]]:
    """`claims.csv`: a header, then a row for each comparison of each claim."""
    yield [*HEAD, *EFFECTS, *BASIS, "collapsed", "ended", "trials", "sentence"]
    for verdict in results.answer.claims:
        row = claim_row(verdict)
        row["unit"] = "fraction" if verdict.unit == "points" else verdict.unit
        divisor = _divisor(verdict.unit)
        totals = [
            sum(arm[name] for arm in row["arms"]) for name in ("collapsed", "ended", "trials")
        ]
        effects = [_scaled(row[name], divisor) for name in EFFECTS]
        basis = [row[name] for name in BASIS]
        yield [*(row[name] for name in HEAD), *effects, *basis, *totals, row["sentence"]]


def _divisor(unit: str) -> float:
    return 100.0 if unit == "points" else 1.0


def _scaled(value: float | None, divisor: float) -> float | None:
    return None if value is None else value / divisor
