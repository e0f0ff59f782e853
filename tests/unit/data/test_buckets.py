"""The study's buckets made again from GSM8K and MATH: every row that is not in the study's files is
explained.

The real problems are laid into a Hugging Face cache of our own as the hub has them, so the shipped
cards are what is tested. The study's Hard file is known row by row; of Easy and Medium only the
sizes are (arXiv:2503.18892 says that 500 problems of MATH's test part were withheld for validation,
not which).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.real_data import FOLDER, needs_real_data, rows
from zoo.catalog import BenchmarkCard, Catalog, DataCard, HubSource
from zoo.data import load
from zoo.data.problems import Counts, Problem, by_level, load_counted, normalise

pytestmark = needs_real_data

STUDY = {"easy": 8388, "medium": 8139, "hard": 8523}  # rows of its files
STUDY_HARD = {"3": 2514, "4": 2648, "5": 3361}  # by the level that its file states
WITHHELD = {"1": 43, "2": 90, "3": 105, "4": 128, "5": 134}  # 500 in all, as MATH500's own levels
MATH500 = """schema: benchmark/1
name: math500
local: {path: %s, columns: {level: level}}
n: 500
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """The shipped cards over a cache with the real problems."""
    home = tmp_path_factory.mktemp("home")
    (home / "cards/benchmarks").mkdir(parents=True)
    path = FOLDER / "benchmarks/math500.jsonl"
    (home / "cards/benchmarks/math500.yaml").write_text(MATH500 % path)
    found = Catalog(home / "cards")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
            patch.delenv(name, raising=False)
        patch.setenv("HF_HOME", str(home))
        for name in ("gsm8k-train", "math-train", "math-test", "simplerl-hard"):
            source = found.get(DataCard, name).hub
            assert source is not None
            for file in source.files:
                lay(home / "hub", source, file, of_hub(name, file))
        yield found


def of_hub(name: str, file: str) -> list[dict[str, Any]]:
    """Rows as the hub's file has them."""
    if name == "gsm8k-train":
        return rows("raw/gsm8k/train.jsonl")
    if name == "simplerl-hard":
        return [
            {
                "extra_info": {"question": row["problem"]},
                "reward_model": {"ground_truth": row["answer"]},
                "level": row["level"],
            }
            for row in rows("buckets/simplerl_math_l3to5_8523.jsonl")
        ]
    subject, split = file.split("/")[0], file.split("/")[1].split("-")[0]
    return rows(f"raw/math/{subject}_{split}.jsonl")


def lay(hub: Path, source: HubSource, name: str, found: list[dict[str, Any]]) -> None:
    """Write a file of a data set where huggingface_hub would have put it."""
    import pyarrow
    import pyarrow.parquet

    folder = hub / f"datasets--{source.repo.replace('/', '--')}"
    commit = source.revision or "a" * 40
    path = folder / "snapshots" / commit / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(found), path)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs/main").write_text(commit)


@pytest.fixture(scope="module")
def built(catalog: Catalog) -> dict[str, tuple[list[Problem], Counts]]:
    """Bucket -> its problems and what its filters did."""
    return {name: load_counted(catalog.get(DataCard, f"gsm8k-math-{name}")) for name in STUDY}


@pytest.fixture(scope="module")
def math(catalog: Catalog) -> list[Problem]:
    """MATH, training and test part, as the cards read it."""
    return load(catalog.get(DataCard, "math-train")) + load(catalog.get(DataCard, "math-test"))


@pytest.fixture(scope="module")
def study() -> list[dict[str, Any]]:
    """The rows of the study's Hard file, nothing left out."""
    return rows("buckets/simplerl_math_l3to5_8523.jsonl")


def held_out(catalog: Catalog) -> set[str]:
    """Normalised texts of MATH500."""
    return {normalise(p.question) for p in load(catalog.get(BenchmarkCard, "math500"))}


@pytest.mark.parametrize(
    ("name", "read", "dropped", "kept"),
    [
        (
            "easy",
            8474,
            {"empty": 0, "max_prompt_chars": 16, "duplicates": 0, "overlap math500": 43},
            8415,
        ),
        (
            "medium",
            8870,
            {"empty": 0, "max_prompt_chars": 82, "duplicates": 0, "overlap math500": 365},
            8423,
        ),
        (
            "hard",
            9253,
            {"empty": 0, "max_prompt_chars": 168, "duplicates": 2, "overlap math500": 363},
            8720,
        ),
    ],
)
def test_what_every_filter_leaves_out_of_a_bucket_made_again(
    built: dict[str, tuple[list[Problem], Counts]],
    name: str,
    read: int,
    dropped: dict[str, int],
    kept: int,
) -> None:
    assert built[name][1] == Counts(read, dropped, kept)


def test_the_two_rows_without_a_reference_are_left_out_of_math_itself(catalog: Catalog) -> None:
    found, counts = load_counted(catalog.get(DataCard, "math-train"))
    assert (counts.read, counts.dropped, len(found)) == (7500, {"empty": 2}, 7498)


def test_the_studys_hard_file_is_read_as_its_loader_reads_it(catalog: Catalog) -> None:
    found, counts = load_counted(catalog.get(DataCard, "simplerl-hard"))
    assert counts == Counts(8523, {"empty": 2, "max_prompt_chars": 163}, 8358)
    assert len(load(catalog.get(DataCard, "simplerl-hard"))) == len(found)  # the card's digest


def test_references_of_math_are_those_of_the_study_but_for_two_that_it_lost(
    math: list[Problem], study: list[dict[str, Any]]
) -> None:
    """The last box, also where a solution has several. Where it has no braces (`\\boxed 2`) the
    study's reference is the word None."""
    ours = {normalise(problem.question): problem.answer for problem in math}
    pairs = [(row["answer"], ours.get(normalise(row["problem"]))) for row in study if row["answer"]]
    assert sorted(pair for pair in pairs if pair[0] != pair[1]) == [("None", "2"), ("None", "9")]


def test_all_that_the_studys_hard_file_lacks_are_367_problems_that_it_withheld(
    math: list[Problem], study: list[dict[str, Any]], catalog: Catalog
) -> None:
    theirs, test_set = {normalise(row["problem"]) for row in study}, held_out(catalog)
    hard = [p for p in math if p.level in ("3", "4", "5")]
    ours = [p for p in hard if normalise(p.question) not in test_set]
    withheld = [p for p in ours if normalise(p.question) not in theirs]
    assert len(ours) == 8886
    assert by_level(withheld) == {level: WITHHELD[level] for level in ("3", "4", "5")}
    assert all("-test-" in problem.id for problem in withheld)


def test_what_the_study_has_beyond_ours_are_four_rows_that_math_leaves_unclear(
    math: list[Problem], study: list[dict[str, Any]]
) -> None:
    """Two without a reference, two whose level MATH gives as `?` (the study takes them for 3)."""
    ours = Counter(normalise(p.question) for p in math if p.level in ("3", "4", "5"))
    more = Counter(normalise(row["problem"]) for row in study) - ours
    assert more.total() == 4
    assert {normalise(p.question) for p in math if p.level == "?"} < set(more)
    assert {normalise(row["problem"]) for row in study if not row["answer"]} < set(more)


def test_the_withheld_problems_have_the_levels_of_math500(catalog: Catalog) -> None:
    """Below level 3 they cannot be named, but how many they are follows from the files' sizes."""
    assert by_level(load(catalog.get(BenchmarkCard, "math500"))) == WITHHELD
    assert sum(WITHHELD.values()) == 500


def test_the_studys_row_counts_come_out_to_the_row(math: list[Problem], catalog: Catalog) -> None:
    test_set = held_out(catalog)
    left = by_level([p for p in math if normalise(p.question) not in test_set])
    for level, count in WITHHELD.items():
        left[level] -= count
    left["3"] += 2  # the two rows that MATH gives as level `?`
    left["5"] += 2  # the two without a reference
    left["3"], left["5"] = left["3"] - 1, left["5"] + 1  # a problem that MATH has at 3 and at 5
    grade_school = len(load(catalog.get(DataCard, "gsm8k-train")))
    assert grade_school + left["1"] == STUDY["easy"]
    assert sum(left[level] for level in "1234") == STUDY["medium"]
    assert {level: left[level] for level in "345"} == STUDY_HARD
    assert sum(STUDY_HARD.values()) == STUDY["hard"]
