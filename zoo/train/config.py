"""From a trial and a compute profile to `GRPOConfig` arguments: one pure function, no TRL import,
golden-tested.

A round is one generation phase: `prompts x num_generations` completions, split into `updates`
optimiser updates. The micro-batch comes from the profile and is rounded down to a divisor, so the
effective batch never depends on compute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.catalog import Batch, ComputeProfile
from zoo.manifest.trial import Trial

PROMPT_TOKENS = 1024  # room for the prompt beside the response cap; the study's limit (sh:L25)


def micro_batch(batch: Batch, wanted: int) -> int:
    """The largest divisor of one update's completions that is at most `wanted`."""
    completions = batch.completions // batch.updates
    return max(n for n in range(1, min(wanted, completions) + 1) if completions % n == 0)


def context_tokens(trial: Trial, model_context: int) -> int:
    """Longest sequence that the engine is sized for, in tokens: training or evaluation, whichever
    needs more.
    """
    longest = max([trial.cap, *(e.decoding.max_tokens or trial.cap for e in trial.evaluations)])
    return min(model_context, longest + PROMPT_TOKENS)


def grpo_arguments(
    trial: Trial, profile: ComputeProfile, output: Path | str, model_context: int
) -> dict[str, Any]:
    """Keyword arguments of TRL's `GRPOConfig` for a trial on a profile."""
    micro = micro_batch(trial.batch, profile.micro_batch)
    accumulation = trial.batch.completions // trial.batch.updates // micro
    arguments = {
        "output_dir": str(output),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulation,
        "steps_per_generation": accumulation * trial.batch.updates,
        "num_generations": trial.batch.num_generations,
        "max_steps": trial.rounds * trial.batch.updates,
        "seed": trial.seed,
        "use_cpu": profile.device == "cpu",
        "gradient_checkpointing": profile.gradient_checkpointing,
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": profile.vllm_gpu_memory_utilization,
        "vllm_enable_sleep_mode": profile.vllm_enable_sleep_mode,
        "vllm_max_model_length": context_tokens(trial, model_context),
        "logging_strategy": "steps",
        "logging_steps": 1,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": profile.device == "cuda",
        **trial.grpo,
    }
    if trial.model.stop_ids:
        arguments["generation_kwargs"] = {"stop_token_ids": list(trial.model.stop_ids)}
    return arguments
