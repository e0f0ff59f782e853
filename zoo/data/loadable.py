"""Faults of a complete model folder that would appear only when a trial loads it: an architecture
unknown to the installed transformers, or a tokenizer of another model.

The model types of transformers are read from its source; nothing of it is imported. A folder is
hostile input.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from zoo.catalog.model_config import Config, text_part
from zoo.data.resolve import read_json
from zoo.errors import Fault, did_you_mean, plain

TYPES = re.compile(r"^CONFIG_MAPPING_NAMES = .*?^\)", re.MULTILINE | re.DOTALL)
PLACES = ("auto_mappings.py", "configuration_auto.py")  # of transformers 5, of 4
USED = ("bos_token", "eos_token", "pad_token", "unk_token")


def faults(folder: Path) -> list[Fault]:
    """What loading a model folder would fail at; its files are there, see `model_folder`."""
    config = read_json(folder / "config.json") or {}
    return [*_type(folder / "config.json", config), *_vocabulary(folder, config)]


def _type(file: Path, config: Config) -> Iterator[Fault]:
    said, known = config.get("model_type"), known_types()
    expected = "a `model_type` that transformers knows, such as llama or qwen2"
    if not isinstance(said, str) or not said:
        found = "no `model_type`" if said is None else f"`model_type` is {plain(said)}"
        yield Fault(str(file), found, expected, "copy the config of the model's own repository")
    elif known and said not in known:
        hint = did_you_mean(said, sorted(known)) or "a trial could not load the model"
        yield Fault(str(file), f"`model_type` is '{said}'", expected, hint)


@cache
def known_types() -> frozenset[str]:
    """The `model_type`s of the installed transformers; none where it is not installed, or does not
    list them as expected."""
    spec = importlib.util.find_spec("transformers")  # finds it, imports nothing
    folders = spec.submodule_search_locations or [] if spec else []
    for file in (Path(folder, "models/auto", name) for folder in folders for name in PLACES):
        try:
            found = TYPES.search(file.read_text(encoding="utf-8"))
        except OSError:
            continue
        if found:
            return frozenset(re.findall(r'\(\s*"([^"]+)",', found[0]))
    return frozenset()


def _vocabulary(folder: Path, config: Config) -> Iterator[Fault]:
    """Token ids that a prompt may contain and for which the model has no embedding. Added tokens
    that no file names are left out: real models have some as image placeholders."""
    size = text_part(config).get("vocab_size")
    file = next((f for n in ("tokenizer.json", "vocab.json") if (f := folder / n).is_file()), None)
    if not isinstance(size, int) or isinstance(size, bool) or file is None:
        return
    ids = _ids(read_json(file) or {}, read_json(folder / "tokenizer_config.json") or {})
    if ids and (most := max(ids)) >= size:
        yield Fault(
            str(file),
            f"token ids up to {most:,}, and config.json has vocab_size {size:,}",
            f"ids below {size:,}",
            "take tokenizer and config of one model",
        )


def _ids(tokenizer: dict[str, Any], settings: dict[str, Any]) -> list[int]:
    """The ids of a vocabulary and of the added tokens that the settings name."""
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else tokenizer
    if isinstance(vocabulary, list):  # Unigram: pairs of piece and score, in the order of ids
        ids: list[Any] = [len(vocabulary) - 1] if vocabulary else []
    else:
        ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else []
    named = [token.get("content") if isinstance(token, dict) else token for token in _of(settings)]
    added = tokenizer.get("added_tokens")
    for token in added if isinstance(added, list) else ():
        if isinstance(token, dict) and token.get("content") in named:
            ids.append(token.get("id"))
    return [id_ for id_ in ids if isinstance(id_, int) and not isinstance(id_, bool)]


def _of(settings: dict[str, Any]) -> list[Any]:
    return [settings[name] for name in USED if settings.get(name)]
