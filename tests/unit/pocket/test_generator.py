"""Pocket problems: right answers, splits that cannot overlap, the same on every machine."""

from __future__ import annotations

import ast
import operator
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.pocket.generator import (
    GENERATOR_VERSION,
    LEVELS,
    OPERATIONS,
    SPLITS,
    Level,
    Split,
    generate,
    split_of,
)

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def work_out(text: str) -> int:
    """Evaluate an expression by Python's grammar, which zoo's generator knows nothing of."""

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.Constant):
            assert isinstance(node.value, int)
            return node.value
        assert isinstance(node, ast.BinOp)
        return OPERATORS[type(node.op)](value(node.left), value(node.right))

    return value(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("split", SPLITS)
def test_answers_are_right_and_questions_hold_the_expression(level: Level, split: Split) -> None:
    for problem in generate(level, split, 300, seed=5):
        assert problem.answer == str(work_out(problem.expression))
        assert problem.expression in problem.question
        assert problem.id == f"pocket-{level}-{problem.expression}-w{problem.wording}"
        assert [step.result for step in problem.steps][-1] == int(problem.answer)
        assert all(0 <= step.result <= 999 for step in problem.steps)
        assert len(problem.steps) in OPERATIONS[level]


def test_splits_are_disjoint_whatever_the_seed_and_the_level() -> None:
    seen: dict[str, set[str]] = {split: set() for split in SPLITS}
    for level in LEVELS:
        for split in SPLITS:
            for seed in (0, 1, 99):
                seen[split] |= {p.expression for p in generate(level, split, 300, seed)}
    for one, other in (("train", "test"), ("train", "benchmark"), ("test", "benchmark")):
        assert not seen[one] & seen[other]


@given(st.text(max_size=30))
def test_a_split_is_a_function_of_the_text_alone(text: str) -> None:
    assert split_of(text) == split_of(text)
    assert split_of(text) in SPLITS


def test_splits_have_the_shares_that_they_say() -> None:
    found = [split_of(f"{a}+{b}") for a in range(100) for b in range(100)]
    assert 0.68 < found.count("train") / 10_000 < 0.72
    assert 0.13 < found.count("benchmark") / 10_000 < 0.17


def test_pretraining_text_holds_no_held_out_expression_as_a_question() -> None:
    from zoo.pocket.corpus import documents

    held_out = {
        p.expression
        for level in LEVELS
        for split in ("test", "benchmark")
        for p in generate(level, split, 500)
    }
    asked = set[str]()
    stream = documents("pocket-llama", 0.08)
    for _ in range(500):
        text = getattr(document := next(stream), "text", document)
        for line in str(text).splitlines():
            if line.startswith("Question:"):
                asked |= {word.strip(".?") for word in line.split()}
    assert asked
    assert not asked & held_out


def test_the_same_arguments_give_the_same_problems() -> None:
    assert generate("hard", "train", 50, 3) == generate("hard", "train", 50, 3)
    assert generate("hard", "train", 50, 3) != generate("hard", "train", 50, 4)
    assert generate("hard", "train", 80, 3)[:50] == generate("hard", "train", 50, 3)


def test_generating_leaves_the_global_generator_alone() -> None:
    random.seed(1)
    before = random.getstate()
    generate("easy", "train", 10)
    assert random.getstate() == before


@pytest.mark.parametrize("level", LEVELS)
def test_a_set_has_no_expression_twice(level: Level) -> None:
    found = [p.expression for p in generate(level, "benchmark", 500)]
    assert len(set(found)) == 500


def test_more_problems_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="fewer than 1500 different benchmark problems"):
        generate("easy", "benchmark", 1_500)
    with pytest.raises(ValueError, match="unknown pocket problems"):
        generate("esay", "train", 1)  # type: ignore[arg-type]


def test_the_first_problems_are_the_ones_they_always_were() -> None:
    """If this fails, every pocket result is about other problems: bump GENERATOR_VERSION."""
    assert GENERATOR_VERSION == 1
    assert {level: [p.id for p in generate(level, "benchmark", 2)] for level in LEVELS} == {
        "easy": ["pocket-easy-11-3-6-w1", "pocket-easy-8*3-10-w1"],
        "medium": ["pocket-medium-84-11+19-w1", "pocket-medium-69+11+11-w1"],
        "hard": ["pocket-hard-52+21+52-77-w1", "pocket-hard-35+58-23+66+85-w3"],
    }
