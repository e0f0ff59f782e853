"""transformers inside the trial: generation with the trainer's weights, where vLLM cannot run.

Every response has its own random numbers, which depend only on a seed and its index: one number per
token, mapped through the inverse of the distribution function. The batch size and the device
therefore change no draw (only the rounding of the logits), and no generator of torch is used.
Warpers are applied in vLLM's order.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from zoo.data import Problem
from zoo.errors import FailureClass, TrialError
from zoo.evals.stages import Generation
from zoo.manifest.schema import Decoding
from zoo.trainer.policy import completion_text


def hide_vllm() -> None:
    """Make TRL not import vLLM, which may be installed and not work here. Call before anything else
    of TRL is imported."""
    utilities: Any = importlib.import_module("trl.import_utils")
    utilities.is_vllm_available = lambda min_version=None: False


def mixed_precision(grpo: dict[str, Any]) -> torch.dtype | None:
    """The precision that training with these settings of TRL computes in; None = the weights'."""
    if grpo.get("bf16"):
        return torch.bfloat16
    return torch.float16 if grpo.get("fp16") else None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; `temperature: 0` is greedy. Defaults are off."""

    temperature: float
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0


class Draw(LogitsProcessor):
    """Leaves one token per row: the one that the row's next random number selects.

    Args:
        uniforms: (B, T) float64 in [0, 1), one for each token that may come.
        mask: (B, P), 1 where `input_ids` has a token of the prompt and not padding.
    """

    def __init__(self, sampling: Sampling, uniforms: torch.Tensor, mask: torch.Tensor) -> None:
        self.sampling, self.uniforms, self.mask = sampling, uniforms, mask
        made: list[Any] = []
        if sampling.min_p:
            made.append(MinPLogitsWarper(sampling.min_p))
        if sampling.top_k:
            made.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1:
            made.append(TopPLogitsWarper(sampling.top_p))
        self.warpers = LogitsProcessorList(made)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """(B, V) logits -> 0 at the token drawn and minus infinity elsewhere; greedy: as they
        are."""
        said = self.sampling
        if said.repetition_penalty != 1:
            scores = torch.where(
                self._present(input_ids, scores.shape[1]),
                torch.where(
                    scores > 0, scores / said.repetition_penalty, scores * said.repetition_penalty
                ),
                scores,
            )
        if said.temperature == 0:
            return scores
        scores = self.warpers(input_ids, scores / said.temperature)
        cumulated = scores.double().softmax(dim=-1).cumsum(dim=-1)
        at = input_ids.shape[1] - self.mask.shape[1]
        wanted = self.uniforms[:, at : at + 1] * cumulated[:, -1:]
        drawn = torch.searchsorted(cumulated, wanted, right=True).clamp(max=scores.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)

    def _present(self, input_ids: torch.Tensor, vocabulary: int) -> torch.Tensor:
        """(B, V): tokens of prompt and response so far; padding is none."""
        mask = torch.ones_like(input_ids)
        mask[:, : self.mask.shape[1]] = self.mask
        counts = torch.zeros(len(input_ids), vocabulary, dtype=mask.dtype, device=mask.device)
        return counts.scatter_add(1, input_ids, mask) > 0


class Generator:
    """Generates with a model's current weights, `batch` responses at a time.

    Args:
        ends: ids that end a response.
        context: most tokens of prompt and response.
        dtype: of the mixed precision that the trainer computes in; None = as the weights.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        ends: Sequence[int],
        *,
        context: int,
        batch: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.model, self.tokenizer, self.ends = model, tokenizer, list(ends)
        self.context, self.batch, self.dtype = context, batch, dtype
        pad = tokenizer.pad_token_id
        self.pad = self.ends[0] if pad is None else pad
        self.around: Callable[[], AbstractContextManager[None]] = nullcontext
        """What surrounds each call, as where the model computes with other weights meanwhile."""

    def __call__(
        self,
        prompts: list[list[int]],
        sampling: Sampling,
        max_tokens: int,
        key: Sequence[int],
        first: int = 0,
    ) -> list[list[int]]:
        """One response a prompt, in order, with the id that ended it. `key`: seed of the random
        numbers, together with a response's index. `first`: index of the first one, where the
        prompts are a part of a larger set.

        Raises:
            TrialError: a prompt leaves no room for a response.
        """
        longest = max(map(len, prompts), default=0)
        if longest >= self.context:
            text = f"a prompt of {longest:,} tokens, and the model has room for {self.context:,}"
            raise TrialError(FailureClass.DATA, f"{text}; use shorter prompts (`filters`)")
        found: list[list[int]] = []
        with self._generating():
            for at in range(0, len(prompts), self.batch):
                rows = prompts[at : at + self.batch]
                found += self._some(rows, sampling, max_tokens, key, first + at)
        return found

    @contextmanager
    def _generating(self) -> Iterator[None]:
        """No gradients, no dropout, the trainer's precision; weights are cast once a call."""
        training, device = self.model.training, self.model.device.type
        self.model.eval()  # also sets gradient checkpointing aside, which has no cache
        try:
            with (
                self.around(),
                torch.no_grad(),
                torch.autocast(device, self.dtype, enabled=self.dtype is not None),
            ):
                yield
        finally:
            self.model.train(training)

    def _some(
        self,
        prompts: list[list[int]],
        sampling: Sampling,
        max_tokens: int,
        key: Sequence[int],
        first: int,
    ) -> list[list[int]]:
        width = max(map(len, prompts))
        room = [min(max_tokens, self.context - len(ids)) for ids in prompts]
        device, longest = self.model.device, max(room)
        ids = torch.tensor([[self.pad] * (width - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        rows = range(first, first + len(prompts))
        drawn = [np.random.default_rng([*key, row]).random(longest) for row in rows]
        uniforms = torch.from_numpy(np.stack(drawn)).to(device)
        made = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            logits_processor=LogitsProcessorList([Draw(sampling, uniforms, mask)]),
            generation_config=GenerationConfig(
                do_sample=False,  # `Draw` draws
                max_new_tokens=longest,
                eos_token_id=self.ends,
                pad_token_id=self.pad,
                use_cache=True,
                disable_compile=True,
            ),
        )
        found = made[:, width:].tolist()
        return [self._ended(row[:most]) for row, most in zip(found, room, strict=True)]

    def _ended(self, row: list[int]) -> list[int]:
        """A response up to the id that ended it."""
        end = next((i for i, token in enumerate(row) if token in self.ends), len(row))
        return row[: end + 1]


class TransformersSampler:
    """Samples for evaluation through a generator; see `zoo.evals.stages.Sampler`."""

    def __init__(self, generator: Generator) -> None:
        self.generator: Generator | None = generator

    def __call__(
        self,
        prompts: list[str],
        problems: list[Problem],
        decoding: Decoding,
        max_tokens: int,
        seed: int,
        first: int = 0,
    ) -> list[Generation]:
        """Implements `zoo.evals.stages.Sampler`; `first`: see `Generator`."""
        generator = self.generator
        assert generator is not None
        ids = [list(row) for row in generator.tokenizer(prompts)["input_ids"]]
        sampling = Sampling(decoding.temperature, decoding.top_p)
        found = generator(ids, sampling, max_tokens, (seed,), first)
        ends = set(generator.ends)
        return [
            Generation(
                completion_text(generator.tokenizer, row),
                row,
                "stop" if row[-1] in ends else "length",
            )
            for row in found
        ]

    def end(self) -> None:
        """Give the model's memory back."""
        self.generator = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
