"""A model folder of a given architecture with random weights and a synthetic tokenizer.

The architecture is that of the card's `config.json`, so size, layers and vocabulary equal those of
the real model; nothing else does. Equal seeds give equal weights. Each id below the vocabulary's
size decodes to a distinct text that is not empty: ASCII characters, synthetic words, and the end
token at its own id. Text beyond ASCII has no tokens and is left out of prompts.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from string import ascii_lowercase as LETTERS
from typing import Any

from zoo.catalog import ModelCard
from zoo.catalog.model_card import RandomWeights
from zoo.data.loadable import known_types
from zoo.data.resolve import random_folder
from zoo.errors import Fault, InputError, did_you_mean

END = "<|endoftext|>"
WORD = 5
"""Letters of a synthetic word, which begins with a space: more words than any vocabulary has."""


def draw(card: ModelCard, said: RandomWeights) -> Path:
    """Draw a card's random weights and write them atomically into their folder, which is returned.

    Raises:
        InputError: an architecture that transformers does not have or cannot create.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    type_, known = str(said.config.get("model_type")), known_types()
    if known and type_ not in known:
        found = f"random_weights.config: `model_type` is '{type_}'"
        raise InputError(Fault(card.name, found, hint=did_you_mean(type_, sorted(known))))
    try:
        rest = {name: value for name, value in said.config.items() if name != "model_type"}
        config: Any = AutoConfig.for_model(type_, **rest)
        torch.manual_seed(said.seed)
        model: Any = AutoModelForCausalLM.from_config(config)
    except (TypeError, ValueError, ArithmeticError) as error:
        found = f"random_weights.config defines no valid model: {error}"
        raise InputError(Fault(card.name, found, hint="copy a config.json of the hub")) from error
    folder = random_folder(card, said)
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    model.generation_config.eos_token_id = list(card.eos_ids)
    model.save_pretrained(beside, safe_serialization=True)
    save_tokenizer(beside, config.vocab_size, card.eos_ids[0], card.context)
    shutil.rmtree(folder, ignore_errors=True)  # incomplete, cannot be loaded
    beside.rename(folder)
    return folder


def save_tokenizer(folder: Path, size: int, end: int, context: int | None) -> None:
    """Write a tokenizer of `size` ids in the form of Qwen2's, which transformers rebuilds
    identically for any architecture (see `zoo.pocket.tokenizer`)."""
    from transformers import Qwen2Tokenizer

    Qwen2Tokenizer(
        vocab=vocabulary(size, end),
        merges=[],
        unk_token=END,
        eos_token=END,
        pad_token=END,
        model_max_length=context,
    ).save_pretrained(folder)


def vocabulary(size: int, end: int) -> dict[str, int]:
    """Token -> id: the ASCII characters as byte-level BPE writes them, then words that occur in no
    prompt; the end token at `end`."""
    texts = [_written(code) for code in range(128)]
    texts += [f"{_written(32)}{_word(id_)}" for id_ in range(128, size)]
    texts[end] = END
    return {text: id_ for id_, text in enumerate(texts[:size])}


def _written(code: int) -> str:
    """An ASCII character in the alphabet of byte-level BPE, where blanks and controls are moved
    (`bytes_to_unicode` of GPT-2)."""
    if code == 127:
        return chr(256 + 33)
    return chr(code) if code > 32 else chr(256 + code)


def _word(number: int) -> str:
    found = ""
    for _ in range(WORD):
        number, letter = divmod(number, len(LETTERS))
        found = LETTERS[letter] + found
    return found
