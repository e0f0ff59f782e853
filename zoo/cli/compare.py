"""`zoo compare`: judges a sweep's trials: means of cells, effects of axes, verdicts of
claims; or two sweeps side by side. Reads run folders and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from zoo.claims.planned_power import amount
from zoo.errors import plain
from zoo.judging.effects import AxisEffect, CellMean
from zoo.judging.judge import ClaimVerdict
from zoo.judging.verdict_text import notes, sealed_words, sentence, span, withdrawn_words, word
from zoo.notebook.compared import Compared, compare_with
from zoo.planning.options import PlanOptions
from zoo.planning.study import as_json
from zoo.render.plan_costs import counted
from zoo.render.plan_text import wrapped
from zoo.trials.metrics import Metric

WIDTH = 100


def show(
    names: Sequence[str],
    words: PlanOptions,
    *,
    by: str | None,
    metric: str | None,
    across: Sequence[str],
    json_: bool,
) -> int:
    """Print cell means, effects and verdicts of a sweep, finished or not; or two sweeps side by
    side.

    Raises:
        InputError: an axis or metric that a sweep does not have; sweeps that cannot be compared.
        StateError: a journal or record that cannot be read.
    """
    found = compare_with(names, words, by=by, metric=metric, across=across)
    if json_:
        click.echo(as_json(found.data))
        return 0
    for line in wrapped(_lines(found), WIDTH):
        click.echo(line)
    return 0


# -- for people -----------------------------------------------------------------------------------


def _lines(found: Compared) -> Iterator[str]:
    metric = found.metric
    if found.simulated or found.rehearsal:
        yield "SIMULATED OR REHEARSED: these numbers are no evidence about the models named."
        yield ""
    yield from _across(found)
    yield click.style(f"{metric.name}: final numbers ({metric.unit}), 95 % intervals", bold=True)
    yield from (f"  void, left out: {trial} ({why})" for trial, why in found.void)
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


def _across(found: Compared) -> Iterator[str]:
    """What two sweeps differ in, and what goes without saying of one."""
    if len(found.names) == 1:
        return
    one, other = found.names
    yield f"{other} compared with {one}; their claims are judged by `zoo compare` of each"
    for difference in found.across:
        yield f"! across {difference.kind}: {difference.one} / {difference.other}"
    if found.shared:
        yield f"! {counted(found.shared, 'trial')} in both, the same one in each"
    yield ""


def _cell_lines(means: Sequence[CellMean], metric: Metric) -> Iterator[str]:
    names = [", ".join(plain(value) for value in mean.cell.values()) for mean in means]
    width = max(map(len, names))
    for name, mean in zip(names, means, strict=True):
        yield f"{name:<{width}}  {_mean_text(mean, metric)}"


def _mean_text(mean: CellMean, metric: Metric) -> str:
    if mean.mean is None:
        text = "no number yet" if mean.ended < mean.trials else "no trial that did not collapse"
        text = text if mean.trials else "all trials void"
    else:
        span = _span(mean.interval, metric, mean.problems_interval)
        text = f"{_figure(mean.mean, metric)}{span}, {counted(mean.n, 'trial')}"
    if mean.ended < mean.trials:
        text += f", {mean.trials - mean.ended} not ended"
        text += f" ({mean.failed} failed: missing)" if mean.failed else ""
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
    if effect.improvement is not None and effect.iqm is not None:
        one, other = (_figure(value, metric) for value in effect.iqm)
        moving += f"; higher in {100 * effect.improvement:.0f} % of pairs of trials"
        moving += f", interquartile means {one} and {other}"
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
