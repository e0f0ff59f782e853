"""Names of everything that a study measures, known before anything runs.

One scheme everywhere: `train/...` under TRL's names, `eval/<benchmark>/<measure>/<decoding>`, and
`eval/avgN/...` for the plain mean over the N benchmarks of one schedule. Says of each metric in
which unit a claim about it is stated, which way is better, and at which rounds it is measured on
how many responses. Holds no values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from zoo.manifest.trial import Evaluation

MEASURES = ("acc", "box_ratio", "mean_length", "mean_terminated_length", "clipped_ratio")
"""Measures of any set of graded responses; see `zoo.evals.metrics`."""
TRAIN_METRICS = (
    "train/reward",
    "train/reward_std",
    "train/accuracy",
    "train/box_ratio",
    "train/completions/mean_length",
    "train/completions/mean_terminated_length",
    "train/completions/clipped_ratio",
    "train/frac_reward_zero_std",
    "train/entropy",
    "train/kl",
    "train/loss",
    "train/grad_norm",
    "train/sampling/sampling_logp_difference/mean",
    "train/sampling/sampling_logp_difference/max",
    "train/num_tokens",
)
Unit = Literal["points", "tokens", "as logged"]
Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Series:
    """Where a metric is measured, always on the same problems."""

    rounds: tuple[int, ...]
    """0 = the base model."""
    responses: tuple[int | None, ...] = ()
    """Graded responses of one measurement, a benchmark each; None = not known before it is read;
    () = a training metric."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that the study will have."""

    name: str
    parts: tuple[str, ...]
    """What it is the mean of; itself alone unless it is an average over benchmarks."""
    final: Series | None
    """The largest measurement that reaches the horizon: final numbers, and the base under it."""
    curve: Series
    """The measurement with the most rounds: trends and lines."""

    @property
    def unit(self) -> Unit:
        """In what a claim about it is stated: percentage points for shares, tokens for lengths."""
        return unit(self.name)

    @property
    def better(self) -> Better | None:
        """Which way is better; None for what is neither (a length, an entropy)."""
        measure = _measure(self.name)
        if measure == "clipped_ratio":
            return "lower"
        good = ("accuracy", "acc", "box_ratio", "reward")
        return "higher" if measure in good or _sampled(measure) else None


def unit(name: str) -> Unit:
    """The unit of a metric, from its name."""
    measure = _measure(name)
    if measure.endswith("_length"):
        return "tokens"
    share = measure in ("acc", "accuracy") or measure.endswith("_ratio") or _sampled(measure)
    return "points" if share or measure.startswith("frac_") else "as logged"


def _measure(name: str) -> str:
    parts = name.split("/")
    return parts[2] if parts[0] == "eval" and len(parts) == 4 else parts[-1]


def _sampled(measure: str) -> bool:
    word = measure.rstrip("0123456789")
    return word in ("avg", "pass", "maj") and word != measure


def known_metrics(
    evaluations: Iterable[Evaluation], schedules: Iterable[Iterable[str]], horizon: int
) -> dict[str, Metric]:
    """Every metric of a study, by name.

    `schedules` are the benchmarks of each schedule, by name: N of them make `eval/avgN/...`, unless
    schedules with other benchmarks have the same N.
    """
    train = Series(tuple(range(1, horizon + 1)))
    found = {name: Metric(name, (name,), train, train) for name in TRAIN_METRICS}
    by_bench: dict[tuple[str, str], list[Evaluation]] = {}
    for evaluation in evaluations:
        key = (evaluation.benchmark.name, evaluation.decoding_name)
        by_bench.setdefault(key, []).append(evaluation)
    for (benchmark, decoding), same in by_bench.items():
        for measure in _common(same):
            metric = _metric(f"eval/{benchmark}/{measure}/{decoding}", same, horizon)
            found[metric.name] = metric
    decodings = dict.fromkeys(decoding for _, decoding in by_bench)
    for names in _averaged(schedules):
        for decoding in decodings:
            found |= _averages(names, decoding, found)
    return found


def _metric(name: str, same: list[Evaluation], horizon: int) -> Metric:
    """A metric from the evaluations of one benchmark under one decoding, which differ in size."""
    ending = [e for e in same if horizon in e.rounds]
    final = max(ending, key=lambda e: (e.problems is None, e.problems or 0)) if ending else None
    curve = max(same, key=lambda e: len(e.rounds))
    return Metric(name, (name,), _series(final) if final else None, _series(curve))


def _series(evaluation: Evaluation) -> Series:
    problems = _problems(evaluation)
    return Series(evaluation.rounds, (problems and problems * _samples(evaluation),))


def _problems(evaluation: Evaluation) -> int | None:
    card = evaluation.benchmark
    return evaluation.problems or card.kept or card.n or (card.pocket.n if card.pocket else None)


def _samples(evaluation: Evaluation) -> int:
    """Responses a problem: greedy takes one."""
    return evaluation.benchmark.samples if evaluation.decoding.temperature else 1


def _common(same: list[Evaluation]) -> tuple[str, ...]:
    """Measures of a benchmark: with S responses a problem also avgS, passK and majK."""
    most = max(_samples(e) for e in same)
    if most == 1:
        return MEASURES
    ks = sorted({2**i for i in range(most.bit_length())} | {most})
    return (*MEASURES, f"avg{most}", *(f"{word}{k}" for word in ("pass", "maj") for k in ks))


def _averaged(schedules: Iterable[Iterable[str]]) -> list[tuple[str, ...]]:
    """Sets of benchmarks that have an average of their own: one for each size."""
    by_size: dict[int, set[tuple[str, ...]]] = {}
    for schedule in schedules:
        names = tuple(sorted(set(schedule)))
        by_size.setdefault(len(names), set()).add(names)
    return [sets.pop() for n, sets in by_size.items() if n > 1 and len(sets) == 1]


def _averages(names: tuple[str, ...], decoding: str, found: dict[str, Metric]) -> dict[str, Metric]:
    """`eval/avgN/...` under one decoding, for the measures that all N benchmarks have."""
    head, tail = f"eval/{names[0]}/", f"/{decoding}"
    measures = [m.removeprefix(head) for m in found if m.startswith(head) and m.endswith(tail)]
    made: dict[str, Metric] = {}
    for measure in (m.removesuffix(tail) for m in measures):
        parts = tuple(f"eval/{name}/{measure}/{decoding}" for name in names)
        if all(part in found for part in parts):
            name = f"eval/avg{len(names)}/{measure}/{decoding}"
            made[name] = _mean(name, [found[part] for part in parts])
    return made


def _mean(name: str, parts: list[Metric]) -> Metric:
    finals = [part.final for part in parts if part.final]
    return Metric(
        name,
        tuple(part.name for part in parts),
        _together(finals) if len(finals) == len(parts) else None,
        _together([part.curve for part in parts]),
    )


def _together(series: list[Series]) -> Series:
    """The rounds that all have, and the responses of each."""
    rounds = set(series[0].rounds).intersection(*(s.rounds for s in series))
    return Series(tuple(sorted(rounds)), tuple(n for s in series for n in s.responses))
