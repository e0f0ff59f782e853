"""Warnings of a plan where transformers generates and not vLLM: settings of a recipe that have
no effect there, and metrics that are not logged.
"""

from __future__ import annotations

from collections.abc import Sequence

from zoo.catalog import ComputeProfile
from zoo.lint.plan_warning import PlanWarning
from zoo.manifest.schema import Experiment
from zoo.trials.grid import matches
from zoo.trials.trial import Trial

SAMPLING = "train/sampling/"
NEGLIGIBLE = 1e-3
"""Clamps that hold the correction's ratio this close to 1 switch it off."""


def engine_warnings(
    experiment: Experiment, trials: Sequence[Trial], profile: ComputeProfile
) -> list[PlanWarning]:
    """Warnings of `engine: transformers` for the trials that are meant; none with vLLM."""
    trained = [t for t in trials if t.trainer == "trl" and not t.simulated]
    if profile.engine == "vllm" or not trained:
        return []
    where = f"--on {profile.name}"
    found: list[PlanWarning] = []
    if n := sum(map(_corrects, trained)):
        text = (
            "TRL applies the importance-sampling correction only with vLLM, so "
            f"vllm_importance_sampling_* has no effect in {_count(n)}; with vLLM they would "
            "change training"
        )
        found.append(PlanWarning("no-correction", text, where))
    if profile.device == "cuda":
        text = (
            "hours are planned for vLLM, and transformers generates more slowly; run one trial, "
            "and a plan uses its rate"
        )
        found.append(PlanWarning("hours-of-vllm", text, where))
    said = [(f"tripwire on {w}", (w.metric,), w.when) for w in experiment.tripwires]
    said += [(f"claim {c.id}", tuple(c.metrics), c.where) for c in experiment.claims]
    for what, metrics, when in said:
        gone = [name for name in metrics if name.startswith(SAMPLING)]
        if gone and any(matches(t.cell, when) for t in trained):
            text = f"{gone[0]} is logged only where vLLM generates; take another metric"
            found.append(PlanWarning("sampling-not-logged", text, what))
    return found


def _corrects(trial: Trial) -> bool:
    """Whether the correction could move a loss: it is on, and not clamped to 1."""
    grpo = trial.grpo
    if not grpo.get("vllm_importance_sampling_correction"):
        return False
    if str(grpo.get("vllm_importance_sampling_mode")).endswith("_mask"):
        return True
    low = grpo.get("vllm_importance_sampling_clip_min") or 0.0
    high = grpo.get("vllm_importance_sampling_clip_max")
    return high is None or high > 1 + NEGLIGIBLE or low < 1 - NEGLIGIBLE


def _count(n: int) -> str:
    return f"{n:,} trial{'s'[: n != 1]}"
