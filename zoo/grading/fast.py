"""What can be settled in microseconds, without sympy: equal texts, and numbers in every notation.

`settle` says CORRECT, WRONG or EXHAUSTED with the stage that decided, or None where only symbols
can tell. It looks at two short texts and knows neither completions nor workers.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from zoo.grading.verdict import Verdict

MAX_ANSWER_CHARS = 2_000
_SPACING = re.compile(r"\\[,;:! ]|\\(?:quad|qquad|left|right|displaystyle)(?![A-Za-z])|[\s$]|\\\$")
_FRACTION = re.compile(r"([+-]?)\\[dtc]?frac(?:\{(\d{1,40})\}|(\d))(?:\{(\d{1,40})\}|(\d))")
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,400})?(?:\.\d{0,400})?")


def settle(gold: str, prediction: str) -> tuple[Verdict, str] | None:
    """The verdict on `prediction` and how it was reached, or None where it takes symbols."""
    if len(prediction) > MAX_ANSWER_CHARS:
        return Verdict.EXHAUSTED, "structure"
    left, right = tidy(gold), tidy(prediction)
    if not left:
        return Verdict.BAD_GOLD, "gold"
    if left == right:
        return Verdict.CORRECT, "text"
    a, b = number(left), number(right)
    if a is None or b is None:
        return None
    return (Verdict.CORRECT if a == b else Verdict.WRONG), "fast"


@lru_cache(maxsize=65_536)
def tidy(text: str) -> str:
    """`text` without spacing, math delimiters and an end-of-sentence point."""
    return _SPACING.sub("", text).rstrip(".")


def number(text: str) -> Fraction | None:
    """The exact value of a tidy integer, decimal or fraction; None for anything else."""
    if _NUMBER.fullmatch(text) and any(map(str.isdigit, text)):
        return Fraction(text.replace(",", ""))
    match = _FRACTION.fullmatch(text)
    if match:
        top, bottom = int(match[2] or match[3]), int(match[4] or match[5])
        return Fraction(-top if match[1] == "-" else top, bottom) if bottom else None
    top, slash, bottom = text.partition("/")
    if slash and top.lstrip("+-").isdecimal() and bottom.isdecimal() and len(text) < 100:
        return Fraction(int(top), int(bottom)) if int(bottom) else None
    return None
