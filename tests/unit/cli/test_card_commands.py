"""`zoo KIND list` and `show`: every kind of card, by one mechanism."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.cli import zoo
from zoo.catalog.index import FOLDERS
from zoo.cli.card_commands import KINDS

CARDS = {  # kind -> a card of the package
    "models": "pocket-qwen2",
    "data": "math500",
    "rewards": "cosine",
    "recipes": "simplerl-zoo",
    "prompts": "boxed",
    "profiles": "h100x8",
}
each = pytest.mark.parametrize("kind", sorted(CARDS))


def test_kinds_of_commands_cover_every_kind_of_card() -> None:
    assert set(KINDS) == set(CARDS)
    assert {card for cards in KINDS.values() for card in cards} == set(FOLDERS)


@each
def test_list_names_every_card_and_what_it_is(folder: Path, kind: str) -> None:
    (line,) = [line for line in zoo(kind, "list").lines if line.split()[:1] == [CARDS[kind]]]
    assert len(line.split()) > 3


@each
def test_show_prints_the_card_as_yaml(folder: Path, kind: str) -> None:
    text = zoo(kind, "show", CARDS[kind]).text.partition("\n\n")[0]
    said = yaml.safe_load(text)
    assert said["name"] == CARDS[kind]
    assert said["schema"].endswith("/1")


@each
def test_show_of_misspelt_card_suggests_the_right_one(folder: Path, kind: str) -> None:
    told = zoo(kind, "show", CARDS[kind] + "x")
    assert told.status == 2
    assert f"did you mean '{CARDS[kind]}'?" in told.error


def test_show_prints_a_prompt_line_by_line(folder: Path) -> None:
    assert "  {problem}" in zoo("prompts", "show", "boxed").lines


@pytest.mark.parametrize("kind", ["rewards", "prompts"])
def test_cards_of_the_user_are_listed_and_shown(folder: Path, kind: str) -> None:
    rest = {"rewards": "kind: correctness", "prompts": "template: 'Q {problem}'"}[kind]
    (folder / "cards" / kind).mkdir(parents=True)
    card = f"schema: {kind[:-1]}/1\nname: mine\nabout: Of my own.\n{rest}\n"
    (folder / "cards" / kind / "mine.yaml").write_text(card)
    assert any(line.split() == ["mine", "Of", "my", "own."] for line in zoo(kind, "list").lines)
    assert rest.partition(":")[0] in zoo(kind, "show", "mine").text


def test_reward_of_an_installed_package_is_listed_and_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = folder / "site/brings-1.0.dist-info"
    about.mkdir(parents=True)
    code = "def brought(verdicts, completions, params, seed):\n    return [1.0 for _ in verdicts]\n"
    (about.parent / "brings_listed.py").write_text(code)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: brings\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[zoo.rewards]\nbrought = brings_listed:brought\n")
    monkeypatch.syspath_prepend(str(about.parent))
    assert any(line.split()[:1] == ["brought"] for line in zoo("rewards", "list").lines)
    assert "name: brought" in zoo("rewards", "show", "brought").lines


def test_cards_that_stand_for_no_files_are_not_fetched(folder: Path) -> None:
    for kind in CARDS:
        told = "fetch" in zoo(kind, "--help").text
        assert told == (kind in ("models", "data"))
