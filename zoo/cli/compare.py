"""`zoo compare`: what a sweep's trials say, judged: means of cells, effects of axes, verdicts of
claims. Reads run folders and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from zoo.claims.comparisons import cells_of
from zoo.claims.planned_power import amount
from zoo.errors import Fault, InputError, did_you_mean, listed, plain
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, as_json, load_study
from zoo.render.plan_costs import counted
from zoo.render.plan_text import wrapped
from zoo.report.answer import Answer, answer, claim_row, interval_row
from zoo.report.effects import AxisEffect, CellMean
from zoo.report.judge import ClaimVerdict
from zoo.report.verdict_text import notes, sealed_words, sentence, span, withdrawn_words, word
from zoo.runs import outcome
from zoo.trials.grid import Cell
from zoo.trials.metrics import Metric, metrics_of

WIDTH = 100


def show(name: str, words: PlanOptions, *, by: str | None, metric: str | None, json_: bool) -> int:
    """Print cell means, effects and verdicts of a sweep, finished or not.

    Raises:
        InputError: an axis or metric that the sweep does not have.
        StateError: a journal or record that cannot be read.
    """
    study = load_study(name, words, started=True)
    cells = cells_of(study.chosen)
    found = answer(
        [outcome.load(trial, study.store) for trial in study.trials],
        study.manifest.experiment.claims,
        study.seals,
        cells=cells,
        metric=_metric(study, metric),
        axes=None if by is None else [_axis(cells, by)],
        looks=study.manifest.experiment.look_sizes,
        store=study.store,
    )
    if found.metric is None:
        raise InputError(Fault("compare", "nothing is measured at the last round"))
    if json_:
        click.echo(as_json(_data(study, found.metric, found)))
        return 0
    for line in wrapped(_lines(study, found.metric, found), WIDTH):
        click.echo(line)
    return 0


def _metric(study: Study, said: str | None) -> str | None:
    """The metric that was asked for, if one was."""
    metrics = metrics_of(study.trials)
    final = [name for name, metric in metrics.items() if metric.final is not None]
    if said is None or said in final:
        return said
    hint = did_you_mean(said, final) or f"available: {listed(final, 8)}"
    found = "is not measured at the last round" if said in metrics else "is not measured"
    raise InputError(Fault("--metric", f"'{said}' {found}", hint=hint))


def _axis(cells: Sequence[Cell], said: str) -> str:
    """The axis that was asked for."""
    if said not in cells[0]:
        hint = did_you_mean(said, list(cells[0])) or f"available: {', '.join(cells[0])}"
        raise InputError(Fault("--by", f"no axis '{said}'", hint=hint))
    return said


# -- for programs ---------------------------------------------------------------------------------


def _data(study: Study, metric: Metric, found: Answer) -> dict[str, Any]:
    return {
        "name": study.name,
        "metric": metric.name,
        "unit": metric.unit,
        "simulated": study.simulated,
        "rehearsal": study.words.rehearse,
        "claims": [claim_row(verdict) for verdict in found.claims],
        "withdrawn": list(found.withdrawn),
        "cells": [interval_row(mean) for mean in found.cells],
        "effects": [interval_row(effect) for effect in found.effects],
    }


# -- for people -----------------------------------------------------------------------------------


def _lines(study: Study, metric: Metric, found: Answer) -> Iterator[str]:
    if study.simulated or study.words.rehearse:
        yield "SIMULATED OR REHEARSED: these numbers say nothing about the models named."
        yield ""
    yield click.style(f"{metric.name}: final numbers ({metric.unit}), 95 % intervals", bold=True)
    yield from (f"  {line}" for line in _cell_lines(found.cells, metric))
    for axis in dict.fromkeys(effect.axis for effect in found.effects):
        yield ""
        yield click.style(
            f"effects of {axis} (95 %, not corrected; they decide nothing)", bold=True
        )
        yield from (f"  {_effect_line(e, metric)}" for e in found.effects if e.axis == axis)
    if found.claims:
        yield ""
        yield click.style(f"claims: {sealed_words(found.claims)}", bold=True)
        yield from _claim_lines(found.claims)
    if found.withdrawn:
        yield ""
        yield withdrawn_words(found.withdrawn)


def _cell_lines(means: Sequence[CellMean], metric: Metric) -> Iterator[str]:
    names = [", ".join(plain(value) for value in mean.cell.values()) for mean in means]
    width = max(map(len, names))
    for name, mean in zip(names, means, strict=True):
        yield f"{name:<{width}}  {_mean_text(mean, metric)}"


def _mean_text(mean: CellMean, metric: Metric) -> str:
    if mean.mean is None:
        text = "no number yet" if mean.ended < mean.trials else "no trial that did not collapse"
    else:
        span = _span(mean.interval, metric, mean.problems_interval)
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
    interval = _span(effect.interval, metric, effect.problems_interval)
    text = f"{head} {figure}{interval}, {counted(effect.pairs, 'pair')} of cells"
    moving = f"; {', '.join(effect.moving)} moves along" if effect.moving else ""
    return f"{text}, {counted(effect.n, 'trial')}{moving}"


def _figure(value: float, metric: Metric) -> str:
    return amount(value, metric.unit)


def _span(
    interval: tuple[float, float] | None, metric: Metric, wider: tuple[float, float] | None
) -> str:
    if interval is None:
        return " (no interval)"
    more = f"; over problems as well {span(wider, metric.unit)}" if wider else ""
    return f" ({span(interval, metric.unit)}{more})"


def _claim_lines(judged: Sequence[ClaimVerdict]) -> Iterator[str]:
    for claim in dict.fromkeys(verdict.claim.id for verdict in judged):
        own = [verdict for verdict in judged if verdict.claim.id == claim]
        yield f"  {own[0].claim.says} ({claim}, {own[0].standing})"
        for verdict in own:
            label = f"{verdict.label}: " if verdict.label else ""
            yield f"    {label}{click.style(word(verdict), bold=True)}. {sentence(verdict)}"
            yield from (f"      {note}" for note in notes(verdict))
