"""The noise of a metric: between seeds of a cell, and between samplings of one model on the same
problems.

The first is assumed from the size of the benchmarks (`zoo.stats.noise`) until a machine has records
of its own (`zoo.runs.seed_noise`). The second follows from the number of responses: none under
greedy decoding, where the same model always gives the same answers; else the variance of one
response around its problem's own rate over the number of draws. pass@k and maj@k use k responses at
once, so S samples are S / k draws. Reads no values of any trial.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from zoo.stats.noise import assumed_points
from zoo.trials.metrics import Metric, Series

UNKNOWN_POINTS = 1.3
"""Assumed where the size of a benchmark is unknown, and for training metrics: the spread of the
six-benchmark mean between neighbouring checkpoints in the late half of the study's runs (figure 1
of arXiv:2503.18892, digitised: 0.7 to 1.6, mostly 1.3 at 0.5B and 1.5B)."""
WITHIN_PROBLEM = 0.09
"""Variance of a single response's score around its problem's own rate. With it, sampling alone
gives the mean of the study's six benchmarks (1,319, 500, 272, 675, 30, 40 problems) a spread of
1.29 points, equal to the observed one."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation of a metric's final number between seeds of a cell, in the unit of its
    claims."""

    value: float
    source: str
    """Where it is from, for the plan: `assumed`, or how many records."""
    df: int | None = None
    """Degrees of freedom of a measured value."""


def prior(metric: Metric, series: Series, averaged: int = 1) -> Spread | None:
    """The seed noise to plan with while there are no records, by the size of the
    benchmarks; None where there is no prior (lengths, losses).

    Args:
        averaged: evaluations that the number is a mean of; each has its own samples.
    """
    if metric.unit != "points":
        return None
    noise = _of_draws(metric, series)
    if noise is None:
        return Spread(UNKNOWN_POINTS, "assumed")
    sampling = noise / math.sqrt(averaged) if series.sampled else 0.0
    samples = [e.samples for e in metric.evaluations] or [1] * len(series.responses)
    pairs = zip(series.responses, samples, strict=True)
    problems = [max(1, (n or 0) // each) for n, each in pairs]
    return Spread(assumed_points(problems, sampling), "assumed")


def resampled(metric: Metric, series: Series) -> Spread | None:
    """The sampling noise of one model on the same problems; None where it is unknown
    (lengths, a benchmark of unknown size)."""
    if not series.sampled:
        return Spread(0.0, "greedy, always the same")
    noise = _of_draws(metric, series) if metric.unit == "points" else None
    if noise is None:
        return None
    return Spread(noise, f"sampling of {_responses(metric, series)}")


def _of_draws(metric: Metric, series: Series) -> float | None:
    """Noise of sampling, in points; None where a size is unknown."""
    sizes = [n for n in series.responses if n]
    if not sizes or len(sizes) < len(series.responses):
        return None
    return 100 * math.sqrt(sum(WITHIN_PROBLEM * metric.at_once / n for n in sizes)) / len(sizes)


def _responses(metric: Metric, series: Series) -> str:
    n = sum(size or 0 for size in series.responses)
    return f"{n:,} responses" + (f", {metric.at_once} at a time" if metric.at_once > 1 else "")
