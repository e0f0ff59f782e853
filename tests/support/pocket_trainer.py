"""A trainer of a pocket model in this process, for tests of what the trainer computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig

from zoo.data.resolve import EMBEDDED

BASE = str(EMBEDDED / "pocket-mistral")
Reward = Callable[..., list[float | None]]


def no_reward(completions: list[str], **_: Any) -> list[float | None]:
    """0 for each."""
    return [0.0] * len(completions)


def pocket_trainer(
    make: Callable[..., Any],
    folder: Path,
    *,
    prompts: int = 4,
    reward: Reward = no_reward,
    **settings: Any,
) -> Any:
    """A trainer of class `make` over so many prompts, four completions each; `settings` are of
    `GRPOConfig`."""
    known: dict[str, Any] = {
        "output_dir": str(folder),
        "num_generations": 4,
        "max_completion_length": 12,
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    return make(
        model=AutoModelForCausalLM.from_pretrained(BASE, dtype="float32"),
        reward_funcs=[reward],
        args=GRPOConfig(**known | settings),
        train_dataset=Dataset.from_list([{"prompt": f"What is {i}+{i}?"} for i in range(prompts)]),
        processing_class=AutoTokenizer.from_pretrained(BASE),
    )
