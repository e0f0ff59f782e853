"""Problems are read, filtered in order, counted, and held against their card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.catalog import Catalog, DataCard
from zoo.data.places import NotFetched
from zoo.data.problems import by_level, digest, files, load, load_counted, normalise
from zoo.errors import InputError

ROWS = [
    ("What is $1+1$?", "2", "Level 1"),
    ("What is $1+1$ ?", "2", "Level 1"),
    ("What  is\n$1+1$?", "2", 1),
    ("Held out", "9", 2),
    ("Without reference", "", 2),
    ("x" * 50, "7", "Level 3"),
    ("Last one", "8", None),
]


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A folder of cards: `mine` (local), `mix` (built), `held` (a benchmark), `ask` (a prompt)."""
    rows = [{"problem": p, "answer": a, "level": level} for p, a, level in ROWS]
    write(tmp_path / "data" / "mine.jsonl", rows)
    write(tmp_path / "benchmarks" / "held.jsonl", [{"problem": "Held  out", "answer": "9"}])
    card(tmp_path, "benchmarks", "held", "benchmark/1", "local: {path: held.jsonl}")
    card(tmp_path, "prompts", "ask", "prompt/1", "template: 'Q: {problem}'")
    return tmp_path


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a jsonl file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def card(folder: Path, kind: str, name: str, form: str, *lines: str) -> Path:
    """Write a card."""
    (folder / kind).mkdir(exist_ok=True)
    text = "\n".join((f"schema: {form}", f"name: {name}", *lines))
    path = folder / kind / f"{name}.yaml"
    path.write_text(text + "\n", encoding="utf-8")
    return path


def data(folder: Path, *lines: str, name: str = "mine") -> DataCard:
    """A training set of these lines, as the catalog hands it out; by default of mine.jsonl."""
    if not any(line.startswith(("built", "hub", "git", "pocket")) for line in lines):
        lines = ("local: {path: mine.jsonl, columns: {level: level}}", *lines)
    card(folder, "data", name, "data/1", *lines)
    return Catalog(folder).get(DataCard, name)


def test_each_filter_is_counted_in_order(cards: Path) -> None:
    all_on = "filters: {empty: true, max_prompt_chars: 40, prompt: ask, duplicates: true, "
    found, counts = load_counted(data(cards, all_on + "overlap: [held]}"))
    assert counts.read == 7
    assert counts.dropped == {
        "empty": 1,
        "max_prompt_chars": 1,
        "duplicates": 1,  # white space is collapsed, not removed
        "overlap held": 1,
    }
    assert list(counts.dropped) == ["empty", "max_prompt_chars", "duplicates", "overlap held"]
    assert counts.kept == len(found) == 3
    assert by_level(found) == {"": 1, "1": 2}


def test_filters_that_are_off_leave_everything_and_are_not_named(cards: Path) -> None:
    found, counts = load_counted(data(cards, "filters: {empty: true}"))
    assert (counts.dropped, counts.kept, len(found)) == ({"empty": 1}, 6, 6)


def test_the_length_of_a_prompt_is_that_of_the_prompt_and_its_problem(cards: Path) -> None:
    for limit, prompt, dropped in ((50, "", 0), (52, ", prompt: ask", 1), (53, ", prompt: ask", 0)):
        line = f"filters: {{empty: true, max_prompt_chars: {limit}{prompt}}}"
        assert load_counted(data(cards, line))[1].dropped["max_prompt_chars"] == dropped


def test_an_empty_reference_is_an_error_unless_it_is_filtered(cards: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(data(cards))
    assert "mine.jsonl:5: an empty reference (gold: as-is)" in str(caught.value)
    assert "filters: {empty: true}" in str(caught.value)


@pytest.mark.parametrize("value", [None, float("nan"), " "])
def test_null_or_nan_reference_is_an_empty_one(cards: Path, value: object) -> None:
    rows = [{"problem": f"{n}?", "answer": "1", "level": 1} for n in range(3)]
    write(cards / "data" / "mine.jsonl", [*rows, {"problem": "?", "answer": value, "level": 1}])
    with pytest.raises(InputError, match=r"mine\.jsonl:4: an empty reference"):
        load(data(cards))
    assert load_counted(data(cards, "filters: {empty: true}"))[1].dropped == {"empty": 1}


def test_a_byte_order_mark_moves_no_digest(cards: Path) -> None:
    plain = load(data(cards, "filters: {empty: true}"))
    file = cards / "data" / "mine.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load(data(cards, "filters: {empty: true}")) == plain


def test_a_folder_in_the_place_of_a_file_is_told(cards: Path) -> None:
    (cards / "data" / "mine.jsonl").unlink()
    (cards / "data" / "mine.jsonl").mkdir()
    with pytest.raises(InputError, match=r"mine\.jsonl: a folder; expected a jsonl or parquet"):
        load(data(cards))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("n: 8", "mine: 7 rows; expected 8, as in the card (`n`)"),
        ("kept: 7", "mine: 6 problems after the filters; expected 7, as in the card (`kept`)"),
        ("digest: 0123456789abcdef", "expected 0123456789abcdef, as in the card (`digest`)"),
    ],
)
def test_other_problems_than_the_card_says_are_refused(cards: Path, line: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        load(data(cards, "filters: {empty: true}", line))
    assert told in str(caught.value)


def test_the_right_counts_and_digest_are_accepted(cards: Path) -> None:
    found = load(data(cards, "filters: {empty: true}"))
    said = f"digest: {digest(found)}"
    assert load(data(cards, "filters: {empty: true}", "n: 7", "kept: 6", said)) == found


def test_filters_that_leave_nothing_are_an_error(cards: Path) -> None:
    told = r"no problems: of \d+ rows its filters leave out all \(empty \d, max_prompt_chars \d\)"
    with pytest.raises(InputError, match=told):
        load(data(cards, "filters: {empty: true, max_prompt_chars: 1}"))


def test_built_sets_take_levels_of_other_cards_in_order_with_their_filters(cards: Path) -> None:
    mine = data(cards, "filters: {empty: true}")
    mix = "built: {parts: [{data: mine, levels: ['3']}, {data: mine, levels: ['1']}]}"
    found, counts = load_counted(data(cards, mix, "filters: {duplicates: true}", name="mix"))
    assert [problem.level for problem in found] == ["3", "1", "1"]
    assert counts.dropped == {"duplicates": 1}
    assert {problem.id for problem in found} <= {problem.id for problem in load(mine)}
    assert files(data(cards, mix, name="mix")) == [cards / "data/mine.jsonl"]


def test_a_card_can_be_loaded_wherever_it_is_sent(cards: Path) -> None:
    data(cards, "filters: {empty: true, overlap: [held]}")
    mix = data(cards, "built: {parts: [{data: mine}]}", "filters: {overlap: [held]}", name="mix")
    sent = DataCard.model_validate_json(mix.model_dump_json(by_alias=True))
    assert load(sent) == load(mix)
    assert len(load(sent)) == 5


def test_what_was_not_fetched_says_how(cards: Path, empty_home: Path) -> None:
    for line in (
        "hub: {repo: org/set, files: [a.parquet]}",
        f"git: {{repo: own/name, commit: {'a' * 40}, path: a.jsonl, sha256: {'b' * 64}}}",
    ):
        with pytest.raises(NotFetched, match="zoo data fetch far"):
            load(data(cards, line, name="far"), empty_home / "cache")
    data(cards, line, name="far")
    with pytest.raises(NotFetched) as caught:
        load(data(cards, "built: {parts: [{data: far}]}", name="mix"))
    told = "far: a.jsonl of own/name (git) is not on this machine; `zoo data fetch mix`"
    assert str(caught.value) == told


def test_a_local_file_that_is_not_there_is_named_by_the_path_that_was_tried(
    cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cards)
    (cards / "gone.jsonl").write_text('{"problem": "?", "answer": 1}')  # not beside the card
    with pytest.raises(InputError) as caught:
        load(gone(cards))
    assert str(caught.value).startswith(f"{cards / 'data' / 'gone.jsonl'}: no such file; expected")
    assert "`local.path` of the card 'gone' starts at the card's own folder" in str(caught.value)


def gone(cards: Path) -> DataCard:
    """A card of a file that is not there."""
    card(cards, "data", "gone", "data/1", "local: {path: gone.jsonl}")
    return Catalog(cards).get(DataCard, "gone")


def test_the_digest_is_of_texts_and_references_whatever_the_white_space(cards: Path) -> None:
    first = load(data(cards, "filters: {empty: true}"))
    rows = [{"problem": f" {p}\n", "answer": f" {a} ", "level": "9"} for p, a, _ in ROWS]
    write(cards / "data" / "mine.jsonl", rows)
    assert digest(load(data(cards, "filters: {empty: true}"))) == digest(first)
    rows[0]["answer"] = "3"
    write(cards / "data" / "mine.jsonl", rows)
    assert digest(load(data(cards, "filters: {empty: true}"))) != digest(first)


def test_pocket_sets_keep_the_digests_that_runs_were_named_by() -> None:
    found = load(Catalog().get(DataCard, "pocket-easy"))
    assert digest(found) == "032b1a0fdabd295f"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a  b\n c", "a b c", True),
        ("a\u00a0b", "a b", True),
        ("ﬁnd x²", "find x2", True),
        ("$A$", "$a$", False),
        ("1+1", "1 + 1", False),
    ],
)
def test_two_problems_are_one_by_white_space_and_unicode_not_by_case(
    one: str, other: str, same: bool
) -> None:
    assert (normalise(one) == normalise(other)) is same
