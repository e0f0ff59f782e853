"""A policy in transformers: load model and tokenizer from a folder, decode a response, store
weights.

A folder's `generation_config.json` has defaults for chat. Only its end ids are used: its
temperature and penalties are not the trial's, and transformers refuses to save some of the values
that it accepts there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from zoo.errors import FailureClass, TrialError


def load_policy(folder: Path, stop_ids: Iterable[int]) -> tuple[Any, Any]:
    """Model (float32) and tokenizer from a local folder. The model's end ids are those of tokenizer
    and model, and `stop_ids`.

    Raises:
        TrialError: the tokenizer names no end token.
    """
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.eos_token_id is None:
        raise TrialError(
            FailureClass.CONFIG,
            f"{folder}: the tokenizer names no end token; no response could ever end",
        )
    said = model.generation_config.eos_token_id
    ends = [said] if isinstance(said, int) else list(said or [])
    ends = list(dict.fromkeys([tokenizer.eos_token_id, *ends, *stop_ids]))
    model.generation_config = GenerationConfig(eos_token_id=ends)
    return model, tokenizer


def end_ids(model: Any) -> list[int]:
    """The ids that end a response of a model of `load_policy`."""
    return list(model.generation_config.eos_token_id)


def save_weights(model: Any, dtype: str, folder: Path, state: Any = None) -> None:
    """Save a policy as the engine sees it (`dtype` is the profile's `engine_dtype`), in
    safetensors: evaluated later, it gives what the live engine gives. `state`: the full weights,
    where the model has only a shard.
    """
    config = copy.deepcopy(model.config)
    state = model.state_dict() if state is None else state
    if dtype != "auto":
        config.dtype = getattr(torch, dtype)
        state = {name: value.to(config.dtype) for name, value in state.items()}
    model.save_pretrained(folder, state_dict=state, safe_serialization=True)
    config.save_pretrained(folder)


def completion_text(tokenizer: Any, token_ids: Sequence[int]) -> str:
    """The text of a response that is graded, in training and in evaluation alike: all of its tokens
    but special ones. A token of text that ends a response (`}.`) is part of it."""
    return tokenizer.decode(token_ids, skip_special_tokens=True)
