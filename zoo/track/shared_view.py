"""What MLflow's pages of a sweep open on: columns, grouping, charts, description; plain values.

Pure; knows no MLflow but the forms that its pages read. The forms are those of MLflow 3.17's shared
views; a page that knows less of them shows its own columns and charts.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from zoo.errors import plain
from zoo.manifest.metric_name import MetricName, measure_of
from zoo.manifest.schema import Experiment
from zoo.track.payload import cell_labels, final_name, gain_name
from zoo.trials.metrics import Metric, metrics_of
from zoo.trials.trial import Trial

VIEW_NAME = "zoo"
GROUP_TAG = "zoo.cell_label"
ACCURACIES = 6
"""Accuracies with a column of their own."""
CHARTS_OF_TRAINING = ("train/reward", "train/completions/mean_length")
LONGEST_TAG = 5000
"""Characters of an experiment's tag in MLflow's database."""
RUN_NAME, DATE = "attributes.`Run Name`", "runDateAndNestInfo"
"""What MLflow's run list calls its first columns."""


def view(trials: Sequence[Trial]) -> str:
    """The shared view, as MLflow stores one: compressed, since a tag is short. Of so many cells
    that their names do not fit, the groups are open."""
    state = view_state(trials)
    packed = _packed(state)
    if len(packed) > LONGEST_TAG:
        packed = _packed({key: state[key] for key in state if key != "groupsExpanded"})
    return packed


def _packed(state: dict[str, Any]) -> str:
    packed = zlib.compress(json.dumps(state).encode(), 9)
    return f"deflate;{base64.b64encode(packed).decode()}"


def view_state(trials: Sequence[Trial]) -> dict[str, Any]:
    """What the run list shows when it is opened for a sweep: the axes as its first columns, then
    the final numbers; where there are several seeds a row a cell, named by its axes, with the means
    of the final numbers; and its charts."""
    seeds = len({trial.seed for trial in trials}) > 1
    accuracies = _accuracies(metrics_of(trials).values())
    params = _param_columns(trials, seeds=seeds)
    metrics = [f"metrics.`{name}`" for name in _final_columns(accuracies)]
    # A row of a group is named by its cell and has no axes of its own.
    columns = [*metrics, *params] if seeds else [*params, *metrics]
    columns += ["tags.`zoo.state`"]
    widths = {column: _width(column) for column in metrics} | params
    labels = dict.fromkeys(cell_labels(trials).values())
    longest = max(map(len, labels), default=0)
    state: dict[str, Any] = {
        "searchFilter": "tags.`zoo.kind` = 'trial'",
        "orderByKey": "tags.`mlflow.runName`",
        "orderByAsc": True,
        "selectedColumns": columns,
        "columnOrder": [RUN_NAME, *columns, DATE],
        "columnWidths": {RUN_NAME: min(560, max(300, 7 * longest + 170 * seeds))} | widths,
        "runsHiddenMode": "FIRST_20_RUNS",
        "hideEmptyCharts": True,
        "isAccordionReordered": True,
        "compareRunSections": [_section("zoo-first", "Accuracy, reward, length")],
        "compareRunCharts": _charts(trials, accuracies),
    }
    if seeds:
        keys = [{"mode": "tag", "groupByData": GROUP_TAG}]
        state["groupBy"] = {"aggregateFunction": "average", "groupByKeys": keys}
        state["useGroupedValuesInCharts"] = True
        state["groupsExpanded"] = {f"tag.{GROUP_TAG}.{label}": False for label in labels}
    return state


def _accuracies(metrics: Iterable[Metric]) -> list[MetricName]:
    """Those that are compared and have a final number, averages first."""
    named = [(MetricName.parse(m.name), m) for m in metrics if m.final and m.compared]
    found = [(parts, m) for parts, m in named if parts is not None and parts.measure == "acc"]
    found.sort(key=lambda one: -len(one[1].parts))
    return [parts for parts, _ in found]


def _param_columns(trials: Sequence[Trial], *, seeds: bool) -> dict[str, int]:
    """Column of an axis -> its width: those with several values, or all where none has."""
    values: dict[str, set[str]] = {}
    for trial in trials:
        for axis, value in trial.cell.items():
            values.setdefault(axis, set()).add(plain(value))
    axes = [axis for axis, found in values.items() if len(found) > 1] or list(values)
    widths = {f"params.`{axis}`": _pixels(max(map(len, (axis, *values[axis])))) for axis in axes}
    return widths | ({"params.`seed`": _pixels(len("seed"))} if seeds else {})


def _final_columns(accuracies: Sequence[MetricName]) -> list[str]:
    """The accuracies, with gain and response length of the first one."""
    names = [final_name(parts) for parts in accuracies[:ACCURACIES]]
    if accuracies:
        first = accuracies[0]
        names[1:1] = [gain_name(first)]
        names.append(final_name(_length(first)))
    return names


def _width(column: str) -> int:
    return _pixels(len(column) - len("metrics.``"))


def _pixels(letters: int) -> int:
    return min(320, max(80, 7 * letters + 40))


def _section(id_: str, name: str) -> dict[str, Any]:
    shown = {"display": True, "isReordered": False, "deleted": False, "isGenerated": False}
    return {"uuid": id_, "name": name} | shown


def _charts(trials: Sequence[Trial], accuracies: Sequence[MetricName]) -> list[dict[str, Any]]:
    """Accuracy over training as often as it was measured, final accuracy, reward and length."""
    known = metrics_of(trials)
    measured = [
        m for m in known.values() if MetricName.parse(m.name) and measure_of(m.name) == "acc"
    ]
    measured.sort(key=lambda metric: (-len(metric.series.rounds), -len(metric.parts)))
    drawn = [metric.name for metric in measured[:2]]
    drawn += [str(parts) for parts in accuracies[:1] if str(parts) not in drawn]
    drawn += [name for name in CHARTS_OF_TRAINING if name in known]
    drawn += [str(_length(parts)) for parts in accuracies[:1]]
    charts = [_chart("LINE", name) for name in drawn]
    charts[2:2] = [_chart("BAR", final_name(parts)) for parts in accuracies[:1]]
    return [chart | {"uuid": f"zoo-{i}"} for i, chart in enumerate(charts)]


def _length(parts: MetricName) -> MetricName:
    return MetricName(parts.series, parts.benchmark, "mean_length", parts.decoding)


def _chart(kind: str, metric: str) -> dict[str, Any]:
    return {
        "type": kind,
        "metricSectionId": "zoo-first",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "displayName": metric.replace("/completions/", "/"),  # what MLflow would cut
        "runsCountToCompare": 20,
        "deleted": False,
        "isGenerated": False,
        "xAxisKey": "step",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "lineSmoothness": 0,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
        "ignoreOutliers": False,
        "selectedXAxisMetricKey": "",
    }


def note(experiment: Experiment, report: str, page: str = "", verdicts: Sequence[str] = ()) -> str:
    """Description of the experiment and of the sweep's run, in markdown.

    Args:
        report: where the report lies. page: its address among MLflow's pages, once it is there.
    """
    told = [f"**{experiment.question}**"]
    if experiment.prediction:
        told.append(f"Predicted before the run: {experiment.prediction}")
    if verdicts:
        told.append("\n".join(f"- {verdict}" for verdict in verdicts))
    link = f"[report.html]({page}), also in `{report}`" if page else f"`{report}`"
    told.append(
        f"Report: {link}. One run a sweep, one child a trial; step = round, 0 = base model. "
        "`final/...` is in per cent (gains in points, lengths in tokens), every other share a "
        "fraction."
    )
    return "\n\n".join(told)
