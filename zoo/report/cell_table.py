"""The table by cell: means over seeds with intervals, gains over the base, trials that collapsed.

Plain values for the page; knows no HTML, every text in here is unescaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zoo.claims.planned_power import amount
from zoo.errors import plain
from zoo.findings.collect import Results
from zoo.findings.format import MINUS
from zoo.findings.view import decoding_words
from zoo.judging.effects import CellMean, cell_means
from zoo.judging.values import key
from zoo.manifest.metric_name import EVAL, MetricName
from zoo.trials.metrics import Metric

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
PAIRED = ("contrast", "gain", "interaction", "ordering")
"""Kinds of claims whose metric has a column of its own; the k of a crossover would be too many."""
ONE_SEED = (
    "With one trial a cell there is no interval and no verdict about training: the seed noise is "
    "unknown."
)


@dataclass(frozen=True)
class CellNumber:
    """A cell by one metric. `left`, `width` (%) and `tint` (0 to 1) draw a share."""

    mean: str
    spread: str
    """`± 2.9`, half the 95 % interval over seeds, then in brackets half that over problems as well,
    where scores by problem are stored; empty for one trial."""
    gain: str
    """With its intervals; empty where the base was not evaluated."""
    base: str
    note: str
    """Why there is no mean, or that it is of fewer trials than ended; else empty."""
    drawn: bool = False
    left: float = 0
    width: float = 0
    tint: float = 0
    loss: bool = False


@dataclass(frozen=True)
class CellRow:
    """One cell; `repeats` says which of its axis values the row above has as well."""

    axes: tuple[str, ...]
    repeats: tuple[bool, ...]
    trials: str
    """`3`, or `2 of 3` where some have not ended."""
    collapsed: str
    """`1 of 3 collapsed (1 to 91 %)`; empty for none."""
    first: int
    """Place of its first trial in the table by trial."""
    numbers: tuple[CellNumber, ...]


@dataclass(frozen=True)
class CellTable:
    """All cells by the metrics of claims and of what is compared before and after."""

    columns: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Benchmark -> (what, size) of each of its columns."""
    rows: tuple[CellRow, ...]
    one_seed: bool
    over_problems: bool
    """Whether intervals over problems as well are among its numbers."""


def cell_table(results: Results) -> CellTable:
    """The table of a study."""
    numbers = results.answer.numbers
    shown = _metrics(results)
    by_metric = [(m, cell_means(numbers, m.name, numbers.cells, problems=True)) for m in shown]
    first: dict[object, int] = {}
    for i, found in enumerate(numbers.results):
        first.setdefault(found.key, i)
    rows: list[CellRow] = []
    above: tuple[str, ...] = ()
    for i, cell in enumerate(numbers.cells):
        axes = tuple(plain(cell.get(axis)) for axis in results.axes)
        repeats = tuple(axes[: j + 1] == above[: j + 1] for j in range(len(axes)))
        own = [(metric, means[i]) for metric, means in by_metric]
        trials = numbers.by_cell[key(cell)]
        ended = [trial for trial in trials if trial.ended]
        count = str(len(trials)) if len(ended) == len(trials) else f"{len(ended)} of {len(trials)}"
        cells = tuple(_number(mean, metric) for metric, mean in own)
        collapsed = _collapsed(own[0][1]) if own else ""
        rows.append(CellRow(axes, repeats, count, collapsed, first[key(cell)], cells))
        above = axes
    means = [mean for _, found in by_metric for mean in found if mean.mean is not None]
    one_seed = bool(means) and all(mean.interval is None for mean in means)
    over_problems = any(mean.problems_interval for mean in means)
    return CellTable(_columns(shown), tuple(rows), one_seed, over_problems)


def _metrics(results: Results) -> list[Metric]:
    """Those of claims about means that the headline does not have, then the headline's accuracies:
    all that are measured at the last round."""
    known = results.answer.numbers.metrics
    claims = [claim for claim in results.experiment.claims if claim.kind in PAIRED]
    headline = [e.metric("acc") for e in results.headline]
    claimed = [name for claim in claims for name in claim.metrics if name not in headline]
    names = dict.fromkeys([*claimed, *headline])
    return [known[name] for name in names if name in known and known[name].final is not None]


def _columns(shown: Sequence[Metric]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for metric in shown:
        title, what = _title(metric)
        if not groups or groups[-1][0] != title:
            groups.append((title, []))
        groups[-1][1].append(what)
    return tuple((title, tuple(whats)) for title, whats in groups)


def _title(metric: Metric) -> tuple[str, tuple[str, str]]:
    """Benchmark and the rest of a column's head."""
    name = MetricName.parse(metric.name)
    if name is None:
        return "training", (metric.name, metric.unit)
    title = name.benchmark if name.series == EVAL else f"{name.series}: {name.benchmark}"
    words = decoding_words(metric.evaluations[0].decoding)
    counts = [e.problems or e.benchmark.n for e in metric.evaluations]
    total = sum(n for n in counts if n)
    size = f"{total} problems" if all(counts) else "all problems"
    what = words if name.measure == "acc" else f"{name.measure}, {words}"
    return title, (what, f"{metric.unit}, {size}" if name.measure != "acc" else f"%, {size}")


def _number(found: CellMean, metric: Metric) -> CellNumber:
    base = "" if found.base is None else f"base {_value(found.base, metric)}"
    if found.mean is None:
        waiting = found.ended < found.trials
        why = "no number yet" if waiting else "no number of a trial that did not collapse"
        return CellNumber("", "", "", base, why)
    gain = ""
    if found.gain is not None:
        figure = _value(found.gain, metric).replace("-", MINUS)
        halves = _halves(found.gain_interval, found.gain_problems_interval, metric)
        gain = f"gain {'+' * (found.gain >= 0)}{figure}{halves}"
    counted = found.ended - found.collapsed
    note = "" if found.n == counted else f"n = {found.n}"
    spread = _halves(found.interval, found.problems_interval, metric)
    shown = CellNumber(_value(found.mean, metric), spread, gain, base, note)
    if metric.unit != "points" or found.base is None or found.gain is None:
        return shown
    width = abs(found.gain)
    return replace(
        shown,
        drawn=True,
        left=min(found.base, found.mean),
        width=width,
        tint=min(1.0, width / 60),
        loss=found.gain < 0,
    )


def _value(value: float, metric: Metric) -> str:
    return amount(value, metric.unit).split(" ")[0]


def _halves(
    interval: tuple[float, float] | None, wider: tuple[float, float] | None, metric: Metric
) -> str:
    """Intervals of means are symmetrical: half the width of that over seeds, and of that over
    problems as well."""
    if interval is None:
        return ""
    half, *more = [_value((i[1] - i[0]) / 2, metric) for i in (interval, wider) if i]
    return f" {PLUS_MINUS} {half}" + (f" ({PLUS_MINUS} {more[0]})" if more else "")


def _collapsed(found: CellMean) -> str:
    if not found.collapsed:
        return ""
    low, high = found.collapse
    return f"{found.collapsed} of {found.ended} collapsed ({100 * low:.0f} to {100 * high:.0f} %)"
