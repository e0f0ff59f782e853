"""Check claims and tripwires of a manifest against what the manifest trains and evaluates.

Reports undefined axes, values and metrics, and comparisons that lack cells in one arm. Each
`Flaw` has its path in the manifest, so that the caller can show the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo.claims.comparisons import ClaimComparison, branches, matched, units
from zoo.errors import Flaw, did_you_mean, plain, suggestion, told
from zoo.manifest.claim_schema import HOLE, Claim
from zoo.manifest.metric_name import EVAL, MetricName
from zoo.manifest.thresholds import Match, Threshold, Tripwire
from zoo.trials.grid import Cell, matches
from zoo.trials.metrics import Metric, is_logged

Axes = Mapping[str, Sequence[Any]]
Path = tuple[str | int, ...]


def check_claims(
    claims: Sequence[Claim], cells: Sequence[Cell], metrics: Mapping[str, Metric], horizon: int
) -> list[Flaw]:
    """All flaws of all claims; `cells` are distinct and at least one."""
    axes = {axis: list(dict.fromkeys(cell[axis] for cell in cells)) for axis in cells[0]}
    flaws = check_claims_alone(claims, axes, metrics, horizon)
    for i, claim in enumerate(claims):
        if not _words(claim, ("claims", i), axes):
            flaws += _cells(claim, ("claims", i), cells)
    return flaws


def check_claims_alone(
    claims: Sequence[Claim],
    axes: Axes | None,
    metrics: Mapping[str, Metric] | None,
    horizon: int,
) -> list[Flaw]:
    """What can be said of claims without cells; None where the axes or metrics are not known."""
    flaws: list[Flaw] = []
    for i, claim in enumerate(claims):
        if claim.id in [earlier.id for earlier in claims[:i]]:
            expected = "a unique id for every claim"
            flaws.append(Flaw(("claims", i, "id"), f"a second claim '{claim.id}'", expected))
        if axes is not None:
            flaws += _words(claim, ("claims", i), axes)
        if metrics is not None:
            flaws += _metrics(claim, ("claims", i), metrics, horizon)
    return flaws


def check_tripwires(tripwires: Sequence[Tripwire], metrics: Mapping[str, Metric]) -> list[Flaw]:
    """All flaws of all tripwires but of `when`, which is checked where all matches are. Of
    `train/...` everything that is logged can have a line, claimed or not."""
    flaws: list[Flaw] = []
    for i, wire in enumerate(tripwires):
        if not is_logged(wire.metric):
            found = _metric(wire.metric, ("tripwires", i, "metric"), metrics)
            what = "round logs" if wire.metric.startswith("train/") else "evaluation has"
            flaws += [replace(flaw, found=f"no {what} '{wire.metric}'") for flaw in found]
        flaws += _line(wire, ("tripwires", i), metrics)
    return flaws


# -- axes and values ----------------------------------------------------------------------------


def _words(claim: Claim, path: Path, axes: Axes) -> list[Flaw]:
    """Axes and values that the manifest does not have, or that a claim uses in two ways."""
    flaws = _match(claim.where, (*path, "where"), axes)
    for word, said in (("compare", claim.compare), ("order", claim.order)):
        for axis, values in (said or {}).items():
            at = (*path, word, axis)
            flaws += _match({axis: values}, at[:-1], axes, patterns=False)
            twice = [value for i, value in enumerate(values) if value in values[:i]]
            if twice:
                flaws.append(Flaw(at, f"{axis} '{twice[0]}' against itself", "values that differ"))
            if axis in claim.where:
                hint = f"`{word}` chooses the values of '{axis}'; leave it out of `where`"
                flaws.append(Flaw((*path, "where", axis), f"'{axis}' again", hint=hint, key=True))
    for i, axis in enumerate(claim.for_each):
        flaws += _axis(axis, (*path, "for_each", i), axes, key=False)
        if axis in (claim.axis, claim.differs_by):
            hint = f"a verdict for each {axis} has nothing to compare along '{axis}'"
            flaws.append(Flaw((*path, "for_each", i), f"'{axis}' is compared", hint=hint))
        if axis in claim.for_each[:i]:
            flaws.append(Flaw((*path, "for_each", i), f"'{axis}' again", "each axis once"))
    if claim.differs_by is not None:
        flaws += _axis(claim.differs_by, (*path, "differs_by"), axes, key=False)
        if claim.differs_by == claim.axis:
            expected = "another axis than the compared one"
            flaws.append(Flaw((*path, "differs_by"), f"'{claim.axis}' again", expected))
    return flaws


def _match(match: Match, path: Path, axes: Axes, *, patterns: bool = True) -> list[Flaw]:
    flaws: list[Flaw] = []
    for axis, wanted in match.items():
        unknown = _axis(axis, (*path, axis), axes, key=True)
        flaws += unknown
        for i, value in enumerate(wanted if isinstance(wanted, list) else [wanted]):
            if unknown or value in axes[axis]:
                continue
            if not (patterns and any(matches({axis: have}, {axis: value}) for have in axes[axis])):
                at = (*path, axis, i) if isinstance(wanted, list) else (*path, axis)
                hint = _near(plain(value), [plain(v) for v in axes[axis]])
                flaws.append(Flaw(at, f"axis '{axis}' has no value {told(value)}", hint=hint))
    return flaws


def _axis(axis: str, path: Path, axes: Axes, *, key: bool) -> list[Flaw]:
    if axis in axes:
        return []
    hint = _near(axis, list(axes))
    if axis in ("seed", "seeds"):
        hint = "seeds are replicates: every verdict rests on all of them"
    return [Flaw(path, f"no axis '{axis}'", hint=hint, key=key)]


def _near(word: str, known: list[str]) -> str:
    return suggestion(word, known)


# -- cells ----------------------------------------------------------------------------------------


def _cells(claim: Claim, path: Path, cells: Sequence[Cell]) -> list[Flaw]:
    """Whether every side of every comparison has its cells."""
    inside = [cell for cell in cells if matches(cell, claim.where)]
    if not inside:
        return [Flaw((*path, "where"), "no cell of the manifest is like this", "cells that run")]
    if claim.differs_by is not None and len(branches(claim, inside)) < 2:
        found = f"'{claim.differs_by}' has one value in the cells of this claim"
        return [Flaw((*path, "differs_by"), found, "an axis with two values or more")]
    made = units(claim, cells)
    word = "order" if claim.order else "compare"
    if not made:
        return [Flaw((*path, word), "no cell has these values and `where`'s", "cells that run")]
    none: list[Flaw] = []
    return next((flaws for unit in made if (flaws := _lacking(unit, (*path, word)))), none)


def _lacking(unit: ClaimComparison, path: Path) -> list[Flaw]:
    """The first comparison of a verdict that lacks cells on one side."""
    for axis, one, two in unit.pairs:
        found = matched(axis, one.cells, two.cells)
        if found.lonely:
            lonely = found.lonely[0]
            rest = ", ".join(f"{k} {v}" for k, v in lonely.items() if k != axis)
            text = f"{axis} '{lonely[axis]}' has a cell ({rest}) that the other side lacks"
            more = f", and {len(found.lonely) - 1} more" if len(found.lonely) > 1 else ""
            hint = "exclude such cells with `where`, or run the others too"
            return [Flaw(path, text + more, "the same cells on both sides", hint)]
    return []


# -- metrics --------------------------------------------------------------------------------------


def _metrics(claim: Claim, path: Path, metrics: Mapping[str, Metric], horizon: int) -> list[Flaw]:
    at = (*path, "event", "metric") if claim.event else (*path, "metric")
    flaws: list[Flaw] = []
    if claim.event is not None and claim.event.rounds > horizon:
        found = f"for {claim.event.rounds:,} rounds in a row"
        flaws.append(Flaw((*path, "event", "for"), found, f"at most {horizon:,}, as rounds"))
    for name in claim.metrics:
        unknown = _metric(name, at, metrics, str(claim.metric))
        if unknown:
            return flaws + unknown
        metric = metrics[name]
        flaws += _margin(claim, path, metric)
        if claim.event is not None:
            return flaws + _line(claim.event, (*path, "event"), metrics)
        flaws += _measured(claim, at, metric, metrics)
        if claim.expect.word == "not_worse_than" and metric.better is None:
            hint = "set lower_by, higher_by or equal_within"
            found = f"'{name}' is neither better nor worse when higher"
            flaws.append(Flaw((*path, "expect", "not_worse_than"), found, hint=hint, key=True))
        if flaws:
            break
    return flaws


def _margin(claim: Claim, path: Path, metric: Metric) -> list[Flaw]:
    """Whether a margin in points is one that a result can lie on either side of."""
    if claim.kind == "crossover" or not (claim.event or metric.unit == "points"):
        return []
    most = 200 if claim.kind in ("interaction", "trend") else 100
    word, number = claim.expect.word, claim.expect.number
    if number < most:
        return []
    found = f"{word}: {number:g} percentage points"
    return [Flaw((*path, "expect", word), found, f"a number below {most}")]


def _measured(
    claim: Claim, path: Path, metric: Metric, metrics: Mapping[str, Metric]
) -> list[Flaw]:
    """Whether a metric is evaluated at the rounds that the claim needs."""
    if claim.kind == "trend":
        n = len(metric.series.rounds)
        expected = "three rounds or more, for a trend"
        found = f"'{metric.name}' is evaluated {n} times"
        return [] if n >= 3 else [Flaw(path, found, expected, _oftener(metric, metrics))]
    if metric.final is None:
        found = f"'{metric.name}' is not evaluated at the last round ({metric.horizon})"
        return [Flaw(path, found, hint="add `last` to the `at` of a schedule that has it")]
    if claim.kind in ("gain", "crossover") and 0 not in metric.final.rounds:
        found = f"'{metric.name}' is not evaluated on the base model"
        hint = "add 0 to the `at` of the schedule that reaches the last round"
        if MetricName.parse(metric.name) is None:
            hint = "a gain is over the base model; take an `eval/...` metric"
        return [Flaw(path, found, "round 0", hint)]
    return []


def _oftener(metric: Metric, metrics: Mapping[str, Metric]) -> str:
    """A series that has rounds enough for a trend; empty for none."""
    for name in _alike(metric.name, metrics):
        if (n := len(metrics[name].series.rounds)) >= 3:
            return f"'{name}' is evaluated {n} times"
    return ""


def _alike(name: str, metrics: Iterable[str]) -> Iterator[str]:
    """The other series of a benchmark, measure and decoding."""
    parts = MetricName.parse(name)
    for other in metrics:
        its = MetricName.parse(other)
        if parts and its and other != name and replace(its, series=parts.series) == parts:
            yield other


def _metric(
    name: str, path: Path, metrics: Mapping[str, Metric], said: str | None = None
) -> list[Flaw]:
    if name in metrics:
        return []
    found = f"no evaluation has '{name}'"
    elsewhere = next(_alike(name, metrics), "")
    hint = f"did you mean '{elsewhere}'?" if elsewhere else did_you_mean(name, list(metrics))
    hint = hint or _forms(metrics)
    if said is not None and HOLE in said:
        head, _, tail = said.partition(HOLE)
        inside = [m.removeprefix(head).removesuffix(tail) for m in metrics if m.startswith(head)]
        possible = [k for k in inside if k.isdecimal() and head + k + tail in metrics]
        hint = f"k can be {', '.join(possible)}" if possible else hint
    return [Flaw(path, found, hint=hint)]


def _forms(metrics: Iterable[str]) -> str:
    """A short example of valid metric names."""
    names = [name for name in map(MetricName.parse, metrics) if name is not None]
    if not names:
        return "the manifest evaluates nothing; `train/...` metrics are there"
    places = [
        dict.fromkeys(getattr(name, part) for name in names)
        for part in ("series", "benchmark", "measure", "decoding")
    ]
    heads = sorted(places[0], key=lambda series: series != EVAL)
    head = heads[0] if len(heads) == 1 else f"{{{', '.join(heads)}}}"
    return f"there are {head}/" + "/".join("{" + ", ".join(place) + "}" for place in places[1:])


def _line(line: Threshold, path: Path, metrics: Mapping[str, Metric]) -> list[Flaw]:
    """Whether a line can be crossed at all."""
    known = metrics.get(line.metric)
    if known is None or known.unit != "points" or 0 <= line.number <= 1:
        return []
    found = f"{line.metric} {line.side} {line.number:g}"
    return [Flaw((*path, line.side), found, "a share between 0 and 1")]
