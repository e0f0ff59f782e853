"""The table of kinds and parameters is that of the functions; cards are held against it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from zoo.catalog.cards import ExtractionRule
from zoo.errors import Flaw
from zoo.grading import RULES, Verdict
from zoo.rewards.base import Completion
from zoo.rewards.functions import REWARDS, compute
from zoo.rewards.parameters import KINDS, flaws

PARTS = [{"kind": "random", "weight": 0.5}]


def required(kind: str) -> dict[str, Any]:
    """The parameters that have no default, each with a value."""
    values = {name: 1 for name, found in KINDS[kind].items() if found.default is None}
    return values | ({"parts": PARTS} if kind == "sum" else {})


def test_there_is_a_function_for_every_kind_and_a_name_for_every_policy() -> None:
    assert list(KINDS) == list(REWARDS)
    assert get_args(ExtractionRule) == RULES


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_table_asks_for_is_all_that_a_kind_needs(kind: str) -> None:
    assert flaws(kind, required(kind)) == []
    done = [Completion("It is \\boxed{7}.", True, 7)] * 3
    values = compute(
        kind, [Verdict.CORRECT, Verdict.WRONG, Verdict.BAD_GOLD], done, required(kind), 0
    )
    assert [value is None for value in values] == [False, False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_default_has_to_be_said(kind: str) -> None:
    missing = [flaw.found for flaw in flaws(kind, {})]
    assert missing == [f"'{name}' is missing" for name in required(kind)]


@pytest.mark.parametrize(
    ("kind", "params", "flaw"),
    [
        ("random", {"p": float("nan")}, ("p", "p is nan", "a number from 0 to 1")),
        ("random", {"p": True}, ("p", "p is true", "a number from 0 to 1")),
        ("overlong", {"cap": 0, "buffer": 1}, ("cap", "cap is 0", "a whole number of at least 1")),
        ("repetition", {"penalty": 0.1}, ("penalty", "penalty is 0.1", "a number of at most 0")),
        (
            "sum",
            {"parts": []},
            ("parts", "parts is []", "a list of parts `{kind, weight, params}`"),
        ),
    ],
)
def test_a_value_outside_its_bounds_is_a_flaw(
    kind: str, params: dict[str, Any], flaw: tuple[str, str, str]
) -> None:
    name, found, expected = flaw
    assert flaws(kind, params) == [Flaw(("params", name), found, expected)]


def test_a_sum_in_a_sum_is_looked_at_too() -> None:
    inner = {"kind": "sum", "params": {"parts": [{"kind": "random", "params": {"p": 2}}]}}
    (flaw,) = flaws("sum", {"parts": [inner]})
    assert flaw.path == ("params", "parts", 0, "params", "parts", 0, "params", "p")


def test_a_misspelt_parameter_is_not_missed_as_well() -> None:
    told = flaws("matrix", {"right_boxd": 1, "right_plain": 1, "wrong_boxed": 0, "wrong_plain": 0})
    assert [flaw.hint for flaw in told] == ["did you mean 'right_boxed'?"]
