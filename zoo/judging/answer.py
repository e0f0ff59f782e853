"""The results of a study: verdicts of its claims, means of cells, effects of axes.

The only place where outcomes become an answer. `zoo compare`, its `--json`, the page and the CSV
files next to it show these values, so they cannot differ. Reads through `zoo.judging.values`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zoo.claims.comparisons import cells_of
from zoo.errors import plain
from zoo.judging.effects import AxisEffect, CellMean, axis_effects, cell_means
from zoo.judging.judge import ClaimVerdict, verdicts
from zoo.judging.numbers import Numbers
from zoo.judging.problem_scores import ScoreReader
from zoo.judging.values import values_of
from zoo.judging.verdict_text import sentence
from zoo.manifest.claim_schema import Claim
from zoo.runs.outcome import Outcome
from zoo.store.run_store import Store
from zoo.trials.grid import Cell
from zoo.trials.metrics import Metric, metrics_of


@dataclass(frozen=True)
class Answer:
    """A judged study. Numbers are in the unit of claims (points for shares)."""

    numbers: Numbers
    claims: tuple[ClaimVerdict, ...]
    """One for each comparison of each claim; none in a rehearsal, which decides nothing."""
    withdrawn: tuple[str, ...]
    """Ids of sealed claims that the manifest no longer has."""
    metric: Metric | None
    """What cells and effects are shown by; None where nothing is evaluated at the last round."""
    cells: tuple[CellMean, ...]
    effects: tuple[AxisEffect, ...]


def answer(
    outcomes: Sequence[Outcome],
    claims: Sequence[Claim],
    standing: Mapping[str, str],
    *,
    cells: Sequence[Cell] | None = None,
    metric: str | None = None,
    axes: Sequence[str] | None = None,
    looks: Sequence[int] = (),
    store: Store | None = None,
) -> Answer:
    """Judge a study.

    Args:
        outcomes: of all trials of the plan.
        standing: claim id -> its state in the lock.
        cells: those to show; all by default. Claims are judged by all of them.
        metric: one that is evaluated at the last round, else that of the first claim about means.
        axes: whose effects are shown, else all with two values.
        looks: seeds at each look that the manifest declared; () = one look.
        store: where scores by problem are read; None = results that need them are left out.
    """
    trials = [found.trial for found in outcomes]
    metrics = metrics_of(trials)
    scores = ScoreReader(store) if store else None
    numbers = Numbers([values_of(found, metrics, scores) for found in outcomes], metrics)
    chosen = metrics[metric] if metric is not None else default_metric(metrics, claims)
    shown = cells_of(trials) if cells is None else cells
    rehearsed = any(trial.rehearsal for trial in trials)
    judged = () if rehearsed else tuple(verdicts(claims, numbers, standing, looks))
    withdrawn = tuple(id_ for id_, word in standing.items() if word == "withdrawn")
    if chosen is None:
        return Answer(numbers, judged, withdrawn, None, (), ())
    effects = (
        effect
        for axis in (varied_axes(shown) if axes is None else axes)
        for effect in axis_effects(numbers, chosen.name, axis, shown)
    )
    means = tuple(cell_means(numbers, chosen.name, shown, problems=store is not None))
    return Answer(numbers, judged, withdrawn, chosen, means, tuple(effects))


def default_metric(metrics: Mapping[str, Metric], claims: Sequence[Claim]) -> Metric | None:
    """The metric that cells and effects are shown by: that of the first claim about means, else the
    first of `eval/...`, else the first; only of those that are evaluated at the last round."""
    about_means = [claim for claim in claims if claim.kind not in ("rate", "trend")]
    names = [claim.metrics[-1] for claim in about_means]
    names += [name for name, metric in metrics.items() if metric.compared]
    names += list(metrics)
    found = (metrics[name] for name in names if name in metrics)
    return next((metric for metric in found if metric.final is not None), None)


def varied_axes(cells: Sequence[Cell]) -> list[str]:
    """The axes with two values or more."""
    values = {axis: {plain(cell.get(axis)) for cell in cells} for axis in cells[0]}
    return [axis for axis, found in values.items() if len(found) > 1]


# -- for programs ---------------------------------------------------------------------------------


def interval_row(found: CellMean | AxisEffect) -> dict[str, Any]:
    """A cell or an effect by name of field, with `low` and `high` for its interval, `gain_low` and
    `gain_high` for that of a cell's gain, and `problems_low` and so on over problems as well."""
    row = asdict(found)
    for head in ("", "gain_", "problems_", "gain_problems_"):
        if f"{head}interval" in row:
            ends = row.pop(f"{head}interval") or (None, None)
            row |= dict(zip((f"{head}low", f"{head}high"), ends, strict=True))
    return row


def claim_row(verdict: ClaimVerdict) -> dict[str, Any]:
    """A verdict with all values that it is based on; None for unknown or infinite ones."""
    judged, estimate = verdict.judged, verdict.estimate
    low, high = map(_finite, judged.interval)
    plain_low, plain_high = map(_finite, judged.plain)
    wider = estimate.over_problems() if estimate else None
    return {
        "id": verdict.claim.id,
        "label": verdict.label,
        "says": verdict.claim.says,
        "kind": verdict.claim.kind,
        "expect": str(verdict.claim.expect),
        "unit": verdict.unit,
        "verdict": verdict.word,
        "sentence": sentence(verdict),
        "effect": judged.effect,
        "low": low,
        "high": high,
        "level": judged.level,
        "low_95": plain_low,
        "high_95": plain_high,
        "problems_low_95": wider and wider[0],
        "problems_high_95": wider and wider[1],
        "p": None if verdict.missing else judged.p,
        "n": verdict.n,
        "detects": judged.detects,
        "standing": verdict.standing,
        "missing": verdict.missing,
        "look": verdict.look + 1 if verdict.looks else None,
        "looks": list(verdict.looks),
        "arms": [asdict(arm) | {"collapse_95": arm.rate} for arm in verdict.arms],
        "df": None if estimate is None else _finite(estimate.df),
        "spread_ratio": None if estimate is None else estimate.spread_ratio,
        "largest_share": None if estimate is None else estimate.largest_share,
        "unequal_seeds": estimate is not None and estimate.unequal,
        "floored_cells": 0 if estimate is None else estimate.floored,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
