r"""Letters of multiple choice: `C`, `(C)`, `C. x = 42`, `\textbf{(C)}\ 42`.

A letter with the text of its option answers a reference that is the letter, and one that is the
text. Two letters are no answer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LETTERS = "A-J"
_ALONE = re.compile(rf"\(?([{_LETTERS}])\)?")
_OPTION = re.compile(
    rf"(?:\\(?:text|textbf|textit|textrm|mathrm|mathbf)\s*\{{\s*)?"
    rf"(?:\(([{_LETTERS}])\)|([{_LETTERS}])(?:\)|[.:](?=[\s\\}}])))[.:]?\s*\}}?"
    r"(?:\\[ ,;:]|\\q?quad(?![A-Za-z])|[~\s])*(.*)",
    re.DOTALL,
)
_SECOND = re.compile(
    rf"\([{_LETTERS}]\)|(?<![A-Za-z\\])[{_LETTERS}](?:\)|[.:](?:\s|$))"
    rf"|^[\s,;/&|+{_LETTERS}-]*$|\b(?:or|not|nor|either|maybe)\b"
)
_OPERATORS = tuple("+*/^=<>)_,")


class Option(NamedTuple):
    """A letter, and the text that stands behind it, which may be empty."""

    letter: str
    text: str


def lone_letter(answer: str) -> str | None:
    """The letter that a tidy answer is, or None."""
    if len(answer) > 3:
        return None
    match = _ALONE.fullmatch(answer)
    return match[1] if match else None


def option(answer: str) -> Option | None:
    """The letter at the start of a tidy answer and what follows it; None where there is none, where
    a second letter or a doubt follows, or where the letter is a factor or a name.
    """
    match = _OPTION.fullmatch(answer)
    if match is None:
        return None
    text = match[3] if "{" in match[3] else match[3].rstrip(" }")
    if text and (text.startswith(_OPERATORS) or _SECOND.search(text)):
        return None
    return Option(match[1] or match[2], text)
