"""`zoo compare`: what a sweep's trials say, judged: means of cells, effects of axes, verdicts of
claims. Reads run folders and writes nothing; light."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from zoo.claims.comparisons import cells_of
from zoo.claims.planned_power import amount
from zoo.errors import Fault, InputError, did_you_mean, listed, plain
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, as_json, load_study
from zoo.render.plan_costs import counted
from zoo.render.plan_text import wrapped
from zoo.report.effects import AxisEffect, CellMean, axis_effects, cell_means
from zoo.report.judge import SEALED, ClaimVerdict, Numbers, verdicts
from zoo.report.values import values_of
from zoo.report.verdict_text import notes, sentence, span, word
from zoo.runs import outcome
from zoo.trials.metrics import Metric, metrics_of

WIDTH = 100


def show(name: str, words: PlanOptions, *, by: str | None, metric: str | None, json_: bool) -> int:
    """Print cell means, effects and verdicts of a sweep, finished or not.

    Raises:
        InputError: an axis or metric that the sweep does not have.
        StateError: a journal or record that cannot be read.
    """
    study = load_study(name, words, started=True)
    metrics = metrics_of(study.trials)
    chosen = _metric(study, metrics, metric)
    axes = _axes(study, by)
    numbers = Numbers(
        [values_of(outcome.load(trial, study.store), metrics) for trial in study.trials], metrics
    )
    cells = cells_of(study.chosen)
    means = cell_means(numbers, chosen.name, cells)
    effects = [e for axis in axes for e in axis_effects(numbers, chosen.name, axis, cells)]
    claims = () if study.words.rehearse else study.manifest.experiment.claims  # it decides nothing
    judged = verdicts(claims, numbers, study.seals)
    if json_:
        click.echo(as_json(_data(study, chosen, judged, means, effects)))
        return 0
    for line in wrapped(_lines(study, chosen, judged, means, effects), WIDTH):
        click.echo(line)
    return 0


def _metric(study: Study, metrics: dict[str, Metric], said: str | None) -> Metric:
    """The metric that cells and effects are shown by: the one that was asked for, else that of the
    first claim about means, else the first of `eval/...`."""
    final = {name: metric for name, metric in metrics.items() if metric.final is not None}
    if said is not None:
        if said in final:
            return final[said]
        hint = did_you_mean(said, list(final)) or f"there are: {listed(final, 8)}"
        found = "is not measured at the last round" if said in metrics else "is not measured"
        raise InputError(Fault("--metric", f"'{said}' {found}", hint=hint))
    claims = [c for c in study.manifest.experiment.claims if c.kind not in ("rate", "trend")]
    names = [claim.metrics[-1] for claim in claims]
    names += [name for name, metric in final.items() if metric.compared]
    names += list(final)
    if (found := next((name for name in names if name in final), None)) is None:
        raise InputError(Fault("compare", "nothing is measured at the last round"))
    return final[found]


def _axes(study: Study, said: str | None) -> list[str]:
    """The axes whose effects are shown: the one that was asked for, else all with two values."""
    cells = cells_of(study.chosen)
    values = {axis: {plain(cell.get(axis)) for cell in cells} for axis in cells[0]}
    if said is None:
        return [axis for axis, found in values.items() if len(found) > 1]
    if said not in values:
        hint = did_you_mean(said, list(values)) or f"there are: {', '.join(values)}"
        raise InputError(Fault("--by", f"no axis '{said}'", hint=hint))
    return [said]


# -- for programs ---------------------------------------------------------------------------------


def _data(
    study: Study,
    metric: Metric,
    judged: Sequence[ClaimVerdict],
    means: Sequence[CellMean],
    effects: Sequence[AxisEffect],
) -> dict[str, Any]:
    return {
        "name": study.name,
        "metric": metric.name,
        "unit": metric.unit,
        "simulated": study.simulated,
        "rehearsal": study.words.rehearse,
        "claims": [_claim_row(verdict) for verdict in judged],
        "cells": [_interval_row(asdict(mean)) for mean in means],
        "effects": [_interval_row(asdict(effect)) for effect in effects],
    }


def _interval_row(row: dict[str, Any]) -> dict[str, Any]:
    low, high = row.pop("interval") or (None, None)
    return row | {"low": low, "high": high}


def _claim_row(verdict: ClaimVerdict) -> dict[str, Any]:
    judged, estimate = verdict.judged, verdict.estimate
    low, high = map(_finite, judged.interval)
    plain_low, plain_high = map(_finite, judged.plain)
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
        "p": None if verdict.missing else judged.p,
        "n": verdict.n,
        "detects": judged.detects,
        "standing": verdict.standing,
        "missing": verdict.missing,
        "arms": [asdict(arm) | {"collapse_95": arm.rate} for arm in verdict.arms],
        "df": None if estimate is None else _finite(estimate.df),
        "spread_ratio": None if estimate is None else estimate.spread_ratio,
        "largest_share": None if estimate is None else estimate.largest_share,
        "unequal_seeds": estimate is not None and estimate.unequal,
        "floored_cells": 0 if estimate is None else estimate.floored,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# -- for people -----------------------------------------------------------------------------------


def _lines(
    study: Study,
    metric: Metric,
    judged: Sequence[ClaimVerdict],
    means: Sequence[CellMean],
    effects: Sequence[AxisEffect],
) -> Iterator[str]:
    if study.simulated or study.words.rehearse:
        yield "SIMULATED OR REHEARSED: these numbers say nothing about the models named."
        yield ""
    yield click.style(f"{metric.name}: final numbers ({metric.unit}), 95 % intervals", bold=True)
    yield from (f"  {line}" for line in _cell_lines(means, metric))
    for axis in dict.fromkeys(effect.axis for effect in effects):
        yield ""
        yield click.style(
            f"effects of {axis} (95 %, not corrected; they decide nothing)", bold=True
        )
        yield from (f"  {_effect_line(e, metric)}" for e in effects if e.axis == axis)
    if not judged:
        return
    sealed = sum(verdict.standing == SEALED for verdict in judged)
    together = ", corrected together (Holm)" if sealed > 1 else ""
    yield ""
    yield click.style(f"claims: {counted(sealed, 'sealed verdict')}{together}", bold=True)
    yield from _claim_lines(judged)


def _cell_lines(means: Sequence[CellMean], metric: Metric) -> Iterator[str]:
    names = [", ".join(plain(value) for value in mean.cell.values()) for mean in means]
    width = max(map(len, names))
    for name, mean in zip(names, means, strict=True):
        yield f"{name:<{width}}  {_mean_text(mean, metric)}"


def _mean_text(mean: CellMean, metric: Metric) -> str:
    if mean.mean is None:
        text = "no number yet" if mean.ended < mean.trials else "no trial that did not collapse"
    else:
        span = _span(mean.interval, metric)
        text = f"{_figure(mean.mean, metric)}{span}, {counted(mean.n, 'trial')}"
    if mean.ended < mean.trials:
        text += f", {mean.trials - mean.ended} not ended"
    if mean.collapsed:
        low, high = mean.collapse
        text += (
            f"; {mean.collapsed} of {mean.ended} collapsed ({100 * low:.0f} to {100 * high:.0f} %)"
        )
    if mean.mean_of_all is not None:
        text += f", all together {_figure(mean.mean_of_all, metric)} (no verdict rests on that)"
    return text


def _effect_line(effect: AxisEffect, metric: Metric) -> str:
    head = f"{plain(effect.value)} less {plain(effect.against)}:"
    if effect.effect is None:
        return f"{head} no pair of cells with numbers"
    figure = f"{'+' * (effect.effect > 0)}{_figure(effect.effect, metric)}"
    text = (
        f"{head} {figure}{_span(effect.interval, metric)}, {counted(effect.pairs, 'pair')} of cells"
    )
    moving = f"; {', '.join(effect.moving)} moves along" if effect.moving else ""
    return f"{text}, {counted(effect.n, 'trial')}{moving}"


def _figure(value: float, metric: Metric) -> str:
    return amount(value, metric.unit)


def _span(interval: tuple[float, float] | None, metric: Metric) -> str:
    return " (no interval)" if interval is None else f" ({span(interval, metric.unit)})"


def _claim_lines(judged: Sequence[ClaimVerdict]) -> Iterator[str]:
    for claim in dict.fromkeys(verdict.claim.id for verdict in judged):
        own = [verdict for verdict in judged if verdict.claim.id == claim]
        yield f"  {own[0].claim.says} ({claim}, {own[0].standing})"
        for verdict in own:
            label = f"{verdict.label}: " if verdict.label else ""
            yield f"    {label}{click.style(word(verdict), bold=True)}. {sentence(verdict)}"
            yield from (f"      {note}" for note in notes(verdict))
