"""From a trial and a compute profile to `GRPOConfig` arguments: one pure function, no TRL import,
golden-tested.

A round is one generation phase: `prompts x num_generations` completions, split into `updates`
optimiser updates, each done `num_iterations` times. How an update is split into forward passes is
`zoo.resources`'s, as the plan shows it; the effective batch never depends on compute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.resources import longest_sequence, place
from zoo.trials.trial import Trial


def grpo_arguments(
    trial: Trial,
    profile: ComputeProfile,
    output: Path | str,
    model_context: int,
    longest_prompt: int | None = None,
) -> dict[str, Any]:
    """Keyword arguments of TRL's `GRPOConfig` for a trial on a profile.

    Args:
        longest_prompt: in tokens; None = not measured.
    """
    passes = int(trial.grpo.get("num_iterations", 1))
    placed = place(trial, profile, prompt=longest_prompt)
    # transformers generates with the trainer's weights, batch by batch, which need be whole for it
    sharded = placed.gpus > 1 and profile.engine == "vllm"
    arguments = {
        "output_dir": str(output),
        "per_device_train_batch_size": placed.micro_batch,
        "gradient_accumulation_steps": placed.accumulation,
        "steps_per_generation": placed.accumulation * trial.batch.updates,
        "num_generations": trial.batch.num_generations,
        "max_steps": trial.rounds * trial.batch.updates * passes,
        "seed": trial.seed,
        "use_cpu": profile.device == "cpu",
        "gradient_checkpointing": profile.gradient_checkpointing and not sharded,
        "use_vllm": profile.engine == "vllm",
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else NaN is logged as the loss before it
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": profile.device == "cuda",
        **trial.grpo,
    }
    if sharded:
        arguments |= sharding(profile)
    if profile.engine != "vllm":
        return arguments  # `zoo.trainer.transformers_engine` generates
    arguments |= {
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": placed.utilisation,
        "vllm_enable_sleep_mode": profile.vllm_enable_sleep_mode,
        "vllm_tensor_parallel_size": placed.tensor_parallel,
        "vllm_max_model_length": longest_sequence(trial, model_context, longest_prompt),
    }
    if trial.model.stop_ids:
        arguments["generation_kwargs"] = {"stop_token_ids": list(trial.model.stop_ids)}
    return arguments


def sharding(profile: ComputeProfile) -> dict[str, Any]:
    """How weights, gradients and optimiser lie over the GPUs of a trial: FSDP2, sharded over all of
    them, each decoder layer gathered when it is computed (`ZeRO-3`). Full state dicts are gathered
    for checkpoints, so that any number of GPUs can load them."""
    return {
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            "reshard_after_forward": True,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",  # the model names its decoder layer
            "state_dict_type": "FULL_STATE_DICT",
            "cpu_ram_efficient_loading": False,  # each process reads the folder itself
            "activation_checkpointing": profile.gradient_checkpointing,
        },
    }


def engine_arguments(arguments: dict[str, Any], dtype: str) -> dict[str, Any]:
    """Keyword arguments of a vLLM engine that evaluates stored weights exactly as the live one: the
    number of concurrent responses decides which random numbers each of them gets. It is as wide as
    one engine of the trial, however many of them the trial has.

    Args:
        arguments: as `grpo_arguments` gives them. The others that TRL passes are in its
        vllm_generation.py (1.16, line 347).
    """
    width = arguments["vllm_tensor_parallel_size"]
    at_once = arguments["per_device_train_batch_size"] * arguments["steps_per_generation"]
    return {
        "tensor_parallel_size": width,
        "max_model_len": arguments["vllm_max_model_length"],
        "gpu_memory_utilization": arguments["vllm_gpu_memory_utilization"],
        "max_num_seqs": at_once * width,
        "max_num_batched_tokens": 4096,
        "logprobs_mode": "processed_logprobs",
        # in this process, as its generator; or in workers of its own (`zoo.trainer.engine`)
        "distributed_executor_backend": "external_launcher" if width == 1 else "mp",
        "seed": 0,
        "dtype": dtype,
    }
