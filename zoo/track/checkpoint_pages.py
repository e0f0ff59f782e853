"""The base and the final checkpoint of a trial, and its data sets, as MLflow's models and data sets
are: plain values.

Pure; knows no MLflow, `zoo.track.models` carries the values there. Weights are named and never
copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from zoo.manifest.metric_name import EVAL, MetricName
from zoo.runs.finals import FinalNumber, Key, measured_by
from zoo.runs.outcome import Outcome
from zoo.store.run_store import Store
from zoo.track import payload
from zoo.track.payload import Point
from zoo.trials.identity import digest
from zoo.trials.trial import Trial

KEY_TAG = "zoo.checkpoint"
"""By its value a model is found again: MLflow makes a second model of the same name."""
DIGEST = 36
"""Characters that MLflow keeps of a digest."""


@dataclass(frozen=True)
class DataUse:
    """A data set that a trial uses, under what MLflow calls its name and digest."""

    name: str
    digest: str
    context: Literal["training", "evaluation"]
    about: str
    """JSON."""


@dataclass(frozen=True)
class CheckpointPage:
    """A model before or after training, with what was measured of it."""

    role: Literal["base", "final"]
    name: str
    round: int
    tags: dict[str, str]
    params: dict[str, str]
    points: tuple[tuple[Point, DataUse | None], ...]
    """Each with the problems that it was measured on; None = an average over several."""

    @property
    def key(self) -> str:
        """Value of `KEY_TAG`."""
        return self.tags[KEY_TAG]


def data_uses(trial: Trial) -> list[DataUse]:
    """Training problems, then the benchmarks, each once."""
    training = DataUse(trial.data.name, trial.data_digest[:DIGEST], "training", "{}")
    found = {(training.name, training.digest): training}
    for use in _benchmarks(trial).values():
        found.setdefault((use.name, use.digest), use)
    return list(found.values())


def _benchmarks(trial: Trial) -> dict[str, DataUse]:
    """Benchmark of `eval/...` -> its problems."""
    return {
        e.benchmark.name: DataUse(
            e.benchmark.name,
            e.digest[:DIGEST],
            "evaluation",
            json.dumps({"problems": e.problems or "all", "samples": e.samples}),
        )
        for e in reversed(trial.evaluations)
        if e.series == EVAL
    }


def checkpoint_pages(found: Outcome, name: str, store: Store) -> Iterator[CheckpointPage]:
    """The base model where it was measured, and what training came to where it came to an end.

    Args:
        name: of the trial, as pages show it.
    """
    known = payload.timed_numbers(found)
    if found.lineage and any(round_ == 0 for round_, _ in known):
        yield _base(found, known)
    if found.state in ("done", "stopped") and not found.lost_its_weights and found.lineage:
        yield _final(found, known, name, store)


def _base(found: Outcome, known: Mapping[Key, FinalNumber]) -> CheckpointPage:
    """Shared by all trials that start from it under the same prompts: by what was measured."""
    trial = found.trial
    content = trial.base_digest or trial.model_digest
    measured = [measured_by(e, found.measured).get(0) for e in trial.evaluations]
    scores = sorted(m.score_id for m in measured if m is not None)
    key = digest([trial.start.name, content, scores, payload.naming(trial)])
    return CheckpointPage(
        "base",
        _plain_name(f"{trial.start.name} base"),
        0,
        {KEY_TAG: f"base:{key}", "zoo.model_digest": content},
        {"model": trial.start.name, "prompt": trial.prompt.name, "round": "0"},
        tuple(_measured_at(0, found, known)),
    )


def _final(
    found: Outcome, known: Mapping[Key, FinalNumber], name: str, store: Store
) -> CheckpointPage:
    trial, record = found.trial, found.record
    last = (record.final_round if record else None) or found.ended.rounds
    weights = store.checkpoint(trial.id, last, record.branch if record else "")
    key = (trial.id.rpartition("-")[2], payload.policy(found), payload.started_ms(found), last)
    state = (found.regraded, payload.naming(trial))
    axes = {axis: str(value) for axis, value in trial.cell.items()}
    points = [*_measured_at(found.ended.rounds, found, known)]
    points += [(point, _benchmarks(trial).get(_benchmark(point))) for point in _final_points(found)]
    return CheckpointPage(
        "final",
        _plain_name(name),
        last,
        {
            KEY_TAG: "final:" + ":".join(map(str, key + state)),
            "zoo.trial": trial.id,
            "zoo.weights": str(weights.relative_to(store.root)) if weights.is_dir() else "not kept",
        },
        {"model": trial.start.name, **axes, "seed": str(trial.seed), "round": str(last)},
        tuple(points),
    )


def _final_points(found: Outcome) -> list[Point]:
    return list(payload.final_points(found, payload.timed_numbers(found)))


def _benchmark(point: Point) -> str:
    """`math500` of `final/math500 t1.0`."""
    return point.name.partition("/")[2].partition(" ")[0]


def _measured_at(
    round_: int, found: Outcome, known: Mapping[Key, FinalNumber]
) -> Iterable[tuple[Point, DataUse | None]]:
    """What was measured of `eval/...` at a round."""
    problems = _benchmarks(found.trial)
    for (at, name), number in known.items():
        parts = MetricName.parse(name)
        if at == round_ and parts is not None and parts.series == EVAL:
            point = Point(name, number.value, at, round(1000 * found.times[at]))
            yield point, problems.get(parts.benchmark)


def _plain_name(name: str) -> str:
    """A name that MLflow takes for a model: without `/ : . % " '`."""
    return "".join("_" if letter in "/:.%\"'" else letter for letter in name)
