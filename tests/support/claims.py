"""Claims from a few words, and cells of made-up grids, for tests of what claims compare."""

from __future__ import annotations

from itertools import product
from typing import Any

import yaml

from zoo.manifest.claim_schema import Claim
from zoo.trials.metrics import TRAIN_METRICS, Metric, Series

ACC = "eval/avg6/acc/t1.0"
STUDY = (1319, 500, 272, 675, 30, 40)  # problems of the study's six benchmarks
FULL_GRID: dict[str, list[Any]] = {
    "model": [f"m{i}" for i in range(10)],
    "reward": ["correctness", "box-graded", "box-strict"],
    "data": ["easy", "medium", "hard"],
}


def claim(text: str, **said: Any) -> Claim:
    """A claim from the words that matter; the rest is filled in."""
    filled = {"id": "c", "says": "So it is.", **yaml.safe_load(text), **said}
    if not {"event", "metric"} & filled.keys():
        filled["metric"] = ACC
    if not {"order", "expect"} & filled.keys():
        filled["expect"] = {"higher_by": 0}
    return Claim.model_validate(filled)


def grid(**axes: Any) -> list[dict[str, Any]]:
    """The product of axes as cells."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def metrics(horizon: int = 100) -> dict[str, Metric]:
    """Metrics of the study's evaluation: a base, a curve every five rounds, the end."""
    rounds = tuple(range(0, horizon + 1, 5))
    made = {}
    for name in (ACC, "eval/avg6/mean_terminated_length/t1.0"):
        series = Series(rounds, STUDY)
        made[name] = Metric(name, (name,), series, horizon)
    for n, bench, measures in (
        (500, "math500", ("acc", "clipped_ratio")),
        (30, "aime24", ("acc", *(f"pass{2**i}" for i in range(9)))),
    ):
        for measure in measures:
            name = f"eval/{bench}/{measure}/t1.0"
            series = Series(rounds, (n * (32 if measure.startswith("pass") else 1),))
            made[name] = Metric(name, (name,), series, horizon)
    train = Series(tuple(range(1, horizon + 1)))
    return made | {name: Metric(name, (name,), train, horizon) for name in TRAIN_METRICS}
