"""Problems of a benchmark that are trained on are found by content, whatever the names of files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.real_data import FOLDER, needs_real_data
from tests.support.real_data import rows as rows_of
from tests.support.study_cards import MANIFEST, write_cards
from zoo.catalog import Catalog, DataCard
from zoo.data import LocalResolver, problems
from zoo.data.questions import content, hashes, overlaps
from zoo.lint.warnings import warnings
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trials.trial import Trial


def rows(path: Path, numbers: Iterable[int], text: str = "What is {} + 1?") -> dict[str, Any]:
    """A file of questions, and how a manifest names it."""
    lines = [json.dumps({"problem": text.format(n), "answer": str(n + 1)}) for n in numbers]
    path.write_text("".join(f"{line}\n" for line in lines))
    return {"path": path.name}


def study(folder: Path, resolver: LocalResolver, data: Any, test: Any, **full: Any) -> list[Trial]:
    """Trials that train on `data` and are measured on `test`."""
    grid = MANIFEST["grid"] | {"model": ["pocket-llama"], "data": data}
    evaluate = {"full": {"benchmarks": test, "at": [0, "last"]} | full}
    said = MANIFEST | {"grid": grid, "evaluate": evaluate, "batch": {"prompts": 2}}
    (folder / "study.yaml").write_text(yaml.safe_dump(said, sort_keys=False))
    return expand(load(folder / "study.yaml"), write_cards(folder), resolver)


def found(trials: list[Trial], resolver: LocalResolver) -> list[tuple[str, str, int, int]]:
    """(training data, benchmark, shared, measured) of every pair that was compared."""
    pairs = overlaps(trials, resolver.questions)
    return [(o.data.name, o.benchmark.name, o.problems, o.of) for o in pairs]


@pytest.fixture
def resolver(tmp_path: Path) -> LocalResolver:
    """As a plan has it."""
    return LocalResolver(tmp_path / "cache", light=True)


def test_overlap_of_own_files_is_counted_and_told(tmp_path: Path, resolver: LocalResolver) -> None:
    data = rows(tmp_path / "train.jsonl", range(106))
    test = rows(tmp_path / "test.jsonl", range(300))
    trials = study(tmp_path, resolver, [data, "easy"], [test])
    assert found(trials, resolver) == [("train", "test", 106, 300), ("easy", "test", 0, 300)]
    experiment = load(tmp_path / "study.yaml").experiment
    told = warnings(experiment, trials, overlaps=overlaps(trials, resolver.questions))
    (leak,) = [warning for warning in told if warning.id == "leak-by-content"]
    assert leak.where == "3 trials"
    assert leak.text == (
        "106 of the 300 problems of test.jsonl are in the training data train.jsonl, so accuracy "
        "on them measures memory; take them out of the training data, as `filters: {overlap: "
        "[test]}` of a data card does, except where letter case, spacing or "
        "punctuation differ"
    )


def test_overlap_ignores_spacing_and_compatibility_forms_as_the_filter_does(
    tmp_path: Path, resolver: LocalResolver
) -> None:
    data = rows(tmp_path / "train.jsonl", [1, 2, 3], "What\u00a0is  {}\n\uff0b 1?")
    test = rows(tmp_path / "test.jsonl", [2, 3, 4])
    assert found(study(tmp_path, resolver, [data], [test]), resolver) == [("train", "test", 2, 3)]


def test_overlap_is_counted_over_the_problems_that_are_measured(
    tmp_path: Path, resolver: LocalResolver
) -> None:
    data = rows(tmp_path / "train.jsonl", [1, 9])
    test = rows(tmp_path / "test.jsonl", range(10))
    trials = study(tmp_path, resolver, [data], [test], problems=5)
    assert found(trials, resolver) == [("train", "test", 1, 5)]


def test_overlap_that_a_filter_left_out_is_none(tmp_path: Path, resolver: LocalResolver) -> None:
    write_cards(tmp_path)
    rows(tmp_path / "train.jsonl", range(10))
    rows(tmp_path / "test.jsonl", range(5))
    for kind, name, more in (
        ("benchmarks", "own", {"local": {"path": str(tmp_path / "test.jsonl")}}),
        ("data", "raw", {"local": {"path": str(tmp_path / "train.jsonl")}}),
        ("data", "rid", {"built": {"parts": [{"data": "raw"}]}, "filters": {"overlap": ["own"]}}),
    ):
        said = {"schema": f"{kind.removesuffix('s')}/1", "name": name} | more
        (tmp_path / f"cards/{kind}/{name}.yaml").write_text(yaml.safe_dump(said))
    trials = study(tmp_path, resolver, ["raw", "rid"], ["own"])
    assert found(trials, resolver) == [("raw", "own", 5, 5), ("rid", "own", 0, 5)]


def test_overlap_of_pocket_splits_is_not_looked_for(tmp_path: Path) -> None:
    resolver = LocalResolver(tmp_path / "cache")
    assert found(study(tmp_path, resolver, ["easy", "pocket-hard"], ["free"]), resolver) == []


def test_overlap_is_known_from_the_cache_where_a_plan_reads_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.data.resolve.LIGHT_ROWS_BYTES", 10)
    data = rows(tmp_path / "train.jsonl", range(50))
    test = rows(tmp_path / "test.jsonl", range(40, 60))

    def seen(*, light: bool) -> list[tuple[str, str, int, int]]:
        resolver = LocalResolver(tmp_path / "cache", light=light)
        pairs = found(study(tmp_path, resolver, [data], [test]), resolver)
        if not light:
            resolver.save()
        return pairs

    assert seen(light=True) == []
    assert seen(light=False) == [("train", "test", 10, 20)]
    assert seen(light=True) == [("train", "test", 10, 20)]
    for file in (tmp_path / "cache/questions").iterdir():
        file.write_bytes(b"cut off")
    assert seen(light=True) == []
    assert seen(light=False) == seen(light=True) == [("train", "test", 10, 20)]


def test_a_plan_counts_nothing_for_a_set_that_was_not_fetched(
    tmp_path: Path, resolver: LocalResolver, empty_home: Path
) -> None:
    test = rows(tmp_path / "test.jsonl", range(5))
    assert found(study(tmp_path, resolver, ["hard"], [test]), resolver) == []
    thorough = LocalResolver(tmp_path / "cache")
    far = Catalog(tmp_path / "cards").get(DataCard, "hard")
    assert thorough.questions.of(far, "0" * 16) is None


def test_hashes_take_text_that_is_no_unicode() -> None:
    torn = problems.Problem("1", "half of a pair: \ud800", "1")
    assert len(hashes([torn, torn])) == 2


@pytest.mark.parametrize(
    "text",
    [
        *("WHAT IS {} + 1?", "what\u200b is {} + 1?", "Wh\u00adat is {} + 1?"),
        *("What is ${}+1$?", "What is: {} +1.", "“What is \\({}\\, + 1\\)” ?"),
    ],
)
def test_overlap_ignores_case_spacing_punctuation_and_invisible_characters(
    tmp_path: Path, resolver: LocalResolver, text: str
) -> None:
    data = rows(tmp_path / "train.jsonl", range(9), text)
    test = rows(tmp_path / "test.jsonl", range(5))
    trials = study(tmp_path, resolver, [data], [test])
    assert found(trials, resolver) == [("train", "test", 5, 5)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Find $f(2)-f(1)$.", "Find f(2) \u2212 f(1)"),
        ("points (2, 3), and (x,y)", "Points (2,3) and (x, y)"),
        ("It's $\\$5$ a kilo; how much?", "It\u2019s \\$5 a kilo, how much"),
        ("so that\n\\[a + b = 1.\\]Find a", "so that $a+b = 1$. Find $a.$"),
    ],
)
def test_content_of_questions_that_are_one_is_one(one: str, other: str) -> None:
    assert content(one) == content(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(
            ("add -1", "add 1"),
            ("add 1.5", "add 15"),
            ("add .5", "add 5"),
            ("is 5! odd", "is 5 odd"),
        ),
        *(("1,500 m", "1500 m"), ("1, 500 m", "1,500 m"), ("1,5", "1.5"), ("1 2", "12")),
        *(("(2,3)", "(23)"), ("f(x,y)", "f(xy)"), ("f'(2)", "f(2)"), ("f''(2)", "f'(2)")),
        *(("2^3", "23"), ("x_1", "x1"), ("1/2", "12"), ("3:2", "32"), ("3:2", "3/2"), ("|x|", "x")),
        *(("x+1", "x 1"), ("x+1", "x-1"), ("a<b", "a>b"), ("5%", "5"), ("5.2.1", "52.1")),
        *(("(x+1)2", "x+12"), ("2*3", "23"), ("2 \\cdot 3", "2 3"), ("x=y", "x y"), ("{1}", "1")),
    ],
)
def test_content_of_questions_that_differ_in_mathematics_differs(one: str, other: str) -> None:
    assert content(one) != content(other)


@needs_real_data
def test_content_joins_no_two_questions_of_math() -> None:
    found: dict[str, set[str]] = {}
    for file in sorted(FOLDER.glob("raw/math/*.jsonl")):
        for row in rows_of(f"raw/math/{file.name}"):
            text = problems.normalise(row["problem"])
            found.setdefault(content(text), set()).add(text)
    assert len(found) > 12_000
    joined = [same for same in found.values() if len(same) > 1]
    assert len(joined) == 4  # each the same problem twice, spaced or punctuated otherwise
