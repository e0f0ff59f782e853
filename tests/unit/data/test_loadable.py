"""What a trial would fail to load is refused before it starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_folders import write_model
from zoo.catalog import ModelCard
from zoo.data import loadable
from zoo.data.check import check_model
from zoo.data.resolve import EMBEDDED


def told(folder: Path) -> list[str]:
    """The faults of a folder, from the file's name on."""
    return [str(fault).removeprefix(f"{folder}/") for fault in loadable.faults(folder)]


@pytest.mark.parametrize("name", ["pocket-qwen2", "pocket-llama", "pocket-mistral"])
def test_embedded_models_have_nothing_that_loading_would_fail_at(name: str) -> None:
    assert loadable.faults(EMBEDDED / name) == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (None, "no `model_type`"),
        (7, "`model_type` is 7"),
        ("", "`model_type` is "),
        ([], "`model_type` is []"),
    ],
)
def test_config_without_a_model_type_is_a_fault(tmp_path: Path, said: Any, found: str) -> None:
    folder = write_model(tmp_path / "m", model_type=said)
    (fault,) = told(folder)
    assert fault.startswith(f"config.json: {found}; expected a `model_type` that transformers")


def test_model_type_that_transformers_does_not_know_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "transformers/models/auto"
    package.mkdir(parents=True)
    (tmp_path / "transformers/__init__.py").write_text("raise RuntimeError('imported')\n")
    text = (
        'CONFIG_MAPPING_NAMES = OrderedDict(\n    [\n        ("llama", "LlamaConfig"),\n    ]\n)\n'
    )
    (package / "auto_mappings.py").write_text(text + 'OTHER = OrderedDict([("lama", "x")]\n)\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    loadable.known_types.cache_clear()
    try:
        assert told(write_model(tmp_path / "m")) == []
        assert told(write_model(tmp_path / "other", model_type="lama")) == [
            "config.json: `model_type` is 'lama'; expected a `model_type` that transformers knows, "
            "such as llama or qwen2; did you mean 'llama'?"
        ]
    finally:
        loadable.known_types.cache_clear()


def bpe(most: int) -> dict[str, Any]:
    return {"model": {"type": "BPE", "vocab": {"a": 0, "b": most}}}


def added(id_: int, content: str) -> dict[str, Any]:
    return bpe(5) | {"added_tokens": [{"id": id_, "content": content}]}


@pytest.mark.parametrize(
    ("name", "tokenizer", "most"),
    [
        ("tokenizer.json", bpe(32), 32),
        ("tokenizer.json", added(40, "</s>"), 40),
        ("tokenizer.json", {"model": {"vocab": [["a", -1.0]] * 40}}, 39),
        ("vocab.json", {"a": 33}, 33),
    ],
)
def test_tokenizer_with_ids_beyond_the_vocabulary_is_a_fault(
    tmp_path: Path, name: str, tokenizer: dict[str, Any], most: int
) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    (folder / name).write_text(json.dumps(tokenizer))
    (fault,) = told(folder)
    assert fault == (
        f"{name}: token ids up to {most}, and config.json has vocab_size 32; expected ids below "
        "32; take tokenizer and config of one model"
    )
    card = ModelCard.model_validate(
        {"schema": "model/1", "name": "tiny", "path": "x", "prompt": "none", "cap": 64}
    )
    assert any(fault in f.text for f in check_model(card, folder) if not f.ok)


@pytest.mark.parametrize(
    "tokenizer",
    [
        bpe(31),
        added(32, "<image>"),  # as of real models: no text holds it
        {},
        {"model": []},
        {"model": {"vocab": 3}},
        {"model": {"vocab": {"a": True, "b": None}}, "added_tokens": [1, {"content": "</s>"}]},
    ],
)
def test_tokenizer_within_the_vocabulary_or_of_unknown_form_is_no_fault(
    tmp_path: Path, tokenizer: dict[str, Any]
) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert told(folder) == []
