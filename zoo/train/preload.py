"""What a trial process imports before it trains, by its engine; a fork server imports it once.

In the order in which a trial does, with the same patches. Nothing of it starts an engine, a thread
or CUDA.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import suppress

FIRST = ("torch", "transformers", "zoo.train.grpo", "zoo.train.assembly")
LAST = (
    "trl",
    "zoo.train.callbacks",
    "zoo.train.base_divergence",
    "zoo.train.reward_bridge",
    "zoo.trainer.policy",
    "datasets",
    "transformers.integrations.mistral.tokenizer",
    "transformers.models.llama.modeling_llama",
    "transformers.models.mistral.modeling_mistral",
    "transformers.models.qwen2.modeling_qwen2",
)
VLLM = (
    "vllm.model_executor.layers.utils",
    "vllm",
    "trl.generation.vllm_generation",
    "zoo.trainer.team_trainer",
    "vllm.v1.engine.llm_engine",
    "vllm.v1.core.sched.scheduler",
    "vllm.v1.attention.backends.cpu_attn",
    "vllm.v1.worker.cpu_worker",
    "vllm.entrypoints.launchers.cli_args",
    "vllm.model_executor.layers.quantization.online.base",
    "vllm.model_executor.models.llama",
    "vllm.model_executor.models.mistral",
    "vllm.model_executor.models.qwen2",
)
MODULES = {
    "simulated": ("zoo.train.simulated",),
    "transformers": (*FIRST, "zoo.trainer.transformers_engine", *LAST),
    "vllm": (*FIRST, *VLLM, *LAST),
}


def preload(engine: str) -> Iterator[str]:
    """Import what trials with this engine (or `simulated`) import; yields the names of modules one
    after the other. One that cannot be imported is left to the trials, which report why if they
    need it."""
    for name in ("zoo.train.entry", *MODULES[engine]):
        with suppress(ImportError):
            module = importlib.import_module(name)
            if name == "zoo.trainer.transformers_engine":
                module.hide_vllm()  # before anything else of TRL is imported
                importlib.import_module("zoo.trainer.transformers_trainer")
        yield name
