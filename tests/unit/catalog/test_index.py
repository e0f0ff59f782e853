"""Cards are found by name, the user's before the package's, and every shipped card is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.catalog import (
    BenchmarkCard,
    Card,
    Catalog,
    ComputeProfile,
    DataCard,
    ModelCard,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.index import FOLDERS
from zoo.errors import InputError

SHIPPED = [(kind, name) for kind in FOLDERS for name in Catalog().names(kind)]


def card(folder: Path, kind: str, name: str, text: str) -> Path:
    """Write a user's card; returns the folder of cards."""
    (folder / kind).mkdir(parents=True, exist_ok=True)
    (folder / kind / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("kind", "name"), SHIPPED, ids=[f"{k.__name__}-{n}" for k, n in SHIPPED])
def test_every_shipped_card_reads_and_says_what_it_is(kind: type[Card], name: str) -> None:
    found = Catalog().get(kind, name)
    assert found.name == name
    assert found.about


@pytest.mark.parametrize("kind", FOLDERS, ids=lambda kind: kind.__name__)
def test_there_is_a_card_of_every_kind(kind: type[Card]) -> None:
    assert Catalog().names(kind)


def test_the_names_that_others_rely_on_are_there() -> None:
    catalog = Catalog()
    assert {"pocket-qwen2", "pocket-llama", "pocket-mistral"} <= set(catalog.names(ModelCard))
    for kind in (DataCard, BenchmarkCard):
        assert {"pocket-easy", "pocket-medium", "pocket-hard"} <= set(catalog.names(kind))
    assert {"correctness", "box-strict"} <= set(catalog.names(RewardCard))
    assert "pocket" in catalog.names(RecipeCard)


def test_cards_name_cards_that_exist() -> None:
    catalog = Catalog()
    for name in catalog.names(ModelCard):
        assert catalog.get(ModelCard, name).prompt in catalog.names(PromptCard)


def test_cpu_profiles_switch_compilation_and_spare_threads_off() -> None:
    catalog = Catalog()
    for name in catalog.names(ComputeProfile):
        profile = catalog.get(ComputeProfile, name)
        if profile.device == "cpu":
            assert profile.env["TORCH_COMPILE_DISABLE"] == "1"
            assert "OMP_NUM_THREADS" in profile.env


def test_a_users_card_is_found_and_wins(tmp_path: Path) -> None:
    text = "schema: prompt/1\nname: none\ntemplate: 'Mine: {problem}'\n"
    catalog = Catalog(card(tmp_path, "prompts", "none", text))
    assert catalog.get(PromptCard, "none").template == "Mine: {problem}"
    assert catalog.get(PromptCard, "pocket").template.startswith("Question:")


def test_a_folder_of_cards_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    assert Catalog(tmp_path / "no").names(ModelCard) == Catalog().names(ModelCard)


OWN = {
    "models": "schema: model/1\nname: own\npath: w\nprompt: none\ncap: 64\nstand_in: ",
    "data": "schema: data/1\nname: own\nlocal: {path: a.jsonl}\nstand_in: ",
    "benchmarks": "schema: benchmark/1\nname: own\nlocal: {path: a.jsonl}\nstand_in: ",
}
KINDS: dict[str, type[Card]] = {"models": ModelCard, "data": DataCard, "benchmarks": BenchmarkCard}


@pytest.mark.parametrize(
    ("folder", "stand_in", "error"),
    [
        ("models", "pocket-lama", r"6:11: unknown model 'pocket-lama'; did you mean 'pocket-llama"),
        ("models", "qwen2.5-7b", r"'qwen2.5-7b' is none of zoo's pocket models; available: pocket"),
        ("models", "own", r"'own' is none of zoo's pocket models; available: pocket-llama, "),
        ("data", "pocket-esy", r"4:11: unknown data 'pocket-esy'; did you mean 'pocket-easy'"),
        ("benchmarks", "aime24", r"4:11: 'aime24' is none of zoo's pocket benchmarks; available: "),
    ],
)
def test_a_stand_in_that_is_no_pocket_card_is_refused_at_the_card(
    tmp_path: Path, folder: str, stand_in: str, error: str
) -> None:
    catalog = Catalog(card(tmp_path, folder, "own", OWN[folder] + stand_in + "\n"))
    with pytest.raises(InputError, match=error) as found:
        catalog.check_stand_in(KINDS[folder], "own")
    assert found.value.faults[0].place.startswith(f"{tmp_path}/{folder}/own.yaml:")


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(InputError) as caught:
        Catalog().get(DataCard, "pocket-esay")
    assert str(caught.value) == "data: unknown data 'pocket-esay'; did you mean 'pocket-easy'?"


def test_a_card_goes_by_the_name_of_its_file(tmp_path: Path) -> None:
    text = "schema: prompt/1\nname: other\ntemplate: '{problem}'\n"
    catalog = Catalog(card(tmp_path, "prompts", "mine", text))
    with pytest.raises(InputError, match="the card calls itself 'other'; expected 'mine'"):
        catalog.get(PromptCard, "mine")


@pytest.mark.parametrize(
    ("kind", "folder", "text", "found"),
    [
        (PromptCard, "prompts", "template: no hole", "holds `{problem}` exactly once"),
        (PromptCard, "prompts", "template: '{problem}{problem}'", "exactly once"),
        (ModelCard, "models", "prompt: none\ncap: 9", "by exactly one of embedded, path, repo"),
        (
            ModelCard,
            "models",
            "prompt: none\ncap: 9\npath: a\nrepo: b",
            "(found ['path', 'repo'])",
        ),
        (ModelCard, "models", "prompt: none\npath: a\ncap: 0", "cap is 0"),
        (DataCard, "data", "about: nothing", "by exactly one of pocket, local"),
        (DataCard, "data", "pocket: {level: esay, split: train, n: 1}", "pocket.level is 'esay'"),
        (RecipeCard, "recipes", "grpo: {}\nbatch: {prompts: 3, num_generations: 1}", "is 1"),
        (ComputeProfile, "profiles", "concurency: 2", "did you mean 'concurrency'?"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(
    tmp_path: Path, kind: type[Card], folder: str, text: str, found: str
) -> None:
    noun = folder.removesuffix("s")
    catalog = Catalog(card(tmp_path, folder, "mine", f"schema: {noun}/1\nname: mine\n{text}\n"))
    with pytest.raises(InputError) as caught:
        catalog.get(kind, "mine")
    assert found in str(caught.value)
    assert f"{tmp_path}" in str(caught.value)


def test_a_set_of_problems_brings_the_cards_that_it_names(tmp_path: Path) -> None:
    card(tmp_path, "data", "part", "schema: data/1\nname: part\nlocal: {path: rows.jsonl}\n")
    filters = "filters: {prompt: none, max_prompt_chars: 9, overlap: [pocket-easy]}\n"
    built = f"schema: data/1\nname: mix\nbuilt: {{parts: [{{data: part}}]}}\n{filters}"
    found = Catalog(card(tmp_path, "data", "mix", built)).get(DataCard, "mix")
    assert [(type(used), used.name) for used in found.uses] == [
        (DataCard, "part"),
        (BenchmarkCard, "pocket-easy"),
        (PromptCard, "none"),
    ]
    assert DataCard.model_validate_json(found.model_dump_json(by_alias=True)) == found


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("built: {parts: [{data: part}]}", "mix.yaml:3:24: unknown data 'part'"),
        ("local: {path: x}\nfilters: {overlap: [math5OO]}", "did you mean 'math500'?"),
        ("local: {path: x}\nfilters: {prompt: boxd}", "unknown prompt 'boxd'"),
        ("built: {parts: [{data: mix}]}", "'mix' is built from itself"),
    ],
)
def test_cards_that_a_card_names_must_be_there(tmp_path: Path, said: str, told: str) -> None:
    card(tmp_path, "data", "mix", f"schema: data/1\nname: mix\n{said}\n")
    with pytest.raises(InputError) as caught:
        Catalog(tmp_path).get(DataCard, "mix")
    assert told in str(caught.value)


def test_a_relative_path_starts_at_the_folder_of_the_card(tmp_path: Path) -> None:
    text = "schema: data/1\nname: near\nlocal: {path: near.jsonl}\n"
    card(tmp_path, "data", "near", text)
    path = tmp_path / "data/near.jsonl"
    local = Catalog(tmp_path).get(DataCard, "near").local
    assert local
    assert local.path == str(path)  # there or not
    text = "schema: model/1\nname: own\npath: own\nprompt: none\ncap: 8\n"
    card(tmp_path, "models", "own", text)
    (tmp_path / "models/own").mkdir()
    assert Catalog(tmp_path).get(ModelCard, "own").path == str(tmp_path / "models/own")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "rewards",
            "schema: reward/1\nname: mine\nkind: mine\ncode: {file: /mine.py}\n",
        ),
        ("data", "schema: data/1\nname: mine\nlocal: {path: a.jsonl}\nuses: []\n"),
    ],
)
def test_what_the_catalog_puts_into_a_card_no_file_may_say(
    kind: str, text: str, tmp_path: Path
) -> None:
    of = next(of for of, folder in FOLDERS.items() if folder == kind)
    with pytest.raises(InputError, match=r"mine\.yaml:4:1: unknown key '(code|uses)'\n"):
        Catalog(card(tmp_path, kind, "mine", text)).get(of, "mine")


def test_a_card_that_no_file_holds_is_found_by_its_name() -> None:
    own = RewardCard.model_validate({"schema": "reward/1", "name": "own", "kind": "own"})
    catalog = Catalog(made=[own])
    assert "own" in catalog.names(RewardCard)
    assert catalog.get(RewardCard, "own") is own
    assert catalog.made(RewardCard, "own")
    assert not catalog.made(RewardCard, "correctness")


def test_a_misspelt_key_of_a_mapping_of_words_is_placed_and_understood(tmp_path: Path) -> None:
    card = Catalog().file(ModelCard, "pocket-llama").read_text(encoding="utf-8")
    text = card[: card.index("origin:")].replace("name: pocket-llama", "name: own")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "own.yaml").write_text(text + "origin: {capp: paper}\n")
    with pytest.raises(InputError) as caught:
        Catalog(tmp_path).get(ModelCard, "own")
    (fault,) = caught.value.faults
    assert (fault.found, fault.hint) == ("unknown key 'origin.capp'", "did you mean 'cap'?")
    assert fault.place.endswith(":10")
