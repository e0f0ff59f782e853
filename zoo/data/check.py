"""Check that a model folder is complete and is the model that its card describes.

Reads configuration, tokenizer and the headers of the weights; no weight is loaded, nothing is
imported from transformers. Fields that the folder does not state are not compared with the card.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.catalog import ModelCard
from zoo.catalog.model_config import FIELDS, Config, context_of, ends_of, text_part, usual
from zoo.data import loadable, weights
from zoo.data.resolve import read_json


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and its result."""

    ok: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'wrong':5}  {self.text}"


def check_model(card: ModelCard, folder: Path) -> list[Finding]:
    """Findings about a model folder, in the order in which loading would meet them."""
    config = read_json(folder / "config.json")
    if config is None:
        return [Finding(False, "config.json is not there or not JSON")]
    text = text_part(config)
    name = ", ".join(config.get("architectures") or []) or "no architecture named"
    findings = [Finding(True, f"config.json: {name}, context {context_of(text) or 'not stated'}")]
    findings += _weights(folder)
    findings += _tokenizer(folder)
    findings += [Finding(False, str(fault)) for fault in loadable.faults(folder)]
    generation = read_json(folder / "generation_config.json") or {}
    said = list(_against(card, text, ends_of(text, generation)))
    return findings + (said or [Finding(True, "config.json and card agree")])


def _weights(folder: Path) -> Iterator[Finding]:
    if missing := weights.missing(folder):
        yield Finding(False, f"weights missing: {', '.join(missing[:5])}")
    files = sorted(folder.glob("*.safetensors"))
    broken = [f"{file.name} {wrong}" for file in files if (wrong := weights.broken(file))]
    yield from (Finding(False, told) for told in broken)
    if files and not missing and not broken:
        size = sum(file.stat().st_size for file in files)
        yield Finding(True, f"{len(files)} safetensors file(s), {size:,} bytes, whole")
    for pickled in sorted([*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]):
        yield Finding(True, f"{pickled.name} is never read")


def _tokenizer(folder: Path) -> Iterator[Finding]:
    kinds = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
    found = next((k for k in kinds if all((folder / name).is_file() for name in k)), None)
    if found is None:
        yield Finding(False, "no tokenizer: expected tokenizer.json or tokenizer.model")
        return
    settings = read_json(folder / "tokenizer_config.json") or {}
    special = read_json(folder / "special_tokens_map.json") or {}
    end = settings.get("eos_token") or special.get("eos_token")
    end = end.get("content") if isinstance(end, dict) else end
    if end:
        yield Finding(True, f"{' + '.join(found)}, ends with {end!r}")
    else:
        yield Finding(False, f"{' + '.join(found)} names no end token: no response could ever end")


def _against(card: ModelCard, config: Config, ends: tuple[int, ...]) -> Iterator[Finding]:
    """Differences between the card and the files."""
    if card.geometry:
        said = card.geometry.model_dump()
        for field, key in FIELDS.items():
            found = config.get(key)
            found = usual(field, config) if found is None else found
            if found not in (None, said[field]):
                text = f"geometry.{field}: {found} in config.json, {said[field]} in the card"
                yield Finding(False, text)
    context = context_of(config)
    if card.context and context and card.context != context:
        yield Finding(False, f"context: {context} in config.json, {card.context} in the card")
    if card.eos_ids and ends and set(card.eos_ids) != set(ends):
        found = f"eos_ids: {list(ends)} in the model's files, {sorted(card.eos_ids)} in the card"
        yield Finding(False, found)
