"""Token counts of prompts with a model's `tokenizer.json` and the package `tokenizers` alone.

TRL and evaluation call a transformers tokenizer with its defaults (trl 1.16 grpo_trainer.py:1758):
special tokens are added, nothing is truncated or padded. Where a folder has `tokenizer.json`,
transformers 5.17 takes vocabulary, merges and special tokens from it and ignores `add_bos_token`
(tokenization_utils_base.py:1779). The counts are what a trial gets; where transformers wraps that
vocabulary in another class (Llama 2), a text that begins with a space counts one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer

from zoo.errors import Fault, InputError

BATCH = 1024  # prompts that are encoded at once, on all cores


def count(file: Path, texts: Sequence[str]) -> Iterator[int]:
    """Tokens of each text by a `tokenizer.json`, special tokens included.

    Raises:
        InputError: the file cannot be read as a tokenizer.
    """
    tokenizer = _read(file)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # A lone surrogate is no text to a tokenizer; any other character is one, or a few bytes.
    left = (text.encode("utf-8", "replace").decode() for text in texts)
    while batch := list(islice(left, BATCH)):
        yield from map(len, tokenizer.encode_batch_fast(batch))


def decode(file: Path, ids: Sequence[Sequence[int]]) -> list[str]:
    """The text of each list of token ids by a `tokenizer.json`, without special tokens.

    Raises:
        InputError: the file cannot be read as a tokenizer.
    """
    return _read(file).decode_batch([list(row) for row in ids], skip_special_tokens=True)


def _read(file: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the package raises no narrower class
        found = f"cannot be read: {error}"
        raise InputError(Fault(str(file), found, "a tokenizer of Hugging Face")) from error


def decoder(file: Path) -> Callable[[Sequence[int]], str]:
    """A function that gives the text of token ids, without special tokens.

    Raises:
        InputError: the file cannot be read as a tokenizer.
    """
    tokenizer = _read(file)
    return lambda ids: tokenizer.decode(list(ids), skip_special_tokens=True)
