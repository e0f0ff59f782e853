"""What of a trial goes into MLflow: names, tags, params, points and tables, as plain values.

Pure: the same folder gives the same points with the same timestamps, so that sending them twice
stores them once. Knows no MLflow; `zoo.track.client` carries the values there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.errors import plain
from zoo.manifest.metric_name import EVAL, FINAL, MetricName
from zoo.manifest.schema import Experiment
from zoo.runs.finals import FinalNumber, Key, all_numbers, finals
from zoo.runs.outcome import Outcome, completions
from zoo.store.run_store import Store
from zoo.trials.identity import digest
from zoo.trials.metrics import PHASES, unit
from zoo.trials.trial import Trial

TABLE_NAME = "completions.json"
TABLE_ROWS = 20
SYSTEM = {
    "train/peak_memory": "system/peak_memory_gib",
    "train/tokens_per_second": "system/tokens_per_second",
    **{f"train/{phase}_time": f"system/{phase}_seconds" for phase in PHASES},
}
"""What a round logs of the machine, under names that MLflow shows as system metrics."""
DIGITS = 3
"""Decimals of the final numbers that people read: MLflow shows all that it has."""
LAUNCH_SECONDS = "time/launch_seconds"
SECONDS = "time/seconds"
UNSHOWN = (
    *("audit_disagreement", "mean_terminated_length", "mean_right_length", "mean_wrong_length"),
    *("no_answer_ratio", "runs_on_ratio", "repetition_ratio", "other_script_ratio"),
)
"""Measures of the evaluations that are not among the final numbers that people read."""
PAGES = "2"
"""What of a trial is sent, as a number; a run that an earlier zoo sent gets once what it lacks."""


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


def cell_labels(trials: Iterable[Trial]) -> dict[str, str]:
    """Trial id -> its cell in the values of the axes that vary, as pages show and group it."""
    trials = tuple(trials)
    values: dict[str, set[str]] = {}
    for trial in trials:
        for axis, value in trial.cell.items():
            values.setdefault(axis, set()).add(plain(value))
    shown = [axis for axis, found in values.items() if len(found) > 1] or list(values)
    return {
        trial.id: " \N{MIDDLE DOT} ".join(plain(trial.cell.get(axis)) for axis in shown)
        for trial in trials
    }


def tags(experiment: Experiment, found: Outcome) -> dict[str, str]:
    """The tags of a child run. `zoo.attempt` carries the lineage, 0 until a line was written, and
    the launch that replaced rounds of it."""
    trial, record = found.trial, found.record
    stack = record.stack if record else {}
    versions = record.about.get("provenance", {}) if record else {}
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
        "zoo.launches": _launch_words(found),
        "zoo.state": found.state,
        "zoo.void": found.void.why if found.void else "",
        "zoo.failure_class": (record.failure_class if record else None) or "",
        "zoo.model_digest": trial.model_digest,
        "zoo.data_digest": trial.data_digest,
        "zoo.simulated": str(found.made_up).lower(),
        "zoo.rehearsal": str(trial.rehearsal).lower(),
        "zoo.stack": " ".join(f"{name}={version}" for name, version in stack.items()),
        "zoo.versions": " ".join(f"{name}={version}" for name, version in versions.items()),
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
    void = (f"void {found.void.time}",) if found.void else ()
    return ":".join(map(str, which + sizes + void))


def points(found: Outcome) -> Iterator[Point]:
    """All points of the lineage that counts: step = round, time = when the round ended; an
    evaluation is not sent before its round has ended and thereby has a time. What people read of
    the final numbers has points of its own, at the horizon (`final_points`).
    """
    for round_, metrics in found.rounds.items():
        time_ms = round(1000 * found.times[round_])
        for name, value in metrics.items():
            yield Point(name, value, round_, time_ms)
            if (shown := SYSTEM.get(name)) is not None:
                yield Point(shown, value, round_, time_ms)
    yield from launch_points(found)
    known = timed_numbers(found)
    for (round_, name), number in known.items():
        yield Point(name, number.value, round_, round(1000 * found.times[round_]))
    yield from final_points(found, known)


def launch_points(found: Outcome) -> Iterator[Point]:
    """Seconds of each launch of a trial that came to an outcome (step = its number), and of all of
    them together; before, a launch may still grow."""
    if found.state not in ("done", "stopped"):
        return
    for launch in found.launches:
        time_ms = round(1000 * found.times[launch.last])
        yield Point(LAUNCH_SECONDS, launch.seconds, launch.number, time_ms)
    if found.launches:
        last = found.launches[-1].last
        yield Point(SECONDS, worked_seconds(found), last, round(1000 * found.times[last]))


def worked_seconds(found: Outcome) -> float:
    """Wall time of all launches, without the waiting between them."""
    if found.launches:
        return sum(launch.seconds for launch in found.launches)
    return found.record.seconds if found.record else 0.0


def _launch_words(found: Outcome) -> str:
    """`1: rounds 0 to 12, 340 s; 2: rounds 13 to 20, 210 s`."""
    return "; ".join(
        f"{one.number}: rounds {one.first} to {one.last}, {one.seconds:.0f} s"
        for one in found.launches
    )


def timed_numbers(found: Outcome) -> dict[Key, FinalNumber]:
    """What was measured of a trial at rounds that have ended."""
    timed = [measured for measured in found.measured if measured.round in found.times]
    return all_numbers(found.trial, timed)


def final_points(found: Outcome, known: Mapping[Key, FinalNumber]) -> Iterator[Point]:
    """The final numbers of what is compared as people read them: shares in per cent, gains over the
    base in points, lengths in tokens, each under a short name."""
    ended = found.ended
    for name, final in finals(ended, known).items():
        parts = MetricName.parse(name)
        if parts is None or parts.series != EVAL or parts.measure in UNSHOWN:
            continue
        scale = 100.0 if unit(name) == "points" else 1.0
        at = (ended.rounds, round(1000 * found.times[ended.rounds]))
        yield Point(final_name(parts), round(scale * final.value, DIGITS), *at)
        base = known.get((0, name))
        if parts.measure == "acc" and base is not None:
            gain = round(scale * (final.value - base.value), DIGITS)
            yield Point(gain_name(parts), gain, *at)


def final_name(parts: MetricName) -> str:
    """Under which name MLflow has a final number: `final/math500 t1.0` for an accuracy, else with
    the measure at the end. MLflow cuts names at the width of a column."""
    measure = "" if parts.measure == "acc" else f" {parts.measure}"
    return f"{FINAL}/{parts.benchmark} {parts.decoding}{measure}"


def gain_name(parts: MetricName) -> str:
    """Under which name MLflow has the gain of an accuracy over the base."""
    return f"{final_name(parts)} gain"


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
