"""Rebuild a pocket model: `python -m zoo.pocket.pretrain pocket-llama --out FOLDER`.

Plain next-token training on the corpus, one thread, fixed seeds: the same machine gives the same
weights. Run, never imported: everything heavy of the pocket zoo is here.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, MistralConfig, PreTrainedConfig, Qwen2Config

from zoo.pocket import tokenizer as pocket_tokenizer
from zoo.pocket.corpus import documents

BATCH = 24  # documents a step
PARTS = 3  # of a batch, each padded by itself
WARMUP = 200  # steps
MODEL_FOLDER = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Build:
    """The recipe of one pocket model: architecture, size, steps, and error rates of its training
    text."""

    config: type[PreTrainedConfig]
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    steps: int
    slips: float
    learning_rate: float = 3e-3


# From the strongest to the weakest; head_dim is 32, the smallest that vLLM's CPU kernels take.
BUILDS = {
    "pocket-qwen2": Build(Qwen2Config, 128, 3, 4, 2, 5000, 0.05),
    "pocket-llama": Build(LlamaConfig, 96, 3, 3, 1, 6000, 0.08),
    "pocket-mistral": Build(MistralConfig, 64, 3, 2, 1, 4500, 0.12),
}


def make_config(build: Build, vocab_size: int, end_id: int, pad_id: int) -> PreTrainedConfig:
    """The Hugging Face config of a build, every field that matters stated."""
    return build.config(
        vocab_size=vocab_size,
        hidden_size=build.hidden,
        intermediate_size=3 * build.hidden,
        num_hidden_layers=build.layers,
        num_attention_heads=build.heads,
        num_key_value_heads=build.kv_heads,
        head_dim=build.hidden // build.heads,
        initializer_range=0.1,  # about 1/sqrt(hidden); the usual 0.02 learns far more slowly here
        max_position_embeddings=pocket_tokenizer.CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end_id,
        pad_token_id=pad_id,
        dtype="float32",
    )


def batches(name: str, tokenizer: Any, slips: float) -> Iterator[list[torch.Tensor]]:
    """Yield batches of `BATCH` documents as `PARTS` tensors of ids (documents, tokens).

    Within a batch, documents are sorted by length, to pad little (on the right). Batches themselves
    are as drawn: batches of one length would be batches of one style, and pull the model about.
    """
    stream, end, pad = documents(name, slips), tokenizer.eos_token_id, tokenizer.pad_token_id
    while True:
        drawn = list(islice(stream, BATCH))
        rows = tokenizer([document.text for document in drawn]).input_ids
        rows = [[*ids, end] if d.ended else ids for d, ids in zip(drawn, rows, strict=True)]
        rows.sort(key=len)
        size = BATCH // PARTS
        parts = [rows[start : start + size] for start in range(0, BATCH, size)]
        yield [torch.tensor([r + [pad] * (len(p[-1]) - len(r)) for r in p]) for p in parts]


def pretrain(name: str, out: Path, steps: int | None = None) -> None:
    """Train `name` from nothing and save model and tokenizer into `out` (float32 safetensors)."""
    from transformers import AutoModelForCausalLM

    build = BUILDS[name]
    steps = steps or build.steps
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(20250324)
    tokenizer = pocket_tokenizer.build()
    config = make_config(build, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id)
    model = AutoModelForCausalLM.from_config(config)
    print(
        f"{name}: {sum(p.numel() for p in model.parameters()):,} parameters, {steps} steps",
        flush=True,
    )
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=build.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: (
            min(1.0, (s + 1) / WARMUP)
            * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(s / steps, 1))))
        ),
    )
    started, running = time.monotonic(), 0.0
    for step, parts in enumerate(islice(batches(name, tokenizer, build.slips), steps), start=1):
        total = 0.0
        tokens = sum(int(torch.count_nonzero(ids != tokenizer.pad_token_id)) for ids in parts)
        for ids in parts:  # causal and padded right: no row sees its padding
            labels = ids.masked_fill(ids == tokenizer.pad_token_id, -100)
            loss = model(input_ids=ids, labels=labels, num_items_in_batch=tokens).loss
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        running = total if step == 1 else 0.99 * running + 0.01 * total
        if step % 250 == 0 or step == steps:
            print(
                f"step {step:5d}  loss {running:.4f}  {time.monotonic() - started:6.0f} s",
                flush=True,
            )
            model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """Command line: arguments in, a model folder out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=BUILDS)
    parser.add_argument("--out", type=Path, help="folder of the model (default: the package's own)")
    parser.add_argument("--steps", type=int, help="fewer steps, to try things")
    arguments = parser.parse_args()
    pretrain(arguments.name, arguments.out or MODEL_FOLDER / arguments.name, arguments.steps)


if __name__ == "__main__":
    main()
