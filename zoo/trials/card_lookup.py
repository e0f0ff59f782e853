"""Resolve what a manifest refers to: cards by name, inline cards (a folder, a file), and the files
behind them.

Collects faults instead of raising at the first, each with its position in the manifest, so that a
user sees all misspelt names at once.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Protocol, TypeVar

from zoo.catalog import (
    BenchmarkCard,
    Card,
    Catalog,
    DataCard,
    LocalSource,
    ModelCard,
    PromptCard,
    RewardCard,
)
from zoo.errors import Fault, InputError, suggestion
from zoo.manifest.load import Manifest
from zoo.manifest.schema import InlineData, InlineModel
from zoo.trials import identity
from zoo.trials.reward_lookup import reward_card
from zoo.yamlio.patterns import COMMIT
from zoo.yamlio.strict_yaml import KeyPath

C = TypeVar("C", bound=Card)
P = TypeVar("P", DataCard, BenchmarkCard)

LOOKED = "searched in the manifest's folder and the working folder"
HUB = "hf:"
HUB_PROMPT, HUB_CAP = "simple", 3072  # the study's prompt for weak models, its cap at 4K context


class Resolver(Protocol):
    """Looks up the files behind a card: digests by content, `unpinned` where not available without
    fetching, and the metadata in a model's own files.
    """

    def model(self, card: ModelCard) -> str:
        """Digest of the model's files."""
        ...

    def described(self, card: ModelCard) -> ModelCard:
        """The card, completed from the model's files: geometry, parameters,
        context, end tokens."""
        ...

    def problems(self, card: DataCard | BenchmarkCard) -> str:
        """Digest of the normalised problems."""
        ...

    def size(self, card: DataCard | BenchmarkCard) -> int | None:
        """Number of problems after the filters, or an upper bound; None where unknown."""
        ...


class Unpinned:
    """A resolver that reads no files."""

    def model(self, card: ModelCard) -> str:
        """Always `unpinned`."""
        return identity.UNPINNED

    def described(self, card: ModelCard) -> ModelCard:
        """The card, unchanged."""
        return card

    def problems(self, card: DataCard | BenchmarkCard) -> str:
        """Always `unpinned`."""
        return identity.UNPINNED

    def size(self, card: DataCard | BenchmarkCard) -> int | None:
        """The value in the card."""
        return card.stated_size


class Names:
    """The cards that one manifest uses, and the faults found so far."""

    def __init__(self, manifest: Manifest, catalog: Catalog, resolver: Resolver) -> None:
        self.manifest, self.catalog, self.resolver = manifest, catalog, resolver
        self.faults: list[Fault] = list(manifest.faults)
        self.wrong = 0
        """Number of faults, including those that follow from others and are not reported."""
        self._cards: dict[tuple[type[Card], str], Card] = {}
        self._digests: dict[tuple[str, str], str] = {}
        self._sizes: dict[tuple[str, str], int | None] = {}
        self.inline: dict[tuple[type[Card], str], dict[str, Any]] = {}
        """The inline models and problems of the manifest."""

    def fault(
        self, path: KeyPath, found: str, expected: str = "", hint: str = "", *, key: bool = False
    ) -> None:
        """Record a fault at a position in the manifest."""
        self.wrong += 1
        if self._follows(path):
            return
        self.faults.append(self.manifest.fault(path, found, expected, hint, key=key))

    def foreign(self, fault: Fault) -> None:
        """Remember a fault in another file than the manifest."""
        self.wrong += 1
        self.faults.append(fault)

    def _follows(self, path: KeyPath) -> bool:
        """Whether a fault may only be there because a part that was wrong in itself was left out of
        the manifest: one around the hole, or one about cells where axes have holes."""
        holes, path = self.manifest.holes, self.manifest.document.in_text(path)
        around = any(hole[: len(path)] == path for hole in holes)
        cells = any(hole[:1] in (("grid",), ("zip",), ("include",)) for hole in holes)
        decodings = any(hole[:2] == ("evaluate", "decoding") for hole in holes)
        about_cells = path == ("grid",) or path[:1] == ("exclude",) or "when" in path
        return around or (cells and about_cells) or (decodings and "decodings" in path)

    def unknown(self, path: KeyPath, found: str, word: str, known: list[str], *, key: bool) -> None:
        """Record a fault about a word that is not in `known`, with a suggestion."""
        hint = suggestion(word, known)
        self.fault(path, found, hint=hint, key=key)

    def stop_at_faults(self) -> None:
        """Raise all faults found so far, if there are any."""
        if self.faults:
            raise InputError(list(dict.fromkeys(self.faults)))

    def card(self, kind: type[C], name: str, path: KeyPath) -> C | None:
        """The named card, or None and a fault at `path`."""
        if (kind, name) not in self._cards:
            try:
                found = self._found(kind, name)
            except InputError as error:
                for fault in error.faults:
                    if Path(fault.place.partition(":")[0]).suffix in (".yaml", ".py"):
                        self.foreign(fault)  # the card itself is wrong, at a place of its own
                    else:
                        self.fault(path, fault.found, fault.expected, fault.hint)
                return None
            is_model = isinstance(found, ModelCard)
            self._cards[kind, name] = self.resolver.described(found) if is_model else found
        return self.known(kind, name)

    def _found(self, kind: type[C], name: str) -> Card:
        if kind is RewardCard:
            return reward_card(self.catalog, name)
        return self.catalog.get(kind, name)

    def known(self, kind: type[C], name: str) -> C:
        """A card that was resolved before, by name or inline."""
        found = self._cards[kind, name]
        assert isinstance(found, kind)
        return found

    def model(self, ref: str | InlineModel, path: KeyPath) -> str:
        """Name of a model, given by name, by `hf:org/name@commit`, or inline."""
        if isinstance(ref, str) and ref.startswith(HUB):
            ref = InlineModel(path=ref, prompt=HUB_PROMPT, cap=HUB_CAP)
        if isinstance(ref, str):
            card = self.card(ModelCard, ref, path)
            if card is not None:
                self.card(PromptCard, card.prompt, path)
                self.start(card, path)
            return ref
        self.card(PromptCard, ref.prompt, (*path, "prompt"))
        where = self._hub(ref.path, path) if ref.path.startswith(HUB) else self._folder(ref, path)
        name = ref.name or slug(ref.path.partition("@")[0])
        if where is not None:
            self.inline[ModelCard, name] = ref.model_dump(mode="json")
            said = ref.model_dump(include={"prompt", "stop_ids", "cap", "beta", "base"})
            card = ModelCard.model_validate({"schema": "model/1", "name": name} | where | said)
            card = self.resolver.described(card)
            if self._cards.get((ModelCard, name)) != card and self._free(ModelCard, name, path):
                self._cards[ModelCard, name] = card
                self.start(card, path)
        return name

    def start(self, card: ModelCard, path: KeyPath = ()) -> ModelCard:
        """The card of the model at round 0: the checkpoint's base, or the model itself."""
        if card.base is None:
            return card
        return self.card(ModelCard, card.base, path) or card

    def _hub(self, text: str, path: KeyPath) -> dict[str, Any] | None:
        """`hf:org/name@commit` as fields of a card."""
        repo, _, commit = text.removeprefix(HUB).partition("@")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
            self.fault(path, f"'{text}' names no model of the hub", "hf:org/name@commit")
        elif commit and not re.fullmatch(COMMIT, commit):
            expected = "a full commit of 40 hex digits (a branch or tag moves)"
            hint = f"`zoo models pin {HUB}{repo}` finds it"
            self.fault(path, f"'{commit}' is no commit", expected, hint)
        else:
            return {"repo": repo, "revision": commit or None}
        return None

    def _folder(self, ref: InlineModel, path: KeyPath) -> dict[str, Any] | None:
        """A local folder as fields of a card."""
        folder = self.manifest.find(ref.path)
        if folder is not None and os.path.isfile(folder / "config.json"):
            return {"path": str(folder)}
        found = f"no model folder at '{ref.path}'"
        expected = "a Hugging Face folder (config.json, safetensors, tokenizer)"
        self.fault((*path, "path"), found, expected, "" if folder else LOOKED)
        return None

    def problems(self, kind: type[P], ref: str | InlineData, path: KeyPath) -> str:
        """Name of a training set or benchmark, given by name or inline."""
        if isinstance(ref, str):
            self.card(kind, ref, path)
            return ref
        name = ref.name or slug(ref.path)
        file = self.manifest.find(ref.path)
        if file is None or not os.path.isfile(file):
            what = "a folder" if file and os.path.isdir(file) else "no regular file"
            found = f"'{ref.path}' is {what}" if file else f"no file at '{ref.path}'"
            self.fault((*path, "path"), found, "a jsonl or parquet file", "" if file else LOOKED)
            return name
        self.inline[kind, name] = ref.model_dump(mode="json")
        given = ref.model_dump(exclude={"name", "path", "columns", "gold"})
        form = "data/1" if kind is DataCard else "benchmark/1"
        source = LocalSource(path=str(file), columns=ref.columns, gold=ref.gold)
        card = kind.model_validate({"schema": form, "name": name, "local": source} | given)
        if self._cards.get((kind, name)) != card and self._free(kind, name, path):
            self._cards[kind, name] = card
        return name

    def digest(self, card: ModelCard | DataCard | BenchmarkCard) -> str:
        """Content digest of a card; the resolver is called once."""
        key = (type(card).__name__, card.name)
        if key not in self._digests:
            resolve = self.resolver.model if isinstance(card, ModelCard) else self.resolver.problems
            self._digests[key] = resolve(card)  # type: ignore[arg-type]
        return self._digests[key]

    def size(self, card: DataCard | BenchmarkCard) -> int | None:
        """Upper bound of the problems of a set; the resolver is called once."""
        key = (type(card).__name__, card.name)
        if key not in self._sizes:
            self._sizes[key] = self.resolver.size(card)
        return self._sizes[key]

    def _free(self, kind: type[Card], name: str, path: KeyPath) -> bool:
        taken = name in self.catalog.names(kind) or (kind, name) in self._cards
        if taken:
            self.fault(path, f"the name '{name}' is taken", hint="give it another with `name:`")
        return not taken


def slug(path: str) -> str:
    """A card-like name out of a path's last part."""
    last = path.rstrip("/").rsplit("/", 1)[-1].lower()
    last = last.removesuffix(".jsonl").removesuffix(".parquet")
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in last)
    return plain.strip("._-")[:60] or "local"
