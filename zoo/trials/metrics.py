"""All metrics of a study, defined by name before anything runs.

Training metrics have TRL's names (`train/...`), evaluation metrics are
`<series>/<benchmark>/<measure>/<decoding>` (`zoo.manifest.metric_name`), and `<series>/avgN/...` is
the plain mean over the N benchmarks of one schedule. A name refers to one set of problems and
samples. Defines for each metric the unit of a claim about it, which direction is better, the rounds
and number of responses of its evaluations, and which of them form its final number. Contains no
values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.manifest.metric_name import EVAL, MetricName, measure_of
from zoo.trials.trial import Evaluation, Trial

MEASURES = (
    "acc",
    "acc_boxed",
    "box_ratio",
    "mean_length",
    "mean_terminated_length",
    "mean_right_length",
    "mean_wrong_length",
    "clipped_ratio",
    "no_answer_ratio",
    "runs_on_ratio",
    "repetition_ratio",
    "other_script_ratio",
    "audit_disagreement",
)
"""Metrics of any set of graded responses; see `zoo.evals.aggregate` and `zoo.evals.depth`."""
LOWER = (
    *("clipped_ratio", "no_answer_ratio", "runs_on_ratio", "repetition_ratio"),
    *("other_script_ratio", "audit_disagreement"),
)
"""Metrics of which less is better."""
KL_BASE_POLICY = "train/kl_base_policy"
"""KL(base || policy), at the rounds of `watch`; see `zoo.train.base_divergence`."""
TRAIN_METRICS = (
    "train/reward",
    "train/reward_std",
    "train/accuracy",
    "train/box_ratio",
    "train/completions/mean_length",
    "train/completions/mean_terminated_length",
    "train/completions/mean_right_length",
    "train/completions/mean_wrong_length",
    "train/completions/clipped_ratio",
    "train/completions/frac_end_token",
    "train/completions/frac_stop_token",
    "train/frac_reward_zero_std",
    "train/grade/groups/mixed",
    "train/entropy",
    "train/kl",
    KL_BASE_POLICY,
    "train/loss",
    "train/grad_norm",
    "train/sampling/sampling_logp_difference/mean",
    "train/sampling/sampling_logp_difference/max",
    "train/sampling/importance_sampling_ratio/frac_clipped",
    "train/sampling/importance_sampling_ratio/frac_masked",
    "train/num_tokens",
    "train/grade/reward_faults",
)
PHASES = ("generation", "grading", "update", "evaluation", "save")
"""Phases of a round; `train/<phase>_time` is in seconds (`zoo.trainer.phases`)."""
LOGGED = (
    *("train/clip_ratio/", "train/cispo_clip_ratio", "train/vespo/", "train/sampling/"),
    *("train/completions/", "train/rewards/", "train/grade/", "train/unscored"),
    *("train/policy_loss", "train/aux_loss", "train/entropy_coef", "train/learning_rate"),
    *("train/step_time", "train/epoch", "train/peak_memory", "train/tokens_per_second"),
    *(f"train/{phase}_time" for phase in PHASES),
)
"""What else TRL (1.16), the grader and zoo log of a round, as the settings have it: names, or
their first parts, which end in a slash."""
Unit = Literal["points", "tokens", "as logged"]
Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Series:
    """Where a metric is evaluated, always on the same problems."""

    rounds: tuple[int, ...]
    """0 = the base model."""
    responses: tuple[int | None, ...] = ()
    """Graded responses of one measurement, one number a benchmark; None = unknown before it is
    read; () = a training metric."""
    sampled: bool = True
    """False under greedy decoding: the same model gives the same responses every time."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that the study will have."""

    name: str
    parts: tuple[str, ...]
    """What it is the mean of; itself alone unless it is an average over benchmarks."""
    series: Series
    horizon: int
    """The last round."""
    evaluations: tuple[Evaluation, ...] = ()
    """The evaluation behind each of its parts; () = a training metric."""

    @property
    def final(self) -> Series | None:
        """Its series if that reaches the horizon, so that it has a final number."""
        return self.series if self.horizon in self.series.rounds else None

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmarks it is evaluated on; () = a training metric."""
        return tuple(e.benchmark.name for e in self.evaluations)

    @property
    def compared(self) -> bool:
        """Whether it is of `eval/...`; not of a schedule's own series, nor of training."""
        parts = MetricName.parse(self.name)
        return parts is not None and parts.series == EVAL

    @property
    def unit(self) -> Unit:
        """In what a claim about it is stated: percentage points for shares, tokens for lengths."""
        return unit(self.name)

    @property
    def at_once(self) -> int:
        """How many responses to a problem give one value: k of pass@k and maj@k, else 1."""
        measure = measure_of(self.name)
        word = measure.rstrip("0123456789")
        return int(measure.removeprefix(word)) if word in ("pass", "maj") and word != measure else 1

    @property
    def better(self) -> Better | None:
        """The direction that is better; None if neither is (a length, an entropy)."""
        measure = measure_of(self.name)
        if measure in LOWER:
            return "lower"
        good = ("accuracy", "acc", "acc_boxed", "box_ratio", "reward")
        return "higher" if measure in good or _sampled(measure) else None


def unit(name: str) -> Unit:
    """The unit of a metric, from its name."""
    measure = measure_of(name)
    if measure.endswith("_length"):
        return "tokens"
    shares = ("acc", "acc_boxed", "accuracy", "audit_disagreement", "mixed")
    share = measure in shares or measure.endswith("_ratio") or _sampled(measure)
    return "points" if share or measure.startswith("frac_") else "as logged"


def is_accuracy(name: str) -> bool:
    """Whether a metric of an evaluation is a share of right answers."""
    measure = measure_of(name)
    right = measure in ("acc", "acc_boxed") or _sampled(measure)
    return right and not name.startswith("train/")


def is_logged(name: str) -> bool:
    """Whether training may log a metric of this name in every round."""
    return (name in TRAIN_METRICS and name != KL_BASE_POLICY) or any(
        name.startswith(one) if one.endswith("/") else name == one for one in LOGGED
    )


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
    """Every metric of a study, by name: training, evaluations, averages over benchmarks."""
    evaluations = tuple(evaluations)
    train = Series(tuple(range(1, horizon + 1)))
    names = [name for name in TRAIN_METRICS if trained and name != KL_BASE_POLICY]
    found = {name: Metric(name, (name,), train, horizon) for name in names}
    if trained and (watched := watched_rounds(evaluations)):
        series = Series(watched)
        found[KL_BASE_POLICY] = Metric(KL_BASE_POLICY, (KL_BASE_POLICY,), series, horizon)
    for e in evaluations:
        for name in map(e.metric, measure_names(e.samples)):
            found[name] = Metric(name, (name,), _series(e), horizon, (e,))
    for schedule in _schedules(evaluations):
        for metric in _averages(schedule, evaluations, found, horizon):
            found[metric.name] = metric
    return found


def watched_rounds(evaluations: Iterable[Evaluation]) -> tuple[int, ...]:
    """Rounds of training at which the schedule `watch` evaluates, ascending."""
    watch = (e for e in evaluations if "watch" in e.schedules)
    return tuple(sorted({round_ for e in watch for round_ in e.rounds if round_ > 0}))


def last_k(final: str) -> int:
    """How many measurements a final number is the mean of: 1 of `last`, 5 of `mean-last-5`."""
    return 1 if final == "last" else int(final.rsplit("-", 1)[1])


def final_rounds(rounds: Iterable[int], horizon: int, k: int) -> tuple[int, ...]:
    """The rounds that form a final number: of those at which a metric is evaluated, the last `k`
    up to the horizon, which must be one of them; the base model never counts. () = no final number.
    """
    trained = sorted({round_ for round_ in rounds if 0 < round_ <= horizon})
    return tuple(trained[-k:]) if trained and trained[-1] == horizon else ()


def headline(trials: Iterable[Trial]) -> tuple[Evaluation, ...]:
    """What the report compares before and after: the evaluations of `eval/...` that reach the
    horizon, one a benchmark and decoding, those of the full schedule first."""
    chosen: dict[tuple[str, str], Evaluation] = {}
    for trial in trials:
        for e in trial.evaluations:
            if e.series == EVAL and trial.rounds in e.rounds:
                chosen.setdefault((e.benchmark.name, e.decoding_name), e)
    return tuple(sorted(chosen.values(), key=lambda e: "full" not in e.schedules))


def measure_names(samples: int) -> tuple[str, ...]:
    """Metrics of an evaluation with S responses a problem; with several there are also avgS, passK
    and majS (`zoo.evals.aggregate`)."""
    if samples == 1:
        return MEASURES
    passes = (f"pass{k}" for k in pass_ks(samples))
    return (*MEASURES, f"avg{samples}", *passes, f"maj{samples}")


def pass_ks(samples: int) -> list[int]:
    """The k of pass@k with S samples: powers of two, and S."""
    return sorted({2**i for i in range(samples.bit_length())} | {samples})


def _series(evaluation: Evaluation) -> Series:
    card = evaluation.benchmark
    n = evaluation.problems or card.kept or card.n or (card.pocket.n if card.pocket else None)
    sampled = evaluation.decoding.temperature > 0
    return Series(evaluation.rounds, (n and n * evaluation.samples,), sampled)


def _schedules(evaluations: Iterable[Evaluation]) -> list[str]:
    """Names of the schedules, `full` first: where two would name an average alike, it is the first
    one's."""
    names = dict.fromkeys(name for e in evaluations for name in e.schedules)
    return sorted(names, key=lambda name: name != "full")


def _averages(
    schedule: str, evaluations: Iterable[Evaluation], found: dict[str, Metric], horizon: int
) -> Iterator[Metric]:
    """Means over the N benchmarks of a schedule, of the metrics that all of them have. They are
    `eval/avgN/...` where all parts are `eval/...` and no other schedule has that name, else
    `<schedule>/avgN/...`."""
    by_decoding: dict[str, dict[str, Evaluation]] = {}
    for e in evaluations:
        if schedule in e.schedules:
            by_decoding.setdefault(e.decoding_name, {})[e.benchmark.name] = e
    for decoding, same in by_decoding.items():
        parts = tuple(same[benchmark] for benchmark in sorted(same))
        if len(parts) < 2:
            continue
        for measure in measure_names(min(e.samples for e in parts)):
            if any(e.metric(measure) not in found for e in parts):
                continue  # of S samples, K of pass@K is a power of two or S
            names = tuple(e.metric(measure) for e in parts)
            series = [EVAL] if all(e.series == EVAL for e in parts) else []
            for head in (*series, schedule):
                name = str(MetricName(head, f"avg{len(parts)}", measure, decoding))
                if name not in found or found[name].parts == names:
                    together = _together([_series(e) for e in parts])
                    yield Metric(name, names, together, horizon, parts)
                    break


def _together(series: list[Series]) -> Series:
    """The rounds that all have, and the responses of each."""
    rounds = set(series[0].rounds).intersection(*(s.rounds for s in series))
    responses = tuple(n for s in series for n in s.responses)
    return Series(tuple(sorted(rounds)), responses, any(s.sampled for s in series))
