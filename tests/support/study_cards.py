"""A folder of made-up cards that look like the study's, and manifests over them, for tests of what
a plan warns of.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from zoo.catalog import Catalog
from zoo.manifest.load import Manifest, load
from zoo.planning.expand import expand
from zoo.trials.trial import Trial

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _model(name: str, **said: Any) -> dict[str, Any]:
    pinned = {"repo": f"org/{name}", "revision": COMMIT, "eos_ids": [2]}
    return {"family": name, "prompt": "plain", "cap": 8192, "context": 32768} | pinned | said


CARDS: dict[str, dict[str, dict[str, Any]]] = {
    "models": {
        "llama": _model("llama", family="llama3.1", gated=True),
        "qwen": _model("qwen", family="qwen2.5", prompt="boxed", revision=None),
        "qwen-math": _model(
            "qwen-math", family="qwen2.5-math", prompt="boxed", context=4096, beta=1e-3
        ),
        "endless": _model("endless", eos_ids=[]),
    },
    "prompts": {
        "plain": {"template": "{problem}\nAnswer:"},
        "boxed": {"template": "{problem}\nBox the answer.", "asks_for_box": True},
    },
    "rewards": {
        "right": {"kind": "inverted", "params": {"right": 1, "wrong": 0}},
        "strict": {"kind": "gate", "needs_box": True},
        "stricter": {"kind": "gate", "params": {"otherwise": -1}, "needs_box": True},
    },
    "data": {
        "easy": {"pocket": {"level": "easy", "split": "train", "n": 100}},
        "hard": {"hub": {"repo": "org/hard", "files": ["train.parquet"]}},
        "mixed": {"built": {"parts": [{"data": "hard"}]}},
        "clean": {
            "pocket": {"level": "hard", "split": "train", "n": 100},
            "filters": {"overlap": ["held"]},
        },
    },
    "benchmarks": {
        "held": {
            "pocket": {"level": "hard", "split": "benchmark", "n": 500},
            "n": 500,
            "overlaps": {
                "hard": {"problems": 9, "how": "9 of the 500 are in it"},
                "clean": {"problems": 9, "how": "9 of the 500 are in it"},
                "easy": {"problems": 0, "how": "siblings of its problems"},
            },
        },
        "free": {"pocket": {"level": "easy", "split": "benchmark", "n": 500}, "n": 500},
    },
}
MANIFEST: dict[str, Any] = {
    "schema": "experiment/1",
    "name": "study",
    "question": "Does it warn?",
    "recipe": "pocket",
    "grid": {"model": ["llama"], "reward": ["right"], "data": ["easy"]},
    "seeds": [0, 1, 2],
    "rounds": 10,
    "evaluate": {"full": {"benchmarks": ["free"], "at": [0, "last"]}},
}


def write_cards(folder: Path) -> Catalog:
    """All of CARDS as files under `folder/cards`."""
    for kind, cards in CARDS.items():
        (folder / "cards" / kind).mkdir(parents=True, exist_ok=True)
        form = kind if kind == "data" else kind.removesuffix("s")
        for name, said in cards.items():
            text = yaml.safe_dump({"schema": f"{form}/1", "name": name} | said, sort_keys=False)
            (folder / "cards" / kind / f"{name}.yaml").write_text(text)
    return Catalog(folder / "cards")


def manifest(folder: Path, **said: Any) -> tuple[Manifest, list[Trial]]:
    """MANIFEST with some keys changed, and its trials; `grid` is changed axis by axis."""
    grid: Mapping[str, Any] = said.pop("grid", {})
    data = MANIFEST | {"grid": MANIFEST["grid"] | grid} | said
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    made = load(path)
    return made, expand(made, write_cards(folder))
