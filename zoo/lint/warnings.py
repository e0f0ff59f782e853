"""Warnings of a plan: flaws that are not refused but can invalidate a study.

One sentence a warning, with what to do, and one warning for all trials that share a cause.
Cards, evaluation, overrides and claims have modules of their own (`zoo.lint.card_warnings`,
`warn_evaluate`, `warn_overrides`, `warn_claims`); tripwires and the budget are checked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zoo.claims.planned_power import Power
from zoo.data.questions import SharedProblems
from zoo.errors import listed
from zoo.lint.card_warnings import Prompts, card_warnings
from zoo.lint.claim_warnings import claim_warnings
from zoo.lint.evaluation_warnings import evaluate_warnings
from zoo.lint.plan_warning import PlanWarning
from zoo.manifest.claim_schema import Claim
from zoo.manifest.schema import Experiment
from zoo.manifest.thresholds import Budget, Tripwire
from zoo.trials.grid import matches
from zoo.trials.metrics import KL_BASE_POLICY, Metric, metrics_of
from zoo.trials.trial import Trial

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
    *,
    estimate: Mapping[str, float] | None = None,
    upper: Mapping[str, float] | None = None,
    overlaps: Sequence[SharedProblems] = (),
    chosen: Sequence[Trial] | None = None,
    prompts: Prompts | None = None,
) -> list[PlanWarning]:
    """All warnings of a plan but those of `zoo.lint.override_warnings`, which need the catalog.

    Args:
        powers: of its claims (`zoo.claims.planned_power.powers_of`).
        estimate: what the plan expects to spend, under the names of `Budget`.
        upper: the upper ends of these estimates; missing ones have no range.
        overlaps: of benchmarks with training data, found by content.
        chosen: the selected trials; warnings about others are left out. None = all.
        prompts: prompt lengths in tokens, where counted.
    """
    meant = trials if chosen is None else chosen
    wires = [w for w in experiment.tripwires if any(matches(t.cell, w.when) for t in meant)]
    claims, powers = _touching(experiment.claims, powers, trials, meant)
    return [
        *card_warnings(meant, overlaps, trials, prompts),
        *setting_warnings(meant),
        *tripwire_warnings(wires, metrics_of(trials)),
        *length_warnings(wires, experiment.rounds),
        *kl_warnings(wires, claims, meant),
        *evaluate_warnings(experiment, meant),
        *claim_warnings(claims, trials, powers),
        *budget_warnings(experiment.budget, estimate or {}, upper or {}),
    ]


def _touching(
    claims: Sequence[Claim],
    powers: Sequence[Power],
    trials: Sequence[Trial],
    chosen: Sequence[Trial],
) -> tuple[Sequence[Claim], Sequence[Power]]:
    """Claims that compare a cell of a chosen trial, and their powers."""
    if len(chosen) == len(trials):
        return claims, powers
    cells = {tuple(trial.cell.items()) for trial in chosen}
    ids = {p.claim.id for p in powers if any(tuple(c.items()) in cells for c in p.unit.cells)}
    return [c for c in claims if c.id in ids], [p for p in powers if p.claim.id in ids]


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
    """Benchmarks that both stop and judge."""
    found: list[PlanWarning] = []
    for wire in tripwires:
        metric, where = metrics.get(wire.metric), f"tripwire on {wire}"
        if wire.then == "stop" and metric is not None and metric.evaluations:
            judged = [name for name in metric.benchmarks if _judges(name, metrics)]
            if judged:
                text = (
                    f"{listed(judged)} decides when a trial stops and is also its final metric; "
                    "stop by a benchmark that no final number rests on, or only `mark`"
                )
                found.append(PlanWarning("leak-by-choice", text, where))
    return found


def length_warnings(tripwires: Sequence[Tripwire], rounds: int) -> list[PlanWarning]:
    """Lines that have to be crossed for more rounds than there are."""
    return [
        PlanWarning(
            "never-trips",
            f"{wire.rounds:,} rounds in a row are more than the {rounds:,} of the "
            "study, so it never trips; take a smaller `for`",
            f"tripwire on {wire}",
        )
        for wire in tripwires
        if wire.rounds > rounds
    ]


def kl_warnings(
    tripwires: Sequence[Tripwire], claims: Sequence[Claim], trials: Sequence[Trial]
) -> list[PlanWarning]:
    """Tripwires and claims on a KL that TRL does not log, as there is no reference model."""
    without = [t.cell for t in trials if t.trainer != "external" and not t.grpo.get("beta")]
    said = [(f"tripwire on {w}", w.when) for w in tripwires if w.metric == KL]
    said += [(f"claim {c.id}", c.where) for c in claims if KL in c.metrics]
    text = (
        f"{KL} is logged only where grpo.beta is above 0, and {{n}} it is 0; "
        f"{KL_BASE_POLICY} is logged at the rounds of `watch` at any beta"
    )
    counts = [(where, sum(matches(cell, match) for cell in without)) for where, match in said]
    return [
        PlanWarning("kl-not-logged", text.format(n=f"in {n:,} trial{'s'[: n != 1]}"), where)
        for where, n in counts
        if n
    ]


def _judges(benchmark: str, metrics: Mapping[str, Metric]) -> bool:
    """Whether a final number is evaluated on a benchmark."""
    return any(benchmark in m.benchmarks and m.final is not None for m in metrics.values())


def budget_warnings(
    budget: Budget, estimate: Mapping[str, float], upper: Mapping[str, float]
) -> list[PlanWarning]:
    """Limits that the estimate, or the upper end of its range, is above."""
    found: list[PlanWarning] = []
    for name, limit in budget.stated.items():
        mid = estimate.get(name, 0)
        high = upper.get(name, mid)
        if high <= limit:
            continue
        id_, text = (
            "over-budget",
            f"{_figure(mid)} {HOURS[name]} are planned, {limit:,.10g} are in the budget; cut the "
            "grid, the rounds or the seeds, or raise it",
        )
        if mid <= limit:
            id_, text = (
                "budget-at-risk",
                f"may take up to {_figure(high)} of {limit:,.10g} {HOURS[name]}; a few trials "
                "first narrow that",
            )
        found.append(PlanWarning(id_, text, f"budget {name}"))
    return found


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
