"""The benchmark cards are the study's files and its Table 1."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.catalog import BenchmarkCard, Catalog, DataCard, LocalSource, ModelCard
from zoo.catalog.problem_card import Columns
from zoo.data import load
from zoo.data.problems import digest
from zoo.grading import RULES

CATALOG = Catalog()
SIX = ("gsm8k", "math500", "minerva", "olympiadbench", "aime24", "amc23")
CARDS = {name: CATALOG.get(BenchmarkCard, name) for name in SIX}
ROOT = Path(__file__).parents[3]
ROWS = Path(os.environ.get("ZOO_DATA", ROOT.parent / "shared" / "data")) / "benchmarks"
LEVELS = ("easy", "medium", "hard")
TRAINING = {"gsm8k-train", "math-train", "math-test"} | {
    f"{kind}-{level}" for kind in ("simplerl", "gsm8k-math") for level in LEVELS
}

# Column "Avg" of Table 1 of arXiv:2503.18892, in percent: base greedy, trained at temperature 1.0.
AVERAGES = {
    "mistral-7b": (5.3, 18.6),
    "llama-3.1-8b": (10.6, 22.0),
    "deepseek-math-7b": (11.3, 29.2),
    "mistral-small-24b": (27.6, 49.6),
    "qwen2.5-0.5b": (12.1, 20.9),
    "qwen2.5-1.5b": (18.5, 36.1),
    "qwen2.5-7b": (40.3, 55.2),
    "qwen2.5-math-7b": (37.2, 59.5),
    "qwen2.5-14b": (43.2, 56.8),
    "qwen2.5-32b": (45.9, 61.9),
}


@pytest.mark.parametrize("model", AVERAGES)
def test_the_published_numbers_average_to_the_studys_average(model: str) -> None:
    """Both are rounded to a tenth, so they agree to a tenth."""
    published = [card.published[model] for card in CARDS.values()]
    before = sum(p.before for p in published) / len(published)
    after = sum(p.after for p in published) / len(published)
    assert before == pytest.approx(AVERAGES[model][0], abs=0.1)
    assert after == pytest.approx(AVERAGES[model][1], abs=0.1)


@pytest.mark.parametrize("name", SIX)
def test_a_benchmark_has_numbers_for_the_ten_models_of_the_study(name: str) -> None:
    published = CARDS[name].published
    assert published.keys() == AVERAGES.keys() <= set(CATALOG.names(ModelCard))
    assert all(0 <= p.before <= p.after <= 100 for p in published.values())


@pytest.mark.parametrize("name", SIX)
def test_one_right_answer_is_a_whole_problem(name: str) -> None:
    """Published percentages are multiples of one problem, within their rounding; AMC23's 57.6 for
    Qwen2.5-14B is the study's slip (57.5)."""
    n = CARDS[name].n
    assert n is not None
    for model, p in CARDS[name].published.items():
        for value in (p.before, p.after):
            slip = 0.1 if (name, model, value) == ("amc23", "qwen2.5-14b", 57.6) else 0.0
            nearest = round(value * n / 100) * 100 / n
            assert abs(value - nearest) <= 0.051 + slip, (model, value)


def test_the_six_are_the_studys_files_at_one_commit() -> None:
    sizes = {name: card.n for name, card in CARDS.items()}
    assert list(sizes.values()) == [1319, 500, 272, 675, 30, 40]
    for card in CARDS.values():
        assert card.git is not None
        assert card.git.repo == "hkust-nlp/simpleRL-reason"
        assert card.git.commit == "cf1c7858bfc145a27aa733e75d930d34f0d318a6"
        assert card.git.gold in ("as-is", *RULES)
        assert card.decoding == {"temperature": 1.0, "top_p": 0.95, "max_tokens": 16000}
        assert card.source


def test_aime_is_sampled_often_and_the_others_once() -> None:
    assert {name: card.samples for name, card in CARDS.items() if card.samples > 1} == {
        "aime24": 32
    }


@pytest.mark.parametrize("name", ["math500", "olympiadbench", "aime24", "amc23"])
def test_a_benchmarks_digest_is_that_of_its_problems(name: str) -> None:
    """The four whose references need no reading: a local copy of them has the same digest."""
    path = ROWS / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"no problems at {path}; set ZOO_DATA")
    source = LocalSource(path=str(path), columns=Columns(problem="problem", answer="answer"))
    card = CARDS[name].model_copy(update={"git": None, "local": source})
    assert digest(load(card)) == CARDS[name].digest


@pytest.mark.parametrize("kind", [BenchmarkCard, DataCard], ids=lambda kind: kind.__name__)
def test_a_set_names_stand_ins_that_exist(kind: type[BenchmarkCard] | type[DataCard]) -> None:
    pocket = {name for name in CATALOG.names(kind) if name.startswith("pocket-")}
    for name in CATALOG.names(kind):
        stand_in = CATALOG.get(kind, name).stand_in
        assert stand_in in pocket or (stand_in is None and name in pocket), name


@pytest.mark.parametrize("name", SIX)
def test_a_benchmark_overlaps_with_training_sets_that_have_a_card(name: str) -> None:
    assert CARDS[name].overlaps.keys() <= TRAINING | set(CATALOG.names(DataCard))


def test_the_set_that_the_study_validates_on_is_said_to_be_one() -> None:
    """The study's validation file is MATH500 (facts of its released data)."""
    assert "validat" in CARDS["math500"].about
    assert {"math-test", "simplerl-hard"} <= CARDS["math500"].overlaps.keys()
