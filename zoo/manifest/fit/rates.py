"""Tokens a second: planning tables by model size, and rates measured from records, which replace
them.

The GPU table is computed (memory bandwidth and peak arithmetic of one H100 SXM) and lowered to what
stock TRL with vLLM in the same process may reach; it is good to a factor of two, least so below
1.5B. Nothing here reads a file; whoever has records hands over plain rows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float]]

# Parameters -> tokens a second of one H100. `TRAIN` is training alone at 35 % of peak and 10 FLOP a
# parameter and token; `BOUND` is generation (half of what memory bandwidth allows, 128 sequences of
# 1,500 tokens) and training after each other; `PLANNED` is what stock TRL is planned with.
SIZES = (0.49e9, 1.54e9, 3.09e9, 7.62e9, 14.77e9, 32.76e9)
TRAIN = (70e3, 22e3, 11.2e3, 4.5e3, 2.3e3, 1.06e3)
BOUND = (33e3, 11.8e3, 6.6e3, 2.9e3, 1.35e3, 0.67e3)
PLANNED = tuple(zip(SIZES, (8e3, 4e3, 2.4e3, 1.2e3, 0.6e3, 0.25e3), strict=True))
# What is left of `BOUND` for generation, and the share of it that is training.
SAMPLING = tuple((p, 1 / (1 / b - 1 / t)) for p, b, t in zip(SIZES, BOUND, TRAIN, strict=True))
TRAINING_SHARE = tuple((p, b / t) for p, b, t in zip(SIZES, BOUND, TRAIN, strict=True))
# Parameters -> tokens a second of a round on one CPU core. 128 responses of 37 tokens in 1.1 to 1.4
# s; 64 of 110 in 65 s; 2 x 8 of 64 in 139 s (all measured).
CPU_PLANNED = ((0.6e6, 3.8e3), (30e6, 108.0), (494e6, 7.4))
CPU_SAMPLING = 3.0  # sampling alone beside a round: 300 responses a second against 102 (measured)

SPREAD = 2.0  # of a table rate, up and down
MEASURED_SPREAD = 1.25  # ... of a rate from three records or more
FEW_SPREAD = 1.5  # ... from one or two
GUESSED_SPREAD = 10.0  # ... of a model whose card does not state its size
# An assumption: each doubling of a trial's GPUs costs 5 %, for the longest response is waited for
# and gradients are summed. (With responses of 28,000 tokens, 128 GPUs are 2 % faster than 64: verl,
# fully_async_policy/README.md:376-383.)
DOUBLING = 0.95


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours with their uncertainty: `mid` is the estimate, `low` and `high` bound it. GPU-hours, or
    hours of processes on a CPU profile."""

    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0
    source: str = ""
    """Where the rate came from; several joined by `; `."""

    @classmethod
    def around(cls, mid: float, spread: float, source: str) -> Hours:
        """`mid`, from `mid / spread` to `mid * spread`."""
        return cls(mid / spread, mid, mid * spread, source)

    def times(self, factor: float) -> Hours:
        """All three times a factor."""
        return Hours(self.low * factor, self.mid * factor, self.high * factor, self.source)


def total(terms: Iterable[tuple[Hours, float]]) -> Hours:
    """Weighted sum. Bounds are added as they are: one table makes all errors, so they do not cancel
    out."""
    low = mid = high = 0.0
    sources: dict[str, None] = {}
    for hours, weight in terms:
        low += weight * hours.low
        mid += weight * hours.mid
        high += weight * hours.high
        if hours.mid:
            sources |= dict.fromkeys(hours.source.split("; "))
    return Hours(low, mid, high, "; ".join(filter(None, sources)))


@dataclass(frozen=True, slots=True)
class Rate:
    """Response tokens a second of one GPU (or CPU process) in training, as if the trial had that
    one alone; `n` trials stand behind it."""

    tokens_per_s_per_gpu: float
    source: str
    n: int = 1

    @property
    def spread(self) -> float:
        """Factor of uncertainty."""
        return MEASURED_SPREAD if self.n >= 3 else FEW_SPREAD


@dataclass(frozen=True, slots=True)
class Measured:
    """One trial's training, as records tell it: response tokens, and seconds of its rounds without
    start and evaluation."""

    model: str
    gpus: int
    """0 on a CPU."""
    tokens: float
    seconds: float


def measured_rates(rows: Iterable[Measured], source: str = "measured here") -> dict[str, Rate]:
    """Rates by model out of trials that ran on one kind of hardware. The median, so that one trial
    on a busy machine does not count; rows without tokens or time are left out."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.tokens > 0 and row.seconds > 0:
            gpus = max(1, row.gpus)
            found[row.model].append(row.tokens / row.seconds / gpus / gang(gpus))
    return {
        model: Rate(_median(values), f"{source}, n={len(values)}", len(values))
        for model, values in found.items()
    }


def gang(gpus: int) -> float:
    """Efficiency of each of so many GPUs that train one model together."""
    return DOUBLING ** math.log2(max(1, gpus))


def interpolate(points: Points, x: float) -> float:
    """Straight lines between points in log-log; level below the first, the last line goes on."""
    if x <= points[0][0]:
        return points[0][1]
    right = next((i for i, (at, _) in enumerate(points) if x <= at), len(points) - 1)
    (x0, y0), (x1, y1) = points[right - 1], points[right]
    slope = math.log(y1 / y0) / math.log(x1 / x0)
    return y0 * (x / x0) ** slope


def planned_rate(parameters: float, cpu: bool) -> float:
    """Tokens a second in training by the tables: of one H100, or of one CPU core."""
    return interpolate(CPU_PLANNED if cpu else PLANNED, parameters)


def sampling_rate(parameters: float, cpu: bool) -> float:
    """Tokens a second where responses are only sampled: of one H100, or of one CPU core."""
    return (
        CPU_SAMPLING * planned_rate(parameters, cpu) if cpu else interpolate(SAMPLING, parameters)
    )


def training_share(parameters: float) -> float:
    """Share of a round that is training rather than generation (one H100)."""
    return interpolate(TRAINING_SHARE, parameters)


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
