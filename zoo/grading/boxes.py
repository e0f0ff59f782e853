r"""Finding `\boxed{...}` and `\fbox{...}` in a completion, without reading all of it.

Only complete boxes count. Neighbouring boxes that only connectives separate ("\boxed{1} and
\boxed{2}") are one answer of several elements, so a second boxed guess next to the first does not
replace it.

Only the neighbourhood of the last box is read, so that the cost does not grow with the text, and
unbalanced and deeply nested braces cost no more than prose.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_MARK = re.compile(r"\\+(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)

# What may be between two boxes of one answer: punctuation, math delimiters, a name with an
# equals sign, and/or.
_CONNECTIVE = re.compile(
    r"(?:[\s,;.:!?$&()\[\]|/+*`'\"_~>#%-]|\\[\[\]();,:!\s]|\\(?:quad|qquad|text|mathrm|textbf|textit|mbox"
    r"|left|right|or|vee|lor|wedge|land|newline|ldots|dots|cdots|hspace\*?\{[^{}]*\})(?![A-Za-z])"
    r"|[{}]|\b(?:and|or|also|either|else|maybe|perhaps|possibly|alternatively|both|equivalently|for"
    r"|part|case|vs|versus|to|otherwise|resp|respectively|oder|ou|br)\b|[或和及与]|или|и"
    r"|\d{1,2}[.)]\s|\([a-d]\)|[A-Za-z](?:_\{?\w{1,3}\}?)?(?:\(\w\))?\s*=)*",
    re.IGNORECASE,
)
# A formula whose sides or terms are boxed, on one line.
_SIGN = re.compile(
    r"[ \t$]*(=|[-+*/<>^→]|\\(?:to|implies|Rightarrow|approx|times|cdot|div|pm|cup|cap"
    r"|neq?|leq?|geq?|equiv|sim)"
    r"(?![A-Za-z]))"
    r"[ \t$]*"
)
_NOUN_AND = re.compile(r"[\s$]+[a-z]{3,15},?\s+and[\s$]+")  # "\boxed{3} apples and \boxed{4} pears"
_ALTERNATIVE = re.compile(
    r"\b(?:or|alternat(?:iv)?e(?:ly)?|otherwise|else|guess|if|as well as|could|might|unless|when"
    r"|possible|even|odd|max|min)\b",
    re.IGNORECASE,
)
_SIGNED = re.compile(  # text right before a box that belongs to it
    r"(?:(?<![\w)}\]])-|\\sqrt\{|\\frac\{[^{}]{1,20}\}\{|\\(?:neq?|not=)\s*|\b(?:not|never)\s)[$\s]*$"
)
_RAISED = re.compile(r"\^(?:\{[^{}]{1,8}\}|\w)|\d+|!(?=\s|\$|$)")  # and right behind it
_BESIDE = re.compile(
    r"(?<![^\s$])(-?\d[\d.]*)[\s$]*(?:or|\\text\{\s*or\s*\})[\s$]*$", re.IGNORECASE
)
_BEHIND = re.compile(
    r"[\s$]*(?:(?:or|\\text\{\s*or\s*\})[\s$]*(-?[\d.]+)"
    r"|(is (?:not (?:the|an?|correct|right)|wrong|incorrect)\b))",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"\.\$?\s+[A-Z]|\n\s*\n")
_MAX_GAP = 80
_BEFORE_CHARS = 1_000
_MAX_WINDOWS = 4
MAX_BOX_CHARS = (
    4_000  # a longer box is no answer: it is handed on as it is, for the bounds to refuse
)


class Box(NamedTuple):
    """One complete box: its start and end in the text, and its content."""

    start: int
    end: int
    content: str


@lru_cache(maxsize=2)
def find_boxes(text: str) -> tuple[Box, ...]:
    """The complete outermost boxes around the last opening of one, in the order of the text.

    Earlier openings are tried while there is no complete box, a bounded number of times.
    """
    before = len(text)
    for window in range(_MAX_WINDOWS):
        last = max(text.rfind("\\boxed", 0, before), text.rfind("\\fbox", 0, before))
        if last < 0:
            return ()
        start = max(0, last - _BEFORE_CHARS)
        boxes = _boxes_between(text, start, last + MAX_BOX_CHARS)
        if boxes:
            return tuple(boxes)
        if window == 0 and last + MAX_BOX_CHARS < len(text):
            return (Box(last, len(text), text[last : last + MAX_BOX_CHARS]),)
        before = start
    return ()


def _boxes_between(text: str, start: int, end: int) -> list[Box]:
    opened: list[tuple[int, int]] = []  # (start of box or -1 for a plain brace, start of content)
    found: list[tuple[int, int, int, int]] = []  # start, end, and the same of the content
    for mark in _MARK.finditer(text, start, end):
        token = mark.group()
        if token == "}":
            if not opened:
                continue
            at, inside = opened.pop()
            if at >= 0:
                while found and found[-1][0] > at:
                    found.pop()
                found.append((at, mark.end(), inside, mark.start()))
        elif token[-1] == "{" and (token == "{" or len(token) > 2):
            opened.append((-1 if token == "{" else mark.start(), mark.end()))
    return [Box(at, end, text[inside:inside_end]) for at, end, inside, inside_end in found]


def last_answer(text: str) -> str | None:
    r"""The content of the last box, joined with those of its neighbouring boxes; None without a
    complete box. Equal contents count once, unless each has a name: `x=\boxed{1}` and
    `y=\boxed{1}`.
    """
    boxes = find_boxes(text)
    if not boxes:
        return None
    boxes = tuple(box for box in boxes if box.content.strip()) or boxes
    run = [boxes[-1]]
    named = False
    for box in reversed(boxes[:-1]):
        gap = text[box.end : run[-1].start]
        if sign := _SIGN.fullmatch(gap):
            chained = f"{box.content.strip()} {sign[1]} {run[-1].content.strip()}"
            run[-1] = Box(box.start, run[-1].end, chained)
            continue
        joined = _CONNECTIVE.fullmatch(gap) or _NOUN_AND.fullmatch(gap) or _ALTERNATIVE.search(gap)
        if len(gap) > _MAX_GAP or not joined or _SENTENCE.search(gap):
            break
        named = named or "=" in gap
        run.append(box)
    contents = [box.content.strip() for box in reversed(run)]
    answer = ", ".join(contents if named else dict.fromkeys(contents))
    return _in_context(answer, text[max(0, run[-1].start - 40) : run[-1].start], text[run[0].end :])


def _in_context(answer: str, before: str, behind: str) -> str:
    r"""The boxed answer with what touches the box and changes it: `-\boxed{5}`, `\boxed{5}^2`, `6
    or \boxed{5}`, `not \boxed{5}`.
    """
    if signed := _SIGNED.search(before):
        sign = signed.group().rstrip("$ \n")
        closing = "}" if sign.endswith("{") else ""
        answer = f"{sign} {answer}{closing}" if sign.isalpha() else f"{sign}{answer}{closing}"
    if raised := _RAISED.match(behind[:12]):
        answer += raised.group()
    if beside := _BESIDE.search(before):
        answer = f"{beside[1]}, {answer}"
    if following := _BEHIND.match(behind[:40]):
        answer = f"{answer}, {following[1] or following[2]}"
    return answer


def has_box(text: str) -> bool:
    r"""Whether the text contains a complete `\boxed{...}` or `\fbox{...}`."""
    return any(box.end - box.start < MAX_BOX_CHARS for box in find_boxes(text))
