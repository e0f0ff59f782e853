"""Look up cards by name: the package's folders first, then the user's (`./cards`, `--cards DIR`),
which win.

The file name is the card's name; a card with another name inside is refused. Misspelt names get a
suggestion. A card is returned complete: the cards that it names are in it, and a relative path is
made absolute from the folder of its file.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from zoo.catalog.cards import Card, PromptCard, RecipeCard, RewardCard
from zoo.catalog.model_card import ModelCard
from zoo.catalog.problem_card import BenchmarkCard, DataCard, ProblemCard
from zoo.catalog.profile import ComputeProfile
from zoo.errors import Fault, InputError, suggestion
from zoo.yamlio import strict_yaml
from zoo.yamlio.strict_yaml import Document
from zoo.yamlio.validate import validate

FOLDERS: dict[type[Card], str] = {
    ModelCard: "models",
    DataCard: "data",
    RewardCard: "rewards",
    RecipeCard: "recipes",
    BenchmarkCard: "benchmarks",
    PromptCard: "prompts",
    ComputeProfile: "profiles",
}
BY_CATALOG = frozenset({"uses", "code"})
"""Fields that are set on loading, and that no file may set."""
C = TypeVar("C", bound=Card)


class Catalog:
    """All cards of the package and of the user's folders, which are read on demand, and cards
    without a file (`made`)."""

    def __init__(self, *folders: Path, made: Iterable[Card] = ()) -> None:
        self.folders = (Path(__file__).parent, *folders)
        self._made = {(type(card), card.name): card for card in made}
        self._documents: dict[tuple[type[Card], str], Document] = {}
        self._open: list[tuple[type[Card], str]] = []  # cards that are being read, outermost first

    @cached_property
    def _files(self) -> dict[str, dict[str, Path]]:
        return {
            kind: {
                file.stem: file
                for top in self.folders
                for file in sorted((top / kind).glob("*.yaml"))
            }
            for kind in FOLDERS.values()
        }

    def names(self, kind: type[Card]) -> list[str]:
        """Names of all cards of a kind, sorted."""
        made = [name for of, name in self._made if of is kind]
        return sorted([*self._files[FOLDERS[kind]], *made])

    def made(self, kind: type[Card], name: str) -> bool:
        """Whether it is a card without a file."""
        return (kind, name) in self._made

    def file(self, kind: type[Card], name: str, place: str = "") -> Path:
        """The file of a card. `place`: where it was named, such as an option of a command.

        Raises:
            InputError: no such card, with a suggestion.
        """
        file = self._files[FOLDERS[kind]].get(name)
        if file is None:
            known = self.names(kind)
            hint = suggestion(name, known)
            raise InputError(
                Fault(place or noun(kind), f"unknown {noun(kind)} '{name}'", hint=hint)
            )
        return file

    def document(self, kind: type[Card], name: str) -> Document:
        """The content of a card's file, with the position of every value.

        Raises:
            InputError: no such card, or a file that is not YAML.
        """
        if (kind, name) not in self._documents:
            self._documents[kind, name] = strict_yaml.read(self.file(kind, name))
        return self._documents[kind, name]

    def get(self, kind: type[C], name: str, place: str = "") -> C:
        """The card of that kind and name. `place`: what named it, such as an option of a command.

        Raises:
            InputError: no such card (with a suggestion), a file that is not a card of this kind, or
                a card that names one of these.
        """
        if isinstance(found := self._made.get((kind, name)), kind):
            return found
        file, document = self.file(kind, name, place), self.document(kind, name)
        said = document.data if isinstance(document.data, dict) else {}
        for key in BY_CATALOG.intersection(kind.model_fields, said):
            raise InputError(document.fault((key,), f"unknown key '{key}'", key=True))
        card = validate(kind, document)
        if card.name != name:
            raise InputError(
                Fault(str(file), f"the card calls itself '{card.name}'", f"'{name}', as its file")
            )
        placed = _placed(card, file.parent)
        if isinstance(card, ProblemCard):
            placed["uses"] = self._uses(card, document)
        return card.model_copy(update=placed)

    def check_stand_in(self, kind: type[Card], name: str) -> None:
        """Check that `stand_in` names an existing pocket card: only those embedded in the package
        are small enough for any machine.

        Raises:
            InputError: another card, or none; placed in the file.
        """
        document, known = self.document(kind, name), self.names(kind)
        said = document.data.get("stand_in") if isinstance(document.data, dict) else None
        if said is None or (said in known and self._is_pocket(kind, said)):
            return
        pockets = [each for each in known if self._is_pocket(kind, each)]
        found = f"unknown {noun(kind)} '{said}'"
        if said in known:
            found = f"'{said}' is none of zoo's pocket {FOLDERS[kind]}"
        hint = suggestion(said, pockets)
        raise InputError(document.fault(("stand_in",), found, hint=hint))

    def _is_pocket(self, kind: type[Card], name: str) -> bool:
        """Whether a card's file refers to files inside the package."""
        said = self.document(kind, name).data
        return isinstance(said, dict) and bool(said.get("embedded") or said.get("pocket"))

    def _uses(self, card: ProblemCard, document: Document) -> tuple[Card, ...]:
        """The cards that a set of problems names, whole."""
        found: dict[tuple[type[Card], str], Card] = {}
        for kind, name, path in card.named():
            if (kind, name) in found:
                continue
            if name not in self._files[FOLDERS[kind]]:
                known = self.names(kind)
                hint = suggestion(name, known)
                raise InputError(document.fault(path, f"unknown {noun(kind)} '{name}'", hint=hint))
            if (kind, name) in self._open:
                raise InputError(document.fault(path, f"'{name}' is built from itself"))
            self._open.append((kind, name))
            try:
                found[kind, name] = self.get(kind, name)
            finally:
                self._open.pop()
        return tuple(found.values())


def noun(kind: type[Card]) -> str:
    """What a card of this kind is called in messages."""
    return "data" if kind is DataCard else FOLDERS[kind].removesuffix("s")


def _placed(card: Card, folder: Path) -> dict[str, Any]:
    """Changes to a card that names a file or folder: its path, from the folder of the card."""
    if isinstance(card, ModelCard) and card.path:
        return {"path": str((folder / card.path).resolve())}
    local = card.local if isinstance(card, ProblemCard) else None
    if local:
        return {"local": local.model_copy(update={"path": str((folder / local.path).resolve())})}
    return {}
