"""Checks of `grpo:` settings against a committed snapshot of TRL's `GRPOConfig`, without importing
TRL.

Three answers to a name: unknown (with a suggestion), owned by zoo (with the reason), or a value of
the right type. The snapshot (`trl_fields.json`) is compared with the installed TRL by a test.
"""

from __future__ import annotations

import json
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from zoo.catalog import Batch
from zoo.catalog.cards import FROM_CARD
from zoo.errors import did_you_mean

_OUTPUT = "zoo writes to its own run directory"
_BATCH = "the batch is said by `batch: {prompts, num_generations, updates}`"
_PLACE = "placement belongs to the compute profile (`--on`)"
_LOG = "zoo logs every round itself"
_EVAL = "evaluation is said by `evaluate:`"
OWNED: dict[str, str] = {
    **dict.fromkeys(
        ("output_dir", "run_name", "project", "push_to_hub", "hub_model_id", "hub_token"), _OUTPUT
    ),
    **dict.fromkeys(
        (
            "per_device_train_batch_size",
            "gradient_accumulation_steps",
            "generation_batch_size",
            "steps_per_generation",
            "num_generations",
            "max_steps",
            "num_train_epochs",
            "auto_find_batch_size",
        ),
        _BATCH + " and `rounds`",
    ),
    **dict.fromkeys(
        (
            "use_vllm",
            "vllm_mode",
            "vllm_gpu_memory_utilization",
            "vllm_tensor_parallel_size",
            "vllm_enable_sleep_mode",
            "vllm_max_model_length",
            "vllm_server_base_url",
            "vllm_server_host",
            "vllm_server_port",
            "vllm_group_port",
            "use_cpu",
            "fsdp",
            "fsdp_config",
            "deepspeed",
            "gradient_checkpointing",
            "torch_compile",
            "local_rank",
        ),
        _PLACE,
    ),
    **dict.fromkeys(
        ("logging_steps", "logging_strategy", "report_to", "log_completions", "disable_tqdm"), _LOG
    ),
    **dict.fromkeys(
        (
            "eval_strategy",
            "eval_steps",
            "do_eval",
            "num_generations_eval",
            "per_device_eval_batch_size",
        ),
        _EVAL,
    ),
    **dict.fromkeys(
        ("save_strategy", "save_steps", "save_total_limit"), "zoo saves what it needs by rounds"
    ),
    **dict.fromkeys(("seed", "data_seed"), "seeds are replicates: `seeds: [0, 1, 2]`"),
    "reward_weights": "a reward card is one function; combine parts in the card",
    "trust_remote_code": "off unless a model card allows it with a pinned full commit",
    "generation_kwargs": (
        "a seed or stop string in it silently breaks groups; use temperature, top_p, stop_ids"
    ),
}


def version() -> str:
    """Version of TRL that the snapshot was taken from."""
    return str(_snapshot()["trl"])


def defaults() -> dict[str, Any]:
    """TRL's values of the settings that bear on results."""
    return {}


def check_together(
    grpo: dict[str, Any], batch: Batch, stop_ids: tuple[int, ...]
) -> list[tuple[str, str, str, str]]:
    """Settings that do not go together: (dotted name, found, expected, hint)."""
    return []


@cache
def _snapshot() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "trl_fields.json").read_text(encoding="utf-8"))


@cache
def fields() -> dict[str, dict[str, Any]]:
    """TRL's `GRPOConfig` fields: name -> {types, default}."""
    return _snapshot()["fields"]


def check(name: str, value: Any) -> tuple[Any, str, str]:
    """Check one setting; returns (the value as TRL would hold it, what is wrong or '', a hint)."""
    field = fields().get(name)
    if field is None:
        known = sorted(set(fields()) - set(OWNED))
        return (
            value,
            f"unknown GRPO setting '{name}'",
            did_you_mean(name, known) or "names are TRL's `GRPOConfig`",
        )
    if name in OWNED:
        return value, f"'{name}' is not for a manifest", OWNED[name]
    if value == FROM_CARD:
        if name in ("beta", "max_completion_length"):
            return value, "", ""
        return value, f"{name} cannot come from a card", "only beta and max_completion_length can"
    types = field["types"]
    if isinstance(value, float) and not isfinite(value):
        return value, f"{name} is {value}", "a number that is finite"
    if isinstance(value, int) and not isinstance(value, bool) and "float" in types:
        return float(value), "", ""
    kind = "null" if value is None else type(value).__name__
    if kind in types:
        return value, "", ""
    return value, f"{name} is {value!r}", f"TRL wants {' or '.join(types)}"
