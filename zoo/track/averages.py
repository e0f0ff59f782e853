"""One number for each round and metric of a trial, and the averages over benchmarks made of them.

For everybody who shows or sends numbers by name (`results.csv`, the MLflow mirror): evaluations of
several sizes share names, and `eval/avgN/...` is measured by none of them. Knows no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from zoo.manifest.metrics import Metric
from zoo.track.outcome import Measured

Key = tuple[int, str]  # round, metric


@dataclass(frozen=True, slots=True)
class Number:
    """A value, and the responses that it rests on."""

    value: float
    n: int


def numbers(
    measured: Iterable[Measured], at_least: Mapping[Key, int] | None = None
) -> dict[Key, Number]:
    """Of the measurements that share round and metric, the one with the most responses.

    Args:
        at_least: smallest size (`Evaluation.size`) of those that count.
    """
    found: dict[Key, Number] = {}
    for m in measured:
        for measure, value in m.values.items():
            key, n = (m.round, m.metric(measure)), m.rests_on(measure)
            if m.size >= (at_least or {}).get(key, 0) and (key not in found or n > found[key].n):
                found[key] = Number(value, n)
    return found


def averages(known: Mapping[Key, Number], metrics: Mapping[str, Metric]) -> dict[Key, Number]:
    """Plain means over the benchmarks of a schedule (`eval/avgN/...`), at rounds at which all of
    them were measured; n is the sum of their responses."""
    rounds = dict.fromkeys(round_ for round_, _ in known)
    found: dict[Key, Number] = {}
    for metric in metrics.values():
        for round_ in rounds if len(metric.parts) > 1 else ():
            parts = [known.get((round_, part)) for part in metric.parts]
            there = [part for part in parts if part is not None]
            if len(there) == len(parts):
                value, n = fmean(part.value for part in there), sum(part.n for part in there)
                found[round_, metric.name] = Number(value, n)
    return found
