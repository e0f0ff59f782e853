"""What a plan warns of: nothing here is refused, all of it can spoil a study.

One sentence a warning, which says what to do, and one warning for all trials that share a cause.
Cards and claims have modules of their own (`zoo.manifest.warn_cards`, `warn_claims`); tripwires and
the budget are looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zoo.errors import did_you_mean, listed
from zoo.manifest.cells import matches
from zoo.manifest.limits import Budget, Tripwire
from zoo.manifest.metrics import Metric, metrics_of
from zoo.manifest.plan_warning import PlanWarning
from zoo.manifest.power import Power
from zoo.manifest.schema import Experiment
from zoo.manifest.trial import Trial
from zoo.manifest.warn_cards import card_warnings
from zoo.manifest.warn_claims import claim_warnings
from zoo.manifest.warn_overlaps import Overlap

SEQUENCE_MASK = (
    "vllm_importance_sampling_mode sequence_mask leaves whole responses out of the loss, long ones "
    "first (github.com/huggingface/trl/issues/5814); token_truncate keeps them"
)
SEQUENCE_RATIO = (
    "importance_sampling_level sequence under a mean over tokens weighs a response by its length; "
    "GSPO (arXiv:2507.18071 equation 5) is loss_type grpo"
)
KL = "train/kl"
HOURS = {"gpu_hours": "GPU-hours", "usd": "USD", "disk_gib": "GiB of disk", "hours": "hours"}


def warnings(
    experiment: Experiment,
    trials: Sequence[Trial],
    powers: Sequence[Power] = (),
    estimate: Mapping[str, float] | None = None,
    overlaps: Sequence[Overlap] = (),
) -> list[PlanWarning]:
    """All warnings of a plan. `powers` are those of its claims (`zoo.manifest.power.powers_of`);
    `estimate` has what the plan expects to spend, under the names of `Budget`; `overlaps` are those
    of benchmarks with training data, found by content."""
    return [
        *card_warnings(trials, overlaps),
        *setting_warnings(trials),
        *tripwire_warnings(experiment.tripwires, metrics_of(trials)),
        *length_warnings(experiment),
        *kl_warnings(experiment, trials),
        *schedule_warnings(experiment),
        *claim_warnings(experiment.claims, trials, powers),
        *budget_warnings(experiment.budget, estimate or {}),
    ]


def setting_warnings(trials: Sequence[Trial]) -> list[PlanWarning]:
    """Settings of TRL that are allowed and rarely meant."""
    trained = [trial for trial in trials if trial.trainer != "external"]
    found = [
        ("sequence-mask", _masks_sequences, SEQUENCE_MASK),
        ("sequence-ratio", _weighs_long_sequences, SEQUENCE_RATIO),
    ]
    counts = [(id_, sum(map(meets, trained)), text) for id_, meets, text in found]
    return [PlanWarning(id_, text, f"{n:,} trial{'s'[: n != 1]}") for id_, n, text in counts if n]


def _masks_sequences(trial: Trial) -> bool:
    """Trap 10: whole responses drop out of the loss, and TRL logs no share of them."""
    mode = trial.grpo.get("vllm_importance_sampling_mode")
    return bool(trial.grpo.get("vllm_importance_sampling_correction")) and mode == "sequence_mask"


def _weighs_long_sequences(trial: Trial) -> bool:
    """One ratio a response, but a mean over tokens: GSPO takes the mean over responses."""
    by_token = trial.grpo.get("loss_type") in ("bnpo", "dapo", "dr_grpo")
    return by_token and trial.grpo.get("importance_sampling_level") == "sequence"


def tripwire_warnings(
    tripwires: Sequence[Tripwire], metrics: Mapping[str, Metric]
) -> list[PlanWarning]:
    """Lines that nothing may ever cross, and benchmarks that both stop and judge."""
    found: list[PlanWarning] = []
    for wire in tripwires:
        metric, where = metrics.get(wire.metric), f"tripwire on {wire}"
        if metric is None:
            hint = did_you_mean(wire.metric, list(metrics)) or "check its name in TRL"
            text = f"{wire.metric} is no metric that zoo knows, so it may never trip; {hint}"
            found.append(PlanWarning("unknown-tripwire", text, where))
        elif wire.then == "stop" and wire.metric.startswith("eval/"):
            judged = [part.split("/")[1] for part in metric.parts if _final(part, metrics)]
            if judged:
                text = (
                    f"{listed(judged)} decides when a trial stops and also measures it; stop by a "
                    "benchmark that no final number rests on, or only `mark`"
                )
                found.append(PlanWarning("leak-by-choice", text, where))
    return found


def length_warnings(experiment: Experiment) -> list[PlanWarning]:
    """Lines that have to be crossed for more rounds than there are."""
    return [
        PlanWarning(
            "never-trips",
            f"{wire.rounds:,} rounds in a row are more than the {experiment.rounds:,} that there "
            "are, so it never trips; take a smaller `for`",
            f"tripwire on {wire}",
        )
        for wire in experiment.tripwires
        if wire.rounds > experiment.rounds
    ]


def kl_warnings(experiment: Experiment, trials: Sequence[Trial]) -> list[PlanWarning]:
    """Tripwires and claims on a KL that TRL does not log, as there is no reference model."""
    without = [t.cell for t in trials if t.trainer != "external" and not t.grpo.get("beta")]
    said = [(f"tripwire on {w}", w.when) for w in experiment.tripwires if w.metric == KL]
    said += [(f"claim {c.id}", c.where) for c in experiment.claims if KL in c.metrics]
    text = f"{KL} is logged only where grpo.beta is above 0, and {{n}} it is 0; take another metric"
    counts = [(where, sum(matches(cell, match) for cell in without)) for where, match in said]
    return [
        PlanWarning("kl-not-logged", text.format(n=f"in {n:,} trial{'s'[: n != 1]}"), where)
        for where, n in counts
        if n
    ]


def schedule_warnings(experiment: Experiment) -> list[PlanWarning]:
    """Schedules whose first turn comes after the end."""
    return [
        PlanWarning(
            "never-due",
            f"every {schedule.every:,} rounds of {experiment.rounds:,} is the base model alone; "
            "take a smaller `every`, or `at: [0, last]`",
            f"schedule {name}",
        )
        for name, schedule in experiment.evaluate.schedules.items()
        if schedule.every and schedule.every > experiment.rounds
    ]


def _final(name: str, metrics: Mapping[str, Metric]) -> bool:
    """Whether a final number is measured on the benchmark of this metric."""
    head = "/".join(name.split("/")[:2]) + "/"
    return any(m.startswith(head) and metric.final is not None for m, metric in metrics.items())


def budget_warnings(budget: Budget, estimate: Mapping[str, float]) -> list[PlanWarning]:
    """Limits that the estimate is above."""
    return [
        PlanWarning(
            "over-budget",
            f"{estimate[name]:,.0f} {HOURS[name]} are planned, {limit:,.10g} are in the budget; "
            "cut the grid, the rounds or the seeds, or raise it",
            f"budget {name}",
        )
        for name, limit in budget.stated.items()
        if estimate.get(name, 0) > limit
    ]
