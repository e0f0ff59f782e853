"""The one tokenizer of the pocket models: byte-level BPE in the exact form of Qwen2's, so that
loaders rebuild it right.

Transformers 5 rebuilds a tokenizer from the model type and the class named in
`tokenizer_config.json`, and silently ignores a custom pre-tokenizer. Qwen2's pipeline (NFC, digits
one by one, bytes as a fallback) is what pocket text needs anyway; naming that class with each of
the three architectures gives the same ids everywhere (tested).
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

from zoo.pocket.corpus import documents

END, PAD = "<|endoftext|>", "<|pad|>"
VOCAB_SIZE = 448
CONTEXT = 2048


def build(n_documents: int = 20_000):
    """Train the tokenizer on the corpus; returns a `Qwen2Tokenizer`."""
    from tokenizers import trainers
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    blank = Qwen2Tokenizer(vocab={END: 0}, merges=[], pad_token=PAD).backend_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[END, PAD],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (document.text for document in islice(documents("tokenizer", slips=0.1), n_documents))
    blank.train_from_iterator(texts, trainer)
    model = json.loads(blank.to_str())["model"]
    return Qwen2Tokenizer(
        vocab=model["vocab"],
        merges=[tuple(pair) for pair in model["merges"]],
        unk_token=END,
        eos_token=END,
        pad_token=PAD,
        model_max_length=CONTEXT,
    )


def save(folder: Path) -> None:
    """Write the tokenizer's files into `folder`."""
    build().save_pretrained(folder)
