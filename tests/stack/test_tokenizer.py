"""One tokenizer, three loaders: as built for pretraining, AutoTokenizer in a fresh process, and
vLLM.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice

import pytest

from zoo.data.resolve import EMBEDDED
from zoo.pocket.corpus import documents

MODELS = ("pocket-qwen2", "pocket-llama", "pocket-mistral")
LOADERS = """
import json, sys
from transformers import AutoTokenizer
from vllm.tokenizers import get_tokenizer
folders, texts = json.load(sys.stdin)
for folder in folders:
    print(json.dumps([AutoTokenizer.from_pretrained(folder)(texts)["input_ids"],
                      [get_tokenizer(folder).encode(t) for t in texts]]))
"""
TEXTS = [
    "Question: What is 7+8-3?\nAnswer: First, 7+8=15.\n\nQuestion:",
    "  two  spaces,\ttab\r\nnew line\n\n\nand 1234567890 \\boxed{42}.",
    "naïve café — ∑ 数学 🙂 \u0627\u0644\u062c\u0628\u0631 \x00 \ufffd",
]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return TEXTS + [document.text for document in islice(documents("test", slips=0.1), 50)]


@pytest.fixture(scope="module")
def built(texts: list[str]) -> list[list[int]]:
    from zoo.pocket.tokenizer import build

    return build()(texts)["input_ids"]


def test_every_loader_gives_the_ids_of_pretraining(
    texts: list[str], built: list[list[int]]
) -> None:
    folders = [str(EMBEDDED / name) for name in MODELS]
    done = subprocess.run(
        [sys.executable, "-c", LOADERS],
        input=json.dumps([folders, texts]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[[")]
    assert len(rows) == 3
    for auto, vllm in rows:
        assert auto == built
        assert vllm == built


def test_any_text_survives_encoding_and_decoding(built: list[list[int]], texts: list[str]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED / "pocket-llama")
    assert [tokenizer.decode(ids) for ids in built] == texts
