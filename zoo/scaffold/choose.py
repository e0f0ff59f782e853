"""The values of `zoo init` options (a card, a path, a model of the hub), as a manifest refers to
them.

Of a file of problems, columns and form of the references are guessed from its first row.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from zoo.catalog import Catalog, DataCard, LocalSource, ModelCard, RewardCard
from zoo.catalog.cards import Gold
from zoo.catalog.problem_card import Columns
from zoo.data.resolve import LocalResolver
from zoo.errors import Fault, InputError, did_you_mean
from zoo.rewards.user import installed_names, load_user_reward
from zoo.scaffold.choice import Choice
from zoo.scaffold.manifest_text import FOLDER, flow, scalar
from zoo.trials.card_lookup import HUB, HUB_CAP, HUB_PROMPT, slug
from zoo.yamlio.patterns import NAME

PROBLEM = ("problem", "question", "prompt", "input", "query", "instruction")
ANSWER = ("answer", "solution", "reference", "target", "output", "response")
ROW_BYTES = 2**20


def model(word: str, catalog: Catalog, resolver: LocalResolver) -> Choice:
    """A model card, a Hugging Face folder, or `hf:org/name[@commit]`.

    Raises:
        InputError: there is none.
    """
    if word.startswith(HUB):
        if not re.fullmatch(r"hf:[\w.-]+/[\w.-]+(@[0-9a-f]{40})?", word):
            found, expected = f"'{word}' names no model of the hub", "hf:org/name@commit"
            raise InputError(Fault("--model", found, expected, "a full commit of 40 hex digits"))
        return Choice(slug(word.partition("@")[0]), scalar(word))
    if not _is_path(word, ()):
        _must_be(word, "model", catalog.names(ModelCard), "a folder as ./FOLDER")
        card = resolver.described(catalog.get(ModelCard, word))
        return Choice(word, scalar(word), card.parameters)
    folder = Path(word)
    if not (folder / "config.json").is_file():
        expected = "a Hugging Face folder (config.json, safetensors, tokenizer)"
        raise InputError(Fault("--model", f"no model folder at '{word}'", expected))
    name, said = _own_name(word, catalog.names(ModelCard)), {"prompt": HUB_PROMPT}
    card = ModelCard.model_validate(
        {"schema": "model/1", "name": name, "path": str(folder.resolve()), "cap": HUB_CAP} | said
    )
    card = resolver.described(card)
    said |= {"cap": min(HUB_CAP, card.context // 2 if card.context else HUB_CAP)}
    return Choice(name, flow(_place(word, name) | said), card.parameters)


def data(word: str, catalog: Catalog, resolver: LocalResolver) -> Choice:
    """A data card, or a file of problems.

    Raises:
        InputError: there is none, or its rows cannot be read.
    """
    if not _is_path(word, (".jsonl", ".parquet")):
        _must_be(word, "data", catalog.names(DataCard), "a file as ./FILE.jsonl")
        return Choice(word, scalar(word), problems=resolver.size(catalog.get(DataCard, word)))
    file = Path(word)
    if not file.is_file():
        found = f"'{word}' is a folder" if file.is_dir() else f"no file at '{word}'"
        raise InputError(Fault("--data", found, "a jsonl or parquet file"))
    name = _own_name(word, catalog.names(DataCard))
    columns, gold = _columns(file)
    source = LocalSource(path=str(file.resolve()), columns=columns, gold=gold)
    card = DataCard.model_validate({"schema": "data/1", "name": name, "local": source})
    said = {"columns": columns.model_dump(exclude_none=True), "gold": gold}
    return Choice(name, flow(_place(word, name) | said), problems=resolver.size(card))


def reward(word: str, catalog: Catalog, resolver: LocalResolver) -> Choice:
    """A reward card, or a Python file.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    if Path(word).suffix == ".py":
        return Choice(name := load_user_reward(word).card.name, scalar(name), file=word)
    names = catalog.names(RewardCard) + installed_names()
    _must_be(word, "reward", names, "a function of your own as FILE.py")
    return Choice(word, scalar(word))


def _must_be(word: str, axis: str, names: list[str], else_: str) -> None:
    if word not in names:
        hint = did_you_mean(word, names) or f"available: {', '.join(names)}; {else_}"
        raise InputError(Fault(f"--{axis}", f"unknown {axis} '{word}'", hint=hint))


def _is_path(word: str, suffixes: tuple[str, ...]) -> bool:
    return os.sep in word or Path(word).suffix in suffixes


def _own_name(path: str, taken: list[str]) -> str:
    """A name for a path, which no card has."""
    name = slug(str(Path(path).resolve()))
    return f"my-{name}"[:64] if name in taken or not re.fullmatch(NAME, name) else name


def _place(path: str, name: str) -> dict[str, Any]:
    """A path as the manifest has it, and its name where that does not follow from it."""
    said = {"path": path if os.path.isabs(path) else os.path.relpath(path, FOLDER)}
    return said | ({"name": name} if slug(said["path"]) != name else {})


def _columns(file: Path) -> tuple[Columns, Gold]:
    """Which columns of a file hold problem and reference, and how the reference is read; the
    manifest's defaults where its first row is unclear."""
    try:
        with file.open("rb") as stream:
            row = json.loads(stream.readline(ROW_BYTES))
    except (OSError, ValueError, RecursionError):
        return Columns(), "as-is"
    if not isinstance(row, dict):
        return Columns(), "as-is"
    problem = next((key for key in PROBLEM if key in row), "problem")
    answer = next((key for key in ANSWER if key in row and key != problem), "answer")
    text = str(row.get(answer, ""))
    gold: Gold = "gsm8k" if "####" in text else "last-box" if r"\boxed" in text else "as-is"
    return Columns(problem=problem, answer=answer), gold
