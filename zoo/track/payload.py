"""What of a trial goes into MLflow: names, tags, params, points and tables, as plain values.

Pure: the same folder gives the same points with the same timestamps, so that sending them twice
stores them once. Knows no MLflow; `zoo.track.client` carries the values there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from zoo.manifest.metric_name import EVAL, FINAL, MetricName, measure_of
from zoo.manifest.schema import Experiment
from zoo.runs.finals import all_numbers, finals
from zoo.runs.outcome import Outcome, completions
from zoo.store.run_store import Store
from zoo.trials.identity import digest
from zoo.trials.metrics import metrics_of
from zoo.trials.trial import Trial

TABLE_NAME = "completions.json"
TABLE_ROWS = 20
VIEW_NAME = "zoo"


@dataclass(frozen=True)
class Point:
    """One value of one metric. `time_ms` is when its round ended, since the epoch."""

    name: str
    value: float
    step: int
    time_ms: int


def params(trial: Trial) -> dict[str, str]:
    """Axes first, then what the recipe resolved to; sent once, as MLflow never changes a param."""
    settings = {f"grpo.{name}": value for name, value in trial.grpo.items()}
    settings |= {f"batch.{name}": value for name, value in trial.batch.model_dump().items()}
    named = {"prompt": trial.prompt.name, "recipe": trial.recipe, "trainer": trial.trainer}
    chosen = {**named, **settings, **trial.cell, "seed": trial.seed}
    return {name: str(value)[:6000] for name, value in chosen.items()}


def tags(experiment: Experiment, found: Outcome) -> dict[str, str]:
    """The tags of a child run. `zoo.attempt` carries the lineage, 0 until a line was written, and
    the launch that replaced rounds of it."""
    trial, record = found.trial, found.record
    stack = record.stack if record else {}
    cell = {axis: str(value) for axis, value in trial.cell.items()}
    given = {
        "zoo.kind": "trial",
        "zoo.sweep": experiment.name,
        "zoo.trial": trial.id,
        "zoo.cell": " ".join(f"{axis}={value}" for axis, value in cell.items()),
        **{f"zoo.axis.{axis}": value for axis, value in cell.items()},
        "zoo.seed": str(trial.seed),
        "zoo.rounds": str(trial.rounds),
        "zoo.attempt": policy(found),
        "zoo.regraded": str(found.regraded),
        "zoo.series": naming(trial),
        "zoo.started": str(started_ms(found)),
        "zoo.state": found.state,
        "zoo.failure_class": (record.failure_class if record else None) or "",
        "zoo.model_digest": trial.model_digest,
        "zoo.data_digest": trial.data_digest,
        "zoo.simulated": str(found.made_up).lower(),
        "zoo.rehearsal": str(trial.rehearsal).lower(),
        "zoo.stack": " ".join(f"{name}={version}" for name, version in stack.items()),
        "mlflow.source.name": "zoo",
    }
    return {name: value[:5000] for name, value in given.items()}


def policy(found: Outcome) -> str:
    """The lineage, and the launch that replaced rounds of it, where one did: `1`, `1.3`."""
    return f"{found.lineage}.{found.replaced_by}" if found.replaced_by else str(found.lineage)


def started_ms(found: Outcome) -> int:
    """When the lineage wrote its first line, in milliseconds; 0 before that."""
    return round(1000 * min(found.times.values(), default=0))


def naming(trial: Trial) -> str:
    """Digest of which evaluation each series is, and of how final numbers are formed. Where it
    moves, points that MLflow has already are of other problems than their names say now."""
    return digest([trial.final, sorted((e.series, e.key) for e in trial.evaluations)])


def one_series(trial: Trial) -> bool:
    """Whether all evaluations are `eval/...`: then runs of zoo 0.1.0, which name no series, hold
    the same points under the same names."""
    return all(e.series == EVAL for e in trial.evaluations)


def mark(found: Outcome) -> str:
    """Says how much of a trial there is to send; equal marks mean there is nothing new."""
    which = (policy(found), started_ms(found), found.regraded)
    sizes = (len(found.rounds), len(found.measured), found.state)
    return ":".join(map(str, which + sizes))


def points(found: Outcome) -> Iterator[Point]:
    """All points of the lineage that counts: step = round, time = when the round ended; an
    evaluation is not sent before its round has ended and thereby has a time. A final number that is
    a mean over rounds has a point of its own, at the horizon (`final/...`).
    """
    for round_, metrics in found.rounds.items():
        time_ms = round(1000 * found.times[round_])
        for name, value in metrics.items():
            yield Point(name, value, round_, time_ms)
    timed = [measured for measured in found.measured if measured.round in found.times]
    known = all_numbers(found.trial, timed)
    for (round_, name), number in known.items():
        yield Point(name, number.value, round_, round(1000 * found.times[round_]))
    ended = found.ended
    for name, final in finals(ended, known).items():
        if (sent := _final_name(found.trial, name)) != name:
            time_ms = round(1000 * found.times[ended.rounds])
            yield Point(sent, final.value, ended.rounds, time_ms)


def _final_name(trial: Trial, name: str) -> str:
    """Under which name MLflow has a final number, as it shows the last value of a series."""
    parts = MetricName.parse(name)
    if trial.final == "last" or parts is None or parts.series != EVAL:
        return name
    return str(replace(parts, series=FINAL))


def table(found: Outcome, store: Store) -> dict[str, Any] | None:
    """Completions of the same problems before and after, as MLflow's tables are; None without any.

    The benchmark named as the training data, else the first; the last round that was measured.
    """
    known = [m for m in found.measured if m.benchmark == found.trial.data.name]
    known = known or [m for m in found.measured if m.benchmark == found.measured[0].benchmark]
    if not known:
        return None
    last = max(known, key=lambda m: (m.round, m.n))
    first = [m for m in known if m.round == 0 and m.asked == last.asked]
    before = {c.id: c for m in first for c in completions(store, m, TABLE_ROWS)}
    rows = []
    for after in completions(store, last, TABLE_ROWS):
        base = before.get(after.id)
        told = [base.verdict, base.text] if base else ["", ""]
        ending = "cut at the max response length" if after.cut else "ended"
        rows.append([after.id, after.prompt, after.gold, *told, after.verdict, after.text, ending])
    if not rows:
        return None
    columns = ["id", "prompt", "gold", "base verdict", "base text"]
    return {"columns": [*columns, f"round {last.round} verdict", "text", "ending"], "data": rows}


def table_tag() -> str:
    """Value of the tag by which MLflow's pages know that an artifact is a table."""
    return json.dumps([{"path": TABLE_NAME, "type": "table"}])


def view(trials: tuple[Trial, ...]) -> str:
    """What MLflow's run list shows when it is opened for a sweep: all trials in one flat list, the
    axes and the final accuracies as columns, up to 20 runs in the charts.
    """
    axes = dict.fromkeys(axis for trial in trials for axis in trial.cell)
    compared = [m for m in metrics_of(trials).values() if m.final and m.compared]
    accuracies = [m for m in compared if measure_of(m.name) == "acc"]
    accuracies.sort(key=lambda metric: -len(metric.parts))  # averages first
    columns = [f"params.`{axis}`" for axis in [*axes, "seed"]] + ["tags.`zoo.state`"]
    columns += [f"metrics.`{_final_name(trials[0], m.name)}`" for m in accuracies[:8]]
    columns.append("metrics.`train/reward`")
    state = {
        "searchFilter": "tags.`zoo.kind` = 'trial'",
        "orderByKey": "tags.`mlflow.runName`",
        "orderByAsc": True,
        "selectedColumns": columns,
        "runsHiddenMode": "FIRST_20_RUNS",
    }
    return json.dumps(state)


def note(experiment: Experiment, report: str) -> str:
    """Description of the experiment and of the sweep's run, in markdown."""
    told = [f"**{experiment.question}**"]
    if experiment.prediction:
        told.append(f"Predicted before the run: {experiment.prediction}")
    told.append(
        f"Report: `{report}`. One run a sweep, one child a trial; step = round, 0 = base model."
    )
    return "\n\n".join(told)
