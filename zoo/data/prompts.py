"""The longest prompt of a set of problems in tokens: measured once, cached in the run store.

A measurement belongs to a tokenizer (by content), a set of problems (by its files and filters) and
a prompt template. Reading the cache is light; `tokenizers` is imported only to measure. Where a
model has no `tokenizer.json`, the bytes of a prompt are the bound: no more tokens than bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.catalog import ModelCard, ProblemCard, PromptCard
from zoo.data import problems
from zoo.data.problems import Problem, render
from zoo.data.resolve import LocalResolver, model_folder, read_json
from zoo.errors import InputError
from zoo.store.run_store import write_text

TOKENIZER = "tokenizer.json"
AROUND = 4
"""Tokens that a tokenizer may put around a prompt: begin, end, a leading space."""


@dataclass(frozen=True, slots=True)
class Longest:
    """The longest prompt of (the first problems of) a set."""

    tokens: int
    id: str
    """Its problem."""
    exact: bool
    """False: `tokens` is an upper bound, as there is no tokenizer to measure with."""


class PromptLengths:
    """Longest prompts of one plan; cards are identified by kind and name."""

    def __init__(self, resolver: LocalResolver) -> None:
        self.resolver = resolver
        self._file = resolver.cache / "prompts.json" if resolver.cache else None
        self._known: dict[str, list[Any]] = (read_json(self._file) if self._file else None) or {}
        self._fresh = False
        self._rows: dict[tuple[str, str], str] = {}
        self._loaded: dict[tuple[str, str], list[Problem]] = {}
        self._tokenizers: dict[str, Path | None] = {}

    def known(
        self, model: ModelCard, card: ProblemCard, prompt: PromptCard, first: int | None = None
    ) -> Longest | None:
        """The longest prompt of the first `first` problems (None = all), or None where it was not
        measured. Light."""
        if not self._known:
            return None
        try:
            peaks = self._known.get(self._key(model, card, prompt))
        except InputError:
            return None  # model or problems are not on this machine
        return _longest(peaks, first, exact=self._tokenizer(model) is not None) if peaks else None

    def measure(
        self, model: ModelCard, card: ProblemCard, prompt: PromptCard, first: int | None = None
    ) -> Longest:
        """The longest prompt of the first `first` problems (None = all), measured or from the
        cache.

        Raises:
            InputError: model or problems are not on this machine, or cannot be read.
        """
        key = self._key(model, card, prompt)
        if key not in self._known:
            self._known[key] = _peaks(self.lengths(model, card, prompt))
            self._fresh = True
        return _longest(self._known[key], first, exact=self._tokenizer(model) is not None)

    def lengths(
        self, model: ModelCard, card: ProblemCard, prompt: PromptCard
    ) -> Iterator[tuple[Problem, int]]:
        """Every problem and its prompt's tokens, in order.

        Raises:
            InputError: as `measure`.
        """
        loaded = self._problems(card)
        texts = [render(prompt, problem) for problem in loaded]
        if (file := self._tokenizer(model)) is None:
            counts = (len(text.encode("utf-8", "replace")) + AROUND for text in texts)
        else:
            from zoo.data.tokens import count  # late: planning measures nothing

            counts = count(file, texts)
        return zip(loaded, counts, strict=True)

    def save(self) -> None:
        """Write what was measured into the cache."""
        if self._fresh and self._file is not None:
            entries = (read_json(self._file) or {}) | self._known
            write_text(self._file, json.dumps(entries), durable=False)
            self._fresh = False

    def _key(self, model: ModelCard, card: ProblemCard, prompt: PromptCard) -> str:
        """Tokenizer, problems and template, each by content."""
        name, file = _name(card), self._tokenizer(model)
        if name not in self._rows:
            self._rows[name] = self.resolver.rows(card)
        tokenizer = self.resolver.file(file)[:16] if file else "bytes"
        template = prompt.template.encode("utf-8", "surrogatepass")
        return f"{tokenizer}/{self._rows[name]}/{hashlib.sha256(template).hexdigest()[:16]}"

    def _tokenizer(self, model: ModelCard) -> Path | None:
        """A model's `tokenizer.json`, or None where its folder has none."""
        if model.name not in self._tokenizers:
            file = model_folder(model) / TOKENIZER
            self._tokenizers[model.name] = file if file.is_file() else None
        return self._tokenizers[model.name]

    def _problems(self, card: ProblemCard) -> list[Problem]:
        name = _name(card)
        if name not in self._loaded:
            self._loaded[name] = problems.load(card, self.resolver.cache)
        return self._loaded[name]


def _name(card: ProblemCard) -> tuple[str, str]:
    """A training set and a benchmark may share a name."""
    return type(card).__name__, card.name


def _peaks(lengths: Iterator[tuple[Problem, int]]) -> list[Any]:
    """[index, tokens, id] of each prompt that is longer than all before it: a dozen of 10,000; they
    give the longest of the first N for any N."""
    found: list[Any] = []
    for index, (problem, tokens) in enumerate(lengths):
        if not found or tokens > found[-1][1]:
            found.append([index, tokens, problem.id])
    return found


def _longest(peaks: list[Any], first: int | None, *, exact: bool) -> Longest:
    reached = [peak for peak in peaks if first is None or peak[0] < first]
    _, tokens, id_ = reached[-1]
    return Longest(tokens, id_, exact)
