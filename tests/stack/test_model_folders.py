"""Model folders as people have them: each trains for a round and is measured, most of them in this
process with transformers generating, two with vLLM."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, Qwen2Config

from tests.support.trials import finish, manifest, start, trials_of, write_job
from zoo.catalog import Catalog, ComputeProfile
from zoo.data.resolve import EMBEDDED
from zoo.store import journal
from zoo.store import record as records
from zoo.store.run_store import Store
from zoo.train.entry import run
from zoo.trials.trial import Trial

TOKENIZER = EMBEDDED / "pocket-llama"
OWN = Catalog().get(ComputeProfile, "cpu-transformers")
SIZES: dict[str, Any] = {
    "vocab_size": len(json.loads((TOKENIZER / "tokenizer.json").read_text())["model"]["vocab"]),
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 1,
}


def write(folder: Path, kind: Any = LlamaConfig, shard: str = "5GB", **said: Any) -> Path:
    """A folder of a random model with the pocket models' tokenizer."""
    torch.manual_seed(0)
    sizes = SIZES | {"tie_word_embeddings": True} | said
    folder.mkdir(parents=True)
    model = AutoModelForCausalLM.from_config(kind(**sizes))
    model.save_pretrained(folder, max_shard_size=shard)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(TOKENIZER / name, folder / name)
    return folder


def change(file: Path, **said: Any) -> None:
    """Change keys of a JSON file; None takes one away."""
    found = json.loads(file.read_text()) | said
    file.write_text(json.dumps({k: v for k, v in found.items() if v is not None}))


def untied(top: Path) -> Path:
    return write(top / "model", Qwen2Config, tie_word_embeddings=False)


def sharded(top: Path) -> Path:
    folder = write(top / "model", shard="100KB", tie_word_embeddings=False)
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


def without_pad(top: Path) -> Path:
    folder = write(top / "model", pad_token_id=None)
    change(folder / "tokenizer_config.json", pad_token=None)
    return folder


def list_of_ends(top: Path) -> Path:
    return write(top / "model", eos_token_id=[7, 9])


def generation_config_at_odds(top: Path) -> Path:
    """Other end ids than the tokenizer's, and what would bend the sampling of whoever reads it:
    transformers does not even save it again."""
    folder = write(top / "model")
    said = {"eos_token_id": 9, "pad_token_id": 5, "temperature": 0.01, "repetition_penalty": 1.9}
    more = {"top_k": 1, "no_repeat_ngram_size": 1, "max_length": 9, "min_new_tokens": 30}
    (folder / "generation_config.json").write_text(json.dumps(said | more | {"do_sample": False}))
    return folder


def no_generation_config(top: Path) -> Path:
    folder = write(top / "model")
    (folder / "generation_config.json").unlink()
    return folder


def behind_links(top: Path) -> Path:
    """As the hub's cache has it: files are links to blobs, and the folder is behind one, too."""
    folder, blobs = write(top / "real"), top / "blobs"
    blobs.mkdir()
    for i, file in enumerate(sorted(folder.iterdir())):
        file.rename(blobs / str(i))
        file.symlink_to(Path("../blobs") / str(i))
    (top / "link").symlink_to(folder)
    return top / "link"


def odd_path(top: Path) -> Path:
    return write(top / "my models, 'né' #1 %20/a b")


def half_precision(top: Path) -> Path:
    folder = write(top / "model", tie_word_embeddings=False)
    half = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16)
    half.save_pretrained(folder)
    return folder


def no_cache_and_padded_vocabulary(top: Path) -> Path:
    return write(top / "model", use_cache=False, vocab_size=SIZES["vocab_size"] + 61)


def pickles_beside(top: Path) -> Path:
    folder = write(top / "model")
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    (folder / "optimizer.pt").write_bytes(b"never read")
    return folder


FOLDERS: list[Callable[[Path], Path]] = [
    *(untied, sharded, without_pad, list_of_ends, generation_config_at_odds),
    *(no_generation_config, behind_links, odd_path, half_precision),
    *(no_cache_and_padded_vocabulary, pickles_beside),
]


def trial_of(top: Path, make: Callable[[Path], Path]) -> Trial:
    card = {"path": str(make(top)), "prompt": "none", "cap": 24, "name": "mine"}
    path = manifest(
        top,
        model=f"[{json.dumps(card)}]",
        rounds=1,
        evaluate="{full: {benchmarks: [pocket-easy], problems: 8, at: [0, last]}}",
    )
    return trials_of(path)[0]


def ends_of(folder: Path) -> set[int]:
    return set(GenerationConfig.from_pretrained(folder).eos_token_id)


@pytest.mark.parametrize("make", FOLDERS, ids=lambda make: make.__name__)
def test_model_folder_trains_a_round(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    torch.set_num_threads(1)
    trial, store = trial_of(tmp_path, make), Store(tmp_path / "runs")
    assert run(write_job(trial, store, OWN)) == 0
    check(trial, store)


@pytest.mark.parametrize("make", [sharded, generation_config_at_odds], ids=lambda m: m.__name__)
def test_model_folder_trains_a_round_with_vllm(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    trial, store = trial_of(tmp_path, make), Store(tmp_path / "runs")
    finish(start(trial, store), trial, store)
    check(trial, store)


def check(trial: Trial, store: Store) -> None:
    """The trial is done and measured; its responses go on past what the folder's own settings would
    make of them, and end where they say; its weights load, with the same head as before."""
    folder = store.train(trial.id)
    record = records.read(folder)
    assert record is not None
    assert record.done(1)
    rows = journal.read(folder / "evals.jsonl")
    assert [(r["round"], r["decoding"]) for r in rows] == [
        (round_, name) for round_ in (0, 1) for name in ("t1.0", "t0")
    ]
    kept = folder / "checkpoints/round-0001"
    ends = ends_of(kept)
    said = trial.model.path or ""
    declared = json.loads((Path(said) / "config.json").read_text())["eos_token_id"]
    assert ends >= {0}  # the tokenizer's
    assert ends >= {declared} if isinstance(declared, int) else set(declared)
    rollouts = pq.read_table(folder / "rollouts/round-0001.parquet").to_pydict()
    lengths = [len(ids) for ids in rollouts["token_ids"]]
    assert max(lengths) == 24
    for ids, finish_ in zip(rollouts["token_ids"], rollouts["finish"], strict=True):
        assert (ids[-1] in ends) == (finish_ == "stop")
        assert not ends & set(ids[:-1])
    first = [ids[0] for ids in rollouts["token_ids"]]
    assert len(set(first)) > 2  # nobody's temperature of 0.01
    model = AutoModelForCausalLM.from_pretrained(kept)
    before = json.loads((Path(said) / "config.json").read_text())["tie_word_embeddings"]
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert tied == before
