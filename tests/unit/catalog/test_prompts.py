"""The prompt cards are the study's texts to the letter."""

from __future__ import annotations

import pytest

from zoo.catalog import Catalog, PromptCard
from zoo.data import render
from zoo.data.problems import Problem

CATALOG = Catalog()
PROBLEM = Problem("p", r"What is $\frac{1}{2}$ of {4}, {} or {{problem}}?", "2")


def prompt(name: str) -> PromptCard:
    """A shipped prompt card."""
    return CATALOG.get(PromptCard, name)


def test_the_simple_prompt_is_the_studys() -> None:
    """hkust-nlp/simpleRL-reason utils.py:L128-132."""
    text = "Question:\n1+1?\nAnswer:\nLet's think step by step.\n"
    assert render(prompt("simple"), Problem("p", "1+1?", "2")) == text


def test_the_boxed_prompt_is_the_studys() -> None:
    """hkust-nlp/simpleRL-reason utils.py:L134-140, rendered by `str.format`."""
    text = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n{input}\nPlease reason step by step, and put your final answer within "
        "\\boxed{{}}.<|im_end|>\n<|im_start|>assistant\n"
    )
    found = render(prompt("boxed"), Problem("p", "1+1?", "2"))
    assert found == text.format(input="1+1?")


def test_boxed_as_run_differs_by_the_doubled_braces_alone() -> None:
    boxed, run = prompt("boxed").template, prompt("boxed-as-run").template
    assert "{{" not in boxed
    assert "}}" not in boxed
    assert run.replace(r"\boxed{{}}", r"\boxed{}") == boxed != run


@pytest.mark.parametrize("name", CATALOG.names(PromptCard))
def test_braces_in_a_problem_are_left_alone(name: str) -> None:
    before, after = prompt(name).template.split("{problem}")
    assert render(prompt(name), PROBLEM) == before + PROBLEM.question + after


@pytest.mark.parametrize("name", CATALOG.names(PromptCard))
def test_a_prompt_says_whether_it_asks_for_a_box(name: str) -> None:
    assert prompt(name).asks_for_box == ("boxed" in prompt(name).template)
