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
# Several GPUs a trial. Every micro-batch moves the whole model in 16 bit once each for forward,
# backward and gradients (ZeRO-3, FSDP), whatever the number of GPUs; bytes a second of one GPU.
# TRL's forward passes of old policy and reference move it twice more. These are not counted: the
# study ran them on 160 rows at once (LOG_PROB_MICRO_BATCH_SIZE of its script), and 5 exchanges plan
# its 14B run at 693 GPU-hours of 240 and outside the interval (see NODES_SPREAD).
EXCHANGES = 3
WITHIN_NODE = 450e9  # NVLink of an H100 SXM, one way (its data sheet: 900 GB/s both ways)
BETWEEN_NODES = 50e9  # 400 Gb/s of network a GPU (data sheet of the DGX H100)
# All GPUs wait for the round's longest response, taken to reach the cap; each of its tokens is one
# read of the weights at `DECODING` of the memory's bandwidth, split by tensor parallelism.
MEMORY_BANDWIDTH = 3.35e12  # bytes a second, H100 SXM (its data sheet)
DECODING = 0.5  # as in `BOUND`
TENSOR_DOUBLING = 0.95  # of sampling, for each doubling of tensor parallelism; an assumption
# Over several nodes. Checked on all times that the study published, in GPU-hours at its widths,
# published / planned for 100 rounds: 7B on 16 GPUs 240 / 313, 14B on 16 240 / 558, 32B on 64
# 2,304 / 1,311 (README:L140), 24B on 128 4,608 / 3,027 (I#69). The last two may have run to round
# 155, where their curves end: 2,304 / 2,177 and 4,608 / 5,842. The worst is off by 2.3. The
# spread was chosen on these same runs so that all lie inside; nothing else has tested it.
NODES_SPREAD = 2.5


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
    """Response tokens a second of one GPU (or CPU process) in training, from `n` trials."""

    tokens_per_s_per_gpu: float
    source: str
    n: int = 1
    gpus: int = 1
    """Most GPUs of a trial behind it; what these cost each other is in the rate."""

    @property
    def spread(self) -> float:
        """Factor of uncertainty."""
        return MEASURED_SPREAD if self.n >= 3 else FEW_SPREAD


@dataclass(frozen=True, slots=True)
class MeasuredRate:
    """One trial's training, from records: response tokens, and seconds of its rounds without start
    and evaluation."""

    model: str
    gpus: int
    """0 on a CPU."""
    tokens: float
    seconds: float


def measured_rates(rows: Iterable[MeasuredRate], source: str = "measured here") -> dict[str, Rate]:
    """Rates by model out of trials that ran on one kind of hardware. The median, so that one trial
    on a busy machine does not count; rows without tokens or time are left out."""
    found: defaultdict[str, list[MeasuredRate]] = defaultdict(list)
    for row in rows:
        if row.tokens > 0 and row.seconds > 0:
            found[row.model].append(row)
    return {model: _rate(measured, source) for model, measured in found.items()}


def _rate(rows: list[MeasuredRate], source: str) -> Rate:
    values = [row.tokens / row.seconds / max(1, row.gpus) for row in rows]
    gpus = max(1, *(row.gpus for row in rows))
    return Rate(_median(values), f"{source}, n={len(rows)}", len(rows), gpus)


def exchange_s(parameters: float, nodes: int) -> float:
    """Seconds for which a micro-batch on one of several GPUs waits for weights and gradients of the
    others."""
    bandwidth = BETWEEN_NODES if nodes > 1 else WITHIN_NODE
    return EXCHANGES * 2 * parameters / bandwidth


def token_s(parameters: float, tensor_parallel: int) -> float:
    """Seconds for the next token of one sequence, at least."""
    return 2 * parameters / tensor_parallel / (DECODING * MEMORY_BANDWIDTH)


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


def sampling_rate(parameters: float, cpu: bool, tensor_parallel: int = 1) -> float:
    """Tokens a second where responses are only sampled: of one H100, or of one CPU core."""
    if cpu:
        return CPU_SAMPLING * planned_rate(parameters, cpu)
    width = TENSOR_DOUBLING ** math.log2(tensor_parallel)
    return interpolate(SAMPLING, parameters) * width


def training_share(parameters: float) -> float:
    """Share of a round that is training rather than generation (one H100)."""
    return interpolate(TRAINING_SHARE, parameters)


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
