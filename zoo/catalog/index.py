"""Finding cards by name: the package's folders first, then the user's (`./cards`, `--cards DIR`),
which win.

The file name is the card's name; a card that says another name is refused. Misspelt names get a
suggestion.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TypeVar

from zoo.catalog import strict_yaml
from zoo.catalog.cards import Card, PromptCard, RecipeCard, RewardCard
from zoo.catalog.model_card import ModelCard
from zoo.catalog.problem_card import BenchmarkCard, DataCard
from zoo.catalog.profile import ComputeProfile
from zoo.catalog.validate import validate
from zoo.errors import Fault, InputError, did_you_mean

FOLDERS: dict[type[Card], str] = {
    ModelCard: "models",
    DataCard: "data",
    RewardCard: "rewards",
    RecipeCard: "recipes",
    BenchmarkCard: "benchmarks",
    PromptCard: "prompts",
    ComputeProfile: "profiles",
}
C = TypeVar("C", bound=Card)


class Catalog:
    """All cards of the package and of the user's folders. Cards are read when asked for."""

    def __init__(self, *folders: Path) -> None:
        self.folders = (Path(__file__).parent, *folders)

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
        return sorted(self._files[FOLDERS[kind]])

    def get(self, kind: type[C], name: str) -> C:
        """The card of that kind and name.

        Raises:
            InputError: no such card (with a suggestion), or a file that is not a card of this kind.
        """
        noun = FOLDERS[kind].removesuffix("s") if kind is not DataCard else "data"
        file = self._files[FOLDERS[kind]].get(name)
        if file is None:
            known = self.names(kind)
            hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
            raise InputError(Fault(noun, f"unknown {noun} '{name}'", hint=hint))
        card = validate(kind, strict_yaml.read(file))
        if card.name != name:
            raise InputError(
                Fault(str(file), f"the card calls itself '{card.name}'", f"'{name}', as its file")
            )
        return card
