"""Verdicts that can be reached in microseconds, without sympy.

`settle` returns CORRECT, WRONG, EXHAUSTED or BAD_GOLD with the stage that decided, or None if only
symbolic algebra can decide. It compares two short texts, without completions or workers: bounds on
form first, then equal texts, then forms that a strict marker refuses whatever their value, then the
comparison of forms.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from zoo.grading.choices import begins_with_letter, lone_letter, option, renames
from zoo.grading.digits import same_time
from zoo.grading.forms import Form, Listing, Matrix, Quantity, Raw, Relation
from zoo.grading.formula_compare import Refused, same
from zoo.grading.measures import gather_bare
from zoo.grading.shapes import read_form
from zoo.grading.tidy import MAX_ANSWER_CHARS, tidy, too_much
from zoo.grading.verdict import Verdict

Settled = tuple[Verdict, str]
_CACHED_CHARS = 400
_OPTION_STARTS = frozenset("(\\ABCDEFGHIJ")
_UNEVALUATED = re.compile(
    r"\\(?:int|iint|oint|sum|prod|lim|max|min|gcd|lcm|sup|inf|det|bmod|pmod|mod)(?![A-Za-z])"
    r"|\\frac\s*\{d\}\s*\{d"
)
_FORBIDDEN = re.compile(
    r"\\(?:cancel|bcancel|xcancel|sout|phantom|hphantom|vphantom|def|newcommand|renewcommand"
    r"|input|include|write\d*|csname|catcode|let|immediate|href|url|html\w*|class|style|require"
    r"|verb|begin\{comment\})(?![A-Za-z])"
    r"|__|\blambda\b\s*:|[\"`;]\s*import\b|\bimport\b|\beval\b|\bexec\b|\bos\.|\bopen\("
)
_GROUPS = re.compile(r"(?<=\d),(?=\d{3})")
_STRUCK = re.compile(  # no value: a negation, or a relation inside a function
    r"\\not(?:in)?(?![A-Za-z])|\\(?:sqrt|frac|sin|cos|tan|log|ln|exp)\s*[({][^{}()]*[=<>]"
)
_CHARACTERS = re.compile(r"[\w\s\\{}()\[\]+\-*/^=<>|.,:;!?'%$&]*", re.ASCII)


def settle(gold: str, prediction: str) -> Settled | None:
    """The verdict on `prediction` and how it was reached, or None where it takes symbols."""
    if len(prediction) > MAX_ANSWER_CHARS:
        return Verdict.EXHAUSTED, "structure"
    if len(gold) > MAX_ANSWER_CHARS:
        return Verdict.BAD_GOLD, "structure"
    if len(gold) + len(prediction) < _CACHED_CHARS:
        return _settle_cached(gold, prediction)
    return _settle(gold, prediction)


def agree(one: str, other: str) -> bool:
    """Whether two answers are equal by the fast path; for votes, where there is no reference. Long
    ones are compared by their text only.
    """
    if len(one) + len(other) >= _CACHED_CHARS:
        return tidy(one) == tidy(other)
    settled = settle(one, other)
    return settled is not None and settled[0].correct


def _settle(gold: str, prediction: str) -> Settled | None:
    unbounded = too_much(prediction)
    if unbounded and gold.strip() and not too_much(gold):
        return Verdict.EXHAUSTED, "structure"
    expected, found = tidy(gold), tidy(prediction)
    if not expected:
        return Verdict.BAD_GOLD, "gold"
    if expected == found or found == f"({expected})":
        return Verdict.CORRECT, "text"
    if unbounded:
        return Verdict.EXHAUSTED, "structure"
    if _FORBIDDEN.search(prediction) and not _FORBIDDEN.search(gold):
        return Verdict.WRONG, "refused"
    if _UNEVALUATED.search(found) and _unevaluated(found) and not _UNEVALUATED.search(expected):
        return Verdict.WRONG, "refused"
    return _settle_choice(expected, found) or _settle_forms(expected, found)


def _settle_choice(expected: str, found: str) -> Settled | None:
    """Where one side is an option with its letter: the letters, else the texts, are compared."""
    if found[:1] not in _OPTION_STARTS and expected[:1] not in _OPTION_STARTS:
        return None
    asked, given = lone_letter(expected), lone_letter(found)
    told, meant = option(found), option(expected)
    if asked and (renames(found) or (not told and begins_with_letter(found))):
        return Verdict.WRONG, "refused"
    if asked and told:
        return (Verdict.CORRECT if asked == told.letter else Verdict.WRONG), "fast"
    if given and meant and meant.text:
        return (Verdict.CORRECT if given == meant.letter else Verdict.WRONG), "fast"
    if (told and told.text) or (meant and meant.text):
        if told and meant and told.letter != meant.letter:
            return Verdict.WRONG, "fast"
        left, right = (meant.text if meant else expected), (told.text if told else found)
        if left and right:
            settled = _settle_forms(tidy(left), tidy(right))
            return settled if settled and settled[0].correct else None
    return None


_settle_cached = lru_cache(maxsize=65_536)(_settle)


def _settle_forms(expected: str, found: str) -> Settled | None:
    if (":" in expected or ":" in found) and (times := same_time(expected, found)) is not None:
        return (Verdict.CORRECT if times else Verdict.WRONG), "fast"
    left, right = read_form(expected), read_form(found)
    # In a reference `1,2` is a list of two; only as an answer is it a decimal.
    if _decimal_comma(left, found):
        right = read_form(found.replace(",", "."))
    elif _decimal_comma(right, expected) and not re.fullmatch(r"-?[1-9]\d*,\d", expected):
        left = read_form(expected.replace(",", "."))
    try:
        answer = same(left, right)
        if answer is False:
            answer = _same_with_unit(left, right, expected, found) or _same_as_lists(
                left, right, expected, found
            )
    except Refused:
        return Verdict.WRONG, "refused"
    except (RecursionError, OverflowError):  # too deep, or exact numbers beyond floats
        return Verdict.EXHAUSTED, "structure"
    if answer is not None:
        return (Verdict.CORRECT if answer else Verdict.WRONG), "fast"
    if _too_big(right):
        return Verdict.EXHAUSTED, "structure"
    return _for_symbols(left, right, expected, found)


def _same_with_unit(left: Form, right: Form, expected: str, found: str) -> bool:
    """Whether letters behind a space are units (`9.6 m/s`), where the other side has no letters."""
    if isinstance(left, Quantity) and not left.names:
        return _letters_in(right) and bool(same(left, read_form(gather_bare(found))))
    if isinstance(right, Quantity) and right.unit and not right.names and _letters_in(left):
        return bool(same(read_form(gather_bare(expected)), right))
    return False


def _same_as_lists(left: Form, right: Form, expected: str, found: str) -> bool:
    """Whether `20,100` is a list, where the other side is one."""
    for form, text, other in ((left, found, right), (right, expected, left)):
        if isinstance(form, Listing) and isinstance(other, Quantity) and _GROUPS.search(text):
            read = read_form(_GROUPS.sub(", ", text))
            return bool(same(form, read) if form is left else same(read, form))
    return False


def _letters_in(form: Form) -> bool:
    match form:
        case Quantity():
            return bool(form.names)
        case Relation():
            return _letters_in(form.sides[-1])
        case _:
            return isinstance(form, Raw)


def _for_symbols(left: Form, right: Form, expected: str, found: str) -> Settled | None:
    """None where a worker may decide, else why it may not."""
    if _STRUCK.search(found) or ("'" in found and "'" not in expected):
        return Verdict.WRONG, "refused"
    if isinstance(right, Raw):
        if not _CHARACTERS.fullmatch(found) or found.count("=") > 1:
            return Verdict.WRONG, "refused"
        if isinstance(left, Quantity) and not left.names:
            return Verdict.WRONG, "refused"
        if "\\" not in found and not isinstance(left, Raw):
            return Verdict.WRONG, "refused"
        if found.count("{") != found.count("}"):
            return Verdict.WRONG, "refused"
    return None


def _unevaluated(text: str) -> bool:
    """Whether the last side of the answer still has an operation to carry out."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        depth += (text[at] in "})]") - (text[at] in "{([")
        if text[at] == "=" and depth == 0:
            return _UNEVALUATED.search(text, at) is not None
    return True


def _decimal_comma(other: Form, text: str) -> bool:
    """Whether a comma is a decimal comma, as the other answer is a decimal or a fraction: `2,74`
    for 2.74."""
    if "," not in text or not isinstance(other, Quantity):
        return False
    if other.places is None and not isinstance(other.value, Fraction):
        return False
    return re.fullmatch(r"-?(?:\d+,\d{1,2}|0,\d+)", text) is not None


def _too_big(form: Form) -> bool:
    match form:
        case Quantity():
            return form.too_big
        case Listing():
            return any(map(_too_big, form.items))
        case Relation():
            return any(map(_too_big, form.sides))
        case Matrix():
            return any(_too_big(cell) for row in form.rows for cell in row)
        case _:
            return False
