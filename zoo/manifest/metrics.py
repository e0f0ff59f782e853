"""Names of everything that a study measures, known before anything runs.

One scheme everywhere: `train/...` under TRL's names, `eval/<benchmark>/<measure>/<decoding>`, and
`eval/avgN/...` for the plain mean over the N benchmarks of one schedule. Says of each metric in
which unit a claim about it is stated, which way is better, and at which rounds it is measured on
how many responses. Holds no values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.manifest.schema import Experiment
from zoo.manifest.trial import Evaluation, Trial

MEASURES = (
    "acc",
    "acc_boxed",
    "box_ratio",
    "mean_length",
    "mean_terminated_length",
    "clipped_ratio",
    "audit_disagreement",
)
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
    "train/grade/reward_faults",
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
    sampled: bool = True
    """False under greedy decoding: the same model gives the same responses every time."""


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
    def at_once(self) -> int:
        """How many responses to a problem make one value: k of pass@k and maj@k, else 1."""
        measure = _measure(self.name)
        word = measure.rstrip("0123456789")
        return int(measure.removeprefix(word)) if word in ("pass", "maj") and word != measure else 1

    @property
    def better(self) -> Better | None:
        """Which way is better; None for what is neither (a length, an entropy)."""
        measure = _measure(self.name)
        if measure in ("clipped_ratio", "audit_disagreement"):
            return "lower"
        good = ("accuracy", "acc", "acc_boxed", "box_ratio", "reward")
        return "higher" if measure in good or _sampled(measure) else None


def unit(name: str) -> Unit:
    """The unit of a metric, from its name."""
    measure = _measure(name)
    if measure.endswith("_length"):
        return "tokens"
    shares = ("acc", "acc_boxed", "accuracy", "audit_disagreement")
    share = measure in shares or measure.endswith("_ratio") or _sampled(measure)
    return "points" if share or measure.startswith("frac_") else "as logged"


def _measure(name: str) -> str:
    parts = name.split("/")
    return parts[2] if parts[0] == "eval" and len(parts) == 4 else parts[-1]


def _sampled(measure: str) -> bool:
    word = measure.rstrip("0123456789")
    return word in ("avg", "pass", "maj") and word != measure


def metrics_of(trials: Sequence[Trial]) -> dict[str, Metric]:
    """Every metric of a study, by name. Checkpoints from elsewhere have no training metrics."""
    trained = [trial for trial in trials if trial.trainer != "external"]
    first = (trained or trials)[0]
    return known_metrics(first.evaluations, first.rounds, trained=bool(trained))


def known_metrics(
    evaluations: Iterable[Evaluation], horizon: int, *, trained: bool = True
) -> dict[str, Metric]:
    """Every metric of a study, by name. The N benchmarks of a schedule make `eval/avgN/...`, unless
    schedules with other benchmarks have the same N."""
    train = Series(tuple(range(1, horizon + 1)))
    found = {name: Metric(name, (name,), train, train) for name in TRAIN_METRICS if trained}
    by_name: dict[str, list[Evaluation]] = {}
    schedules: dict[str, set[str]] = {}
    for evaluation in evaluations:
        for measure in measure_names(evaluation.samples):
            by_name.setdefault(evaluation.metric(measure), []).append(evaluation)
        for schedule in evaluation.schedules:
            schedules.setdefault(schedule, set()).add(evaluation.benchmark.name)
    found |= {name: _metric(name, same, horizon) for name, same in by_name.items()}
    decodings = dict.fromkeys(same[0].decoding_name for same in by_name.values())
    for names in _averaged(schedules.values()):
        for decoding in decodings:
            found |= _averages(names, decoding, found)
    return found


def headline(experiment: Experiment, trials: Iterable[Trial]) -> tuple[Evaluation, ...]:
    """What the report compares before and after: evaluations of the full schedule (else of the
    watch) that reach the horizon, one a benchmark and decoding."""
    plan = experiment.evaluate.full or experiment.evaluate.watch
    found: dict[tuple[str, str], Evaluation] = {}
    for trial in trials:
        for e in trial.evaluations:
            if plan and trial.rounds in e.rounds and e.problems == plan.problems:
                found.setdefault((e.benchmark.name, e.decoding_name), e)
    return tuple(found.values())


def measure_names(samples: int) -> tuple[str, ...]:
    """Measures of an evaluation with S responses a problem; with several there are also avgS, passK
    and majS (`zoo.evals.metrics`)."""
    if samples == 1:
        return MEASURES
    passes = (f"pass{k}" for k in pass_ks(samples))
    return (*MEASURES, f"avg{samples}", *passes, f"maj{samples}")


def pass_ks(samples: int) -> list[int]:
    """The k of pass@k with S samples: powers of two, and S."""
    return sorted({2**i for i in range(samples.bit_length())} | {samples})


def _metric(name: str, same: list[Evaluation], horizon: int) -> Metric:
    """A metric from the evaluations that measure it, which differ in size."""

    def size(evaluation: Evaluation) -> tuple[bool, int, int]:
        return evaluation.problems is None, evaluation.problems or 0, evaluation.samples

    ending = [e for e in same if horizon in e.rounds]
    curve = max(same, key=lambda e: (len(e.rounds), size(e)))
    final = _series(max(ending, key=size)) if ending else None
    return Metric(name, (name,), final, _series(curve))


def _series(evaluation: Evaluation) -> Series:
    card = evaluation.benchmark
    n = evaluation.problems or card.kept or card.n or (card.pocket.n if card.pocket else None)
    sampled = evaluation.decoding.temperature > 0
    return Series(evaluation.rounds, (n and n * evaluation.samples,), sampled)


def _averaged(schedules: Iterable[set[str]]) -> list[tuple[str, ...]]:
    """Sets of benchmarks that have an average of their own: one for each size."""
    by_size: dict[int, set[tuple[str, ...]]] = {}
    for schedule in schedules:
        by_size.setdefault(len(schedule), set()).add(tuple(sorted(schedule)))
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
    responses = tuple(n for s in series for n in s.responses)
    return Series(tuple(sorted(rounds)), responses, any(s.sampled for s in series))
