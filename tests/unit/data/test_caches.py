"""Caches of the data room are replaced like every file of the store: whole, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog, DataCard, ModelCard, PromptCard
from zoo.data import LocalResolver, references
from zoo.data.prompts import PromptLengths


def _digests(rows: DataCard, cache: Path) -> None:
    resolver = LocalResolver(cache)
    resolver.problems(rows)
    resolver.save()


def _prompts(rows: DataCard, cache: Path) -> None:
    catalog, lengths = Catalog(), PromptLengths(LocalResolver(cache))
    lengths.measure(catalog.get(ModelCard, "pocket-llama"), rows, catalog.get(PromptCard, "pocket"))
    lengths.save()


def _references(rows: DataCard, cache: Path) -> None:
    references.check(rows, "abc", cache)


@pytest.mark.parametrize(
    ("save", "name"),
    [
        (_digests, "digests.json"),
        (_digests, "questions/{digest}.content"),
        (_prompts, "prompts.json"),
        (_references, "references/abc.json"),
    ],
)
def test_cache_file_that_cannot_be_replaced_leaves_no_temporary_file(
    tmp_path: Path, save: Callable[[DataCard, Path], None], name: str
) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"problem": "1 + 1", "answer": "2"}))
    said = {"schema": "data/1", "name": "near", "local": {"path": str(tmp_path / "rows.jsonl")}}
    rows, cache = DataCard.model_validate(said), tmp_path / "cache"
    digest = LocalResolver().problems(rows)
    in_the_way = cache / name.format(digest=digest)
    (in_the_way / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        save(rows, cache)
    assert [path for path in cache.rglob("*") if path.name.endswith(".tmp")] == []
