"""Files of a tiny model, as a hub repository or a local folder has them: real headers, no use."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 16,
    "vocab_size": 32,
    "tie_word_embeddings": True,
    "max_position_embeddings": 128,
    "eos_token_id": 3,
}
GEOMETRY = "{layers: 2, hidden: 8, heads: 2, kv_heads: 1, head_dim: 4, ffn: 16, vocab: 32, tied: "
CARD = f"""schema: model/1
name: tiny
repo: org/tiny # where it is
revision: null # not yet
geometry: {GEOMETRY}true}}
context: 128
prompt: none
cap: 64
eos_ids: [3]
"""


def safetensors(count: int) -> bytes:
    """A safetensors file of `count` zeros."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}})
    return struct.pack("<Q", len(header)) + header.encode() + bytes(4 * count)


def model_files(shards: int = 2, **config: Any) -> dict[str, bytes]:
    """Path -> bytes of a whole model, with what must not be fetched beside it."""
    names = [f"model-{i:05}-of-{shards:05}.safetensors" for i in range(1, shards + 1)]
    index = {"weight_map": {f"w{i}": name for i, name in enumerate(names)}}
    files: dict[str, Any] = {
        "config.json": CONFIG | config,
        "generation_config.json": {"eos_token_id": [3]},
        "model.safetensors.index.json": index,
        "tokenizer.json": {"version": "1.0"},
        "tokenizer_config.json": {"eos_token": {"content": "</s>"}},
    }
    return {
        **{name: json.dumps(value).encode() for name, value in files.items()},
        **{name: safetensors(100 + i) for i, name in enumerate(names)},
        "README.md": b"# tiny",
        "pytorch_model.bin": b"pickle" * 50,
        "consolidated.safetensors": safetensors(9999),
        "original/params.json": b"{}",
        "onnx/model.onnx": b"onnx",
        "modeling_tiny.py": b"raise SystemExit",
    }


def write_model(folder: Path, **config: Any) -> Path:
    """A whole model folder."""
    folder.mkdir(parents=True)
    for name, body in model_files(**config).items():
        if "/" not in name and name.endswith((".json", ".safetensors")):
            (folder / name).write_bytes(body)
    (folder / "consolidated.safetensors").unlink()
    return folder


def write_smallest_model(folder: Path, weights: int = 1) -> Path:
    """The least that passes for a model folder: `weights` zeros, an empty configuration."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(safetensors(weights))
    return folder
