"""Numbers as they are written: decimals with separators and exponents, digits in a stated base,
times of day. It uses the nodes of numbers, not those of formulas.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, NamedTuple

Node = tuple[Any, ...]
_CLOCK = re.compile(
    r"(\d{1,2})(?::(\d\d))?(?::(\d\d))?(?:\s|\\[,; ]|~)*"
    r"(?:\\(?:text|mathrm)\s*\{\s*)?(?:([ap])m)?\s*\}?",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[^\d.eE+-]")


def number(text: str) -> Node:
    """The node of a number as written, with any thousands separators."""
    text = _SEPARATORS.sub("", text)
    mantissa, _, exponent = text.lower().partition("e")
    if "." not in mantissa and not exponent:
        return ("n", int(mantissa))
    scale = int(exponent or 0)
    whole, _, digits = mantissa.partition(".")
    top = int((whole + digits) or 0) * 10 ** max(0, scale)
    value = Fraction(top, 10 ** (len(digits) + max(0, -scale)))
    return ("n", int(value) if value.denominator == 1 else value)


def proper(node: Node) -> bool:
    """Whether a node is a fraction of whole numbers between 0 and 1."""
    return (
        node[0] == "/"
        and node[1][0] == node[2][0] == "n"
        and isinstance(node[1][1], int)
        and isinstance(node[2][1], int)
        and 0 < node[1][1] < node[2][1]
    )


def mixed(whole: int, part: Node) -> Node | None:
    """The mixed number of a whole one and a proper fraction, perhaps of degrees; else None."""
    fraction = part[1] if part[0] == "deg" else part
    if not proper(fraction):
        return None
    both: Node = ("n", whole + Fraction(fraction[1][1], fraction[2][1]))
    return ("deg", both) if part[0] == "deg" else both


def numeral(text: str, base: int) -> str | None:
    """The digits of a numeral without leading zeros, or None where `base` has no such digits. Above
    base ten the digits are capital letters; in smaller bases letters are no digits.
    """
    text = re.sub(r"[\s,!{}\\]", "", text)
    if base < 2 or not re.fullmatch(r"[0-9A-Z]+(?:\.[0-9]+)?", text):
        return None
    if any(letter.isalpha() and ord(letter) - 55 >= base for letter in text):
        return None
    return text.lstrip("0") or "0"


class Clock(NamedTuple):
    """A time of day: minutes and seconds, the half of the day if stated, and whether the text has
    no other meaning.
    """

    minutes: int
    seconds: int
    half: str
    certain: bool


def clock(text: str) -> Clock | None:
    """The time of day that `text` writes: `7:30 am`, `19:30`, `19:30:00`, `7 pm`."""
    match = _CLOCK.fullmatch(text)
    if match is None or not (match[2] or match[4]):
        return None
    hour, minute, second = (int(match[at] or 0) for at in (1, 2, 3))
    half = (match[4] or "").lower()
    if hour > (12 if half else 23) or minute > 59 or second > 59:
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Clock(60 * hour + minute, second, half, bool(half or match[3]))


def same_time(gold: str, prediction: str) -> bool | None:
    """Whether two texts write the same time of day, where one of them can be nothing else; None
    where none is. One side may leave out the half of the day.
    """
    left, right = clock(gold), clock(prediction)
    if left is None or right is None or not (left.certain or right.certain):
        return None
    if left.seconds != right.seconds or left.minutes % 720 != right.minutes % 720:
        return False
    if left.half == right.half:
        return left.minutes == right.minutes
    plain = right if left.half else left
    return left.minutes == right.minutes or (not plain.half and plain.minutes < 13 * 60)
