"""Response to a trial that ran out of memory: a smaller micro-batch at the same effective batch;
where that is not enough or not allowed, advice with the plan's figures.

The memory model can be wrong for a model, a card or a version, so a launcher retries with smaller
forward passes. It must not change the result: where a loss is averaged over a forward pass or the
recipe pins the micro-batch, the micro-batch stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from zoo.catalog import ComputeProfile
from zoo.resources.placement import Placement, geometry, place
from zoo.store.failures import ENGINE_MEMORY
from zoo.trials.trial import Trial


def smaller(
    trial: Trial, profile: ComputeProfile, prompt: int | None = None
) -> ComputeProfile | None:
    """The profile with half the micro-batch of this trial, and half of what transformers generates
    at a time; None where neither can be less. `prompt`: tokens of its longest prompt, None = not
    measured."""
    placed = place(trial, profile, prompt=prompt)
    update: dict[str, int] = {}
    if placed.micro_batch > 1 and not fixed(trial, profile, prompt):
        update["micro_batch"] = placed.micro_batch // 2
    if placed.generation_batch > 1:
        update["generation_batch"] = placed.generation_batch // 2
    return profile.model_copy(update=update) if update else None


def fixed(trial: Trial, profile: ComputeProfile, prompt: int | None = None) -> str:
    """Why the micro-batch of a trial may not change; empty where it may."""
    if trial.batch.micro_batch:
        return "its recipe pins the micro-batch"
    if "micro_batch" in geometry(trial, profile, prompt):
        return "its loss depends on the micro-batch"
    return ""


def advice(
    trial: Trial,
    profile: ComputeProfile,
    tried: Sequence[int],
    prompt: int | None = None,
    *,
    message: str = "",
) -> str:
    """The settings that a user can change, in one sentence.

    Args:
        profile: the one under which memory ran out last.
        tried: micro-batches at which it ran out before, in order.
        prompt: tokens of the longest prompt, None = not measured.
        message: of the failure.
    """
    placed = place(trial, profile, prompt=prompt)
    if ENGINE_MEMORY.search(message):
        share = f"(here {placed.utilisation:.2f} of the device's memory)"
        return (
            f"vLLM did not get the memory that `vllm_gpu_memory_utilization` {share} asks for"
            f"{_planned(placed)}; change it in the profile as vLLM's message says"
        )
    found = f"out of memory with a micro-batch of {placed.micro_batch}"
    if tried:
        found += f" (before that: {', '.join(map(str, tried))})"
    elif why := fixed(trial, profile, prompt):
        found += f", which stays: {why}"
    return f"{found}{_planned(placed)}; use {_remedies(profile, placed)}"


def _planned(placed: Placement) -> str:
    if placed.memory is None:
        return ""
    return f"; planned: {placed.memory.peak:.1f} of {placed.usable_gib:.1f} GiB usable"


def _remedies(profile: ComputeProfile, placed: Placement) -> str:
    if profile.device == "cpu":
        return "a machine with more memory, or a profile with less `concurrency`"
    found = ["`gradient_checkpointing: true`"] if not profile.gradient_checkpointing else []
    if profile.engine == "vllm":
        if not profile.vllm_enable_sleep_mode:
            found.append("`vllm_enable_sleep_mode: true`")
        found.append(f"less `vllm_gpu_memory_utilization` ({placed.utilisation:.2f} here)")
    wider = max(1, placed.gpus) * 2
    return ", ".join([*found, f"or `gpus_per_trial: {wider}`"]) + " in the profile"
