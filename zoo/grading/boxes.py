r"""Finding `\boxed{...}` and `\fbox{...}` in a completion, in one pass over the text.

Only complete boxes count. Neighbouring boxes that only connectives separate ("\boxed{1} and
\boxed{2}") are one answer of several elements: whoever boxes a second guess beside the first does
not get to choose which of them counts.

The pass is linear in the text whatever the text is: unbalanced and deeply nested braces cost no
more than prose.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_MARK = re.compile(r"\\+(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)

# What may stand between two boxes of one answer: punctuation, math delimiters, a name with an
# equals sign, and/or.
_CONNECTIVE = re.compile(
    r"(?:[\s,;.$&()\[\]|/+]|\\[\[\]();,:!\s]|\\(?:quad|qquad|text|mathrm|textbf|textit|mbox|left"
    r"|right|or|vee|lor|wedge|land)\b|[{}]|\b(?:and|or|also|either|else|maybe|perhaps|possibly"
    r"|alternatively|both|equivalently)\b"
    r"|[A-Za-z](?:_\{?\w{1,3}\}?)?(?:\(\w\))?\s*=)*",
    re.IGNORECASE,
)
_MAX_GAP = 80


class Box(NamedTuple):
    """One complete box: where it starts and ends in the text, and what is in it."""

    start: int
    end: int
    content: str


def find_boxes(text: str) -> list[Box]:
    """All complete outermost boxes, in the order of the text."""
    first = _first_box(text)
    if first < 0:
        return []
    opened: list[tuple[int, int]] = []  # (start of box or -1 for a plain brace, start of content)
    boxes: list[Box] = []
    for mark in _MARK.finditer(text, first):
        token = mark.group()
        if token == "}":
            if not opened:
                continue
            start, inside = opened.pop()
            if start >= 0:
                while boxes and boxes[-1].start > start:
                    boxes.pop()
                boxes.append(Box(start, mark.end(), text[inside : mark.start()]))
        elif token[-1] == "{" and (token == "{" or len(token) > 2):
            opened.append((-1 if token == "{" else mark.start(), mark.end()))
    return boxes


def last_answer(text: str) -> str | None:
    """What the last box says, joined with the boxes that stand beside it; None without a complete
    box.
    """
    boxes = find_boxes(text)
    if not boxes:
        return None
    run = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        gap = text[box.end : run[-1].start]
        if len(gap) > _MAX_GAP or not _CONNECTIVE.fullmatch(gap):
            break
        run.append(box)
    contents = list(dict.fromkeys(box.content.strip() for box in reversed(run)))
    return ", ".join(contents)


def has_box(text: str) -> bool:
    r"""Whether the text contains a complete `\boxed{...}` or `\fbox{...}`."""
    return bool(find_boxes(text))


def _first_box(text: str) -> int:
    places = [at for at in (text.find("\\boxed"), text.find("\\fbox")) if at >= 0]
    return min(places) if places else -1
