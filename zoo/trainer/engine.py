"""vLLM inside the trial: the CPU patch, and sampling for evaluation that does not change training.

On a CPU, vLLM repacks linear weights and drops the originals, so TRL's weight sync fails; replacing
one function before the engine exists keeps the plain weights (and tied embeddings right). The
built-in tripwire on `sampling/sampling_logp_difference` detects a failure of this patch.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from zoo.data import Problem
from zoo.errors import FailureClass, TrialError
from zoo.evals.stages import Generation
from zoo.manifest.schema import Decoding
from zoo.trainer.policy import completion_text


def keep_plain_weights_on_cpu() -> None:
    """Make vLLM's CPU linear layers use their weights without repacking. Call before the engine is
    created.

    Raises:
        TrialError: this vLLM has no such function, so the patch must be revised.
    """
    from vllm.model_executor.layers import utils

    if not hasattr(utils, "dispatch_cpu_unquantized_gemm"):
        text = "vLLM has no dispatch_cpu_unquantized_gemm; install the locked version (0.31)"
        raise TrialError(FailureClass.CONFIG, text)

    def plain(layer: Any, remove_weight: bool = True) -> None:
        layer.cpu_linear = torch.nn.functional.linear

    utils.dispatch_cpu_unquantized_gemm = plain


def fix_engine_dtype(dtype: str) -> None:
    """Make TRL create its engine with this dtype: it passes none, and vLLM turns float32 models
    into bfloat16.
    """
    import functools

    import vllm
    from trl.generation import vllm_generation

    vllm_generation.LLM = functools.partial(vllm.LLM, dtype=dtype)


def start_engine(folder: str, arguments: dict[str, Any]) -> Any:
    """A vLLM engine over the weights of a folder, as TRL starts its own: in this process, so that
    it draws from this process's generator and one seed gives the same responses in both. With
    tensor parallelism each GPU has a worker process; scheduling stays here, so that batches, and
    with them the responses, follow from prompts and seed alone."""
    from vllm import LLM

    if arguments["tensor_parallel_size"] > 1:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ["VLLM_WORKER_MULTIPROCESSING_METHOD"] = "spawn"  # this process has threads
        worker = f"{SeededWorker.__module__}.{SeededWorker.__qualname__}"
        return LLM(model=folder, worker_extension_cls=worker, **arguments)
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}.items():
        os.environ.setdefault(name, value)
    return LLM(model=folder, **arguments)


class SeededWorker:
    """What vLLM's worker processes can do beside their own work."""

    def seed_generators(self, seed: int) -> None:
        """Seed the generators that this worker draws from."""
        seed_everything(seed)


@contextmanager
def same_randomness_after() -> Iterator[None]:
    """Restore the state of every random generator that training draws from: measuring changes
    nothing.
    """
    python, numpy_, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class EngineSampler:
    """Samples through a vLLM engine (live or of its own) with plain text prompts.

    The engine draws from torch's global generator, so a seed per call makes the responses
    reproducible; per-request seeds are not used (they crashed the CPU engine on long batches).
    """

    def __init__(
        self, llm: Any, tokenizer: Any, stop_ids: tuple[int, ...], *, workers: bool = False
    ) -> None:
        """`workers`: whether the engine draws in processes of its own (`start_engine`)."""
        self.llm: Any = llm
        self.tokenizer, self.stop_ids, self.workers = tokenizer, stop_ids, workers

    def __call__(
        self,
        prompts: list[str],
        problems: list[Problem],
        decoding: Decoding,
        max_tokens: int,
        seed: int,
    ) -> list[Generation]:
        """Implements `zoo.evals.stages.Sampler`."""
        from vllm import SamplingParams

        settings = SamplingParams(
            temperature=decoding.temperature,
            top_p=decoding.top_p if decoding.temperature > 0 else 1.0,
            max_tokens=max_tokens,
            stop_token_ids=list(self.stop_ids),
            skip_special_tokens=True,
        )
        tokens = [{"prompt_token_ids": ids} for ids in self.tokenizer(prompts)["input_ids"]]
        with same_randomness_after():
            seed_everything(seed)
            if self.workers:
                self.llm.collective_rpc("seed_generators", args=(seed,))
            outputs = self.llm.generate(tokens, sampling_params=settings, use_tqdm=False)
            self.llm.reset_prefix_cache()
        found = [output.outputs[0] for output in outputs]
        return [
            Generation(
                completion_text(self.tokenizer, o.token_ids),
                list(o.token_ids),
                "length" if o.finish_reason == "length" else "stop",
            )
            for o in found
        ]

    def end(self) -> None:
        """End an engine of `start_engine` and give its memory back."""
        from vllm.distributed import cleanup_dist_env_and_memory

        self.llm.llm_engine.engine_core.shutdown()
        self.llm = None
        cleanup_dist_env_and_memory()
