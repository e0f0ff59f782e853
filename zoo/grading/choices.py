r"""Letters of multiple choice: `C`, `(C)`, `C. x = 42`, `\textbf{(C)}\ 42`.

A letter with the text of its option answers a reference that is the letter, and one that is the
text. Two letters are no answer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from zoo.grading.lex import TEXT_COMMANDS

_LETTERS = "A-J"
_ALONE = re.compile(rf"\(?([{_LETTERS}])\)?")
_OPTION = re.compile(
    rf"(?:\\(?:{TEXT_COMMANDS})\s*\{{\s*)?"
    rf"(?:\(([{_LETTERS}])\)|([{_LETTERS}])(?:\)|[.:](?=[\s\\}}])))[.:]?\s*\}}?"
    r"(?:\\[ ,;:]|\\q?quad(?![A-Za-z])|[~\s])*(.*)",
    re.DOTALL,
)
_ARTICLE = re.compile(r"A(?=\s[a-z]{3,})(?!\s(?:and|are|also|but|nor|not)\b)")
_SECOND = re.compile(rf"(?<![A-Za-z\\])[{_LETTERS}](?![A-Za-z])")
_DOUBT = re.compile(
    r"\b(?:or|not|nor|no|either|maybe|wrong|incorrect|false|but|instead|except|unless|never|also"
    r"|none|fails?|eliminated|ruled|cannot|can't|if|unlikely|option|choice|perhaps|possibly|actually|rather)\b",
    re.IGNORECASE,
)
_RENAMED = re.compile(
    rf"[{_LETTERS}]\s*(?:=|\\(?:to|rightarrow|Rightarrow|implies|iff)(?![A-Za-z]))"
)
_OPERATORS = tuple("+*/^=<>)_,")


def begins_with_letter(answer: str) -> bool:
    """Whether a tidy answer begins with a letter of choice, whatever follows it."""
    return _OPTION.fullmatch(answer) is not None


def renames(answer: str) -> bool:
    """Whether an answer equates two letters: `D = C`."""
    return _RENAMED.match(answer) is not None


class Option(NamedTuple):
    """A letter, and the text after it, which may be empty."""

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
    rest = _ARTICLE.sub("", text) if text.startswith("A ") else text
    if text.startswith(_OPERATORS) or _SECOND.search(rest) or _DOUBT.search(text):
        return None
    return Option(match[1] or match[2], text)
