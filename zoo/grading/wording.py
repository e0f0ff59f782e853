r"""Quantities and words: a formula with its unit, percent sign and scale, and answers that are
words.

With a word that changes or hedges a number the whole is words, so that `7 \text{ or } 8` is not a
quantity of 7 with a unit.
"""

from __future__ import annotations

import re

from zoo.grading import units
from zoo.grading.forms import Form, Words, quantity
from zoo.grading.lex import Token, Unread
from zoo.grading.tidy import wordset
from zoo.grading.tree import read


def read_words(tokens: list[Token]) -> Form:
    """Words, or the number that they spell."""
    if tokens[0][0] == "-" or (len(tokens) > 2 and tokens[0][0] == "(" and tokens[1][0] == "-"):
        raise Unread("-")
    text = " ".join(value for kind, value in tokens if kind in _SPOKEN)
    words = text.lower().replace("-", " ").split()
    if all(word in units.NUMBER_WORDS or word in units.SCALES or word == "and" for word in words):
        spelled = _spelled(words) if all(kind in _SPOKEN for kind, _ in tokens) else None
        return words_form(text) if spelled is None else quantity(("n", spelled))
    if len(tokens) == 1 and tokens[0][0] == "word" and len(text) <= 3 and text.islower():
        return _letters(text)
    return words_form(text)


def _letters(word: str) -> Form:
    """A short word alone may be a product or a word: it equals only itself and its product."""
    if word in _SHORT_WORDS:
        return Words(word)
    return quantity(read([("word", word)]))


_SPOKEN = frozenset(("word", "text", "sym", "and", "or", "-", "'"))
_SHORT_WORDS = wordset(
    "yes no odd red all one two six ten men mon tue wed thu fri sat sun may jan the dne"
)
_MONEY_SCALES = {"K": 10**3, "k": 10**3, "M": 10**6, "B": 10**9}  # `\$500\text{K}`
_LINKS = frozenset((("sym", "a"), ("/", "/"), ("*", "times")))
_LEADS = (":", " is", " are", "equals", "=")
_IDLE = re.compile(r"^\W*(?:(?:an?|the)\s+(?=\w{3})|(?:option|choice)\s+(?=\W*[a-z]\W*$))")
_SYNONYMS = {
    "nosolution": "emptyset", "nosolutions": "emptyset", "norealsolution": "emptyset",
    "norealsolutions": "emptyset", "none": "emptyset",
    "doesnotexist": "dne", "allrealnumbers": "reals", "allreals": "reals",
    "realnumbers": "reals", "setofallrealnumbers": "reals",
    "thereisnosolution": "emptyset", "therearenosolutions": "emptyset", "emptyset": "emptyset",
    "thereisnorealsolution": "emptyset", "therearenorealsolutions": "emptyset",
}  # fmt: skip


def words_form(text: str) -> Words:
    """Words by their letters and digits in lower case."""
    words = _IDLE.sub("", text.lower())
    squashed = "".join(letter for letter in words if letter.isalnum())
    if not squashed:
        raise Unread("no words")
    return Words(_SYNONYMS.get(squashed, squashed))


def _spelled(words: list[str]) -> int | None:
    """The number that number words spell, or None where they spell several: `five twenty`."""
    total = current = 0
    room, scale = 100, 10**15  # what the next word has to be below
    for at, word in enumerate(words):
        if word == "and":
            if at == 0 or at + 1 == len(words) or words[at - 1] not in units.SCALES:
                return None
        elif word in units.NUMBER_WORDS:
            value = units.NUMBER_WORDS[word]
            if value >= room or (value == 0 and len(words) > 1):
                return None
            current += value
            room = 10 if value >= 20 else 0
        elif word == "hundred":
            if current >= 100:
                return None
            current, room = max(current, 1) * 100, 100
        else:
            if units.SCALES[word] >= scale:
                return None
            scale = units.SCALES[word]
            total, current, room = total + max(current, 1) * scale, 0, 100
    return total + current


def read_quantity(tokens: list[Token]) -> Form:
    """A formula with its unit, percent sign, currency and the words before it."""
    body, before, beside, percent, scale = _strip_words(tokens)
    if not body:
        return words_form(" ".join(value for _, value in tokens))
    if beside and units.says_more(beside):
        return words_form(" ".join(value for _, value in tokens))
    places, digits = _written(body) if not percent and scale == 1 else (None, 0)
    node = read(body)
    if node[0] == "/" and node[2] == ("n", 100) and body[-1][0] == "%":
        node, percent = node[1], True
    if before and not units.is_currency(before):
        return words_form(" ".join(value for _, value in tokens))
    unit = units.canonical(beside)
    if node[0] == "deg":
        node, unit = node[1], "degree"
    elif node[0] == "*" and node[1][0] == ("n", -1) and node[1][-1][0] == "deg":
        node, unit = ("*", [*node[1][:-1], node[1][-1][1]]), "degree"
    if scale != 1:
        node = ("n", node[1] * scale) if node[0] == "n" else ("*", [node, ("n", scale)])
    return quantity(node, places=places, digits=digits, percent=percent, unit=unit)


def _strip_words(tokens: list[Token]) -> tuple[list[Token], str, str, bool, int]:
    """The formula, the words before it that are no caption, all the words around it, whether they
    mean percent, and their scale.
    """
    body = list(tokens)
    words: list[str] = []
    captions = 0
    percent, scale = False, 1
    sign = [body.pop(0)] if [kind for kind, _ in body[:2]] == ["-", "\\$"] else []
    while body and (body[0][0] in ("text", "\\$") or _is_caption(body) or _is_money(body)):
        words.append(body.pop(0)[1])
        if body[:1] == [(".", ".")] and units.is_currency(words[-1]):
            body.pop(0)
        if body[:1] == [(":", ":")]:
            body.pop(0)
            captions = len(words)
        elif words[-1].rstrip().endswith(_LEADS):
            captions = len(words)
    body = sign + body
    tail: list[str] = []
    if _is_counted(body):
        tail = [value for _, value in reversed(body[1:])]
        body = body[:1]
    while body:
        kind, value = body[-1]
        lower = value.strip().lower()
        if kind in ("text", "word") and lower in units.PERCENT:
            percent = True
        elif kind in ("text", "word") and lower in units.SCALES and scale == 1:
            scale = units.SCALES[lower]
        elif kind == "text" and "\\$" in words and (letter := value.strip()[:1]) in _MONEY_SCALES:
            scale = _MONEY_SCALES[letter] if value.strip() in (letter, letter + "^1") else scale
        elif kind in ("text", "\\$") or value == "times" or _beside(kind, value, bool(tail)):
            tail.append(value)
        elif [k for k, _ in body[-3:]] == ["(", "word", ")"] and len(body) > 3:
            tail.append(body[-2][1])
            del body[-2:]
        elif taken := _unit_power(body):
            tail += taken
        elif kind in ("/", ".", "'", '"') and tail and kind != "'":
            tail.append(value)
        else:
            break
        body.pop()
    caption = [units.as_caption(word) for word in words[:captions]]
    beside = " ".join([*caption, *words[captions:], *reversed(tail)])
    return body, " ".join(words[captions:]), beside, percent, scale


def _beside(kind: str, word: str, behind: bool) -> bool:
    """Whether a bare word is a unit or counted noun, or has no meaning before one: `per week`."""
    if kind != "word":
        return False
    return units.is_unit_word(word) or word == "more" or (behind and units.idles(word))


def _is_caption(body: list[Token]) -> bool:
    """Whether the first word is a caption such as `Total: `."""
    return body[0][0] == "word" and len(body) > 2 and body[1][0] == ":"


def _is_counted(body: list[Token]) -> bool:
    """Whether words of prose follow one number: `12 apples per day`."""
    rest = body[1:]
    return (
        len(rest) > 1
        and body[0][0] == "num"
        and all(kind == "word" or (kind, value) in _LINKS for kind, value in rest)
        and any(kind == "word" and len(value) > 3 for kind, value in rest)
    )


def _is_money(body: list[Token]) -> bool:
    """Whether the first word is a currency before a number: `USD 5`."""
    return body[0][0] == "word" and len(body) > 1 and units.is_currency(body[0][1])


def _unit_power(body: list[Token]) -> list[str]:
    r"""Takes the `^2` of `\text{cm}^2` off `body`, all but its last token."""
    kinds = [kind for kind, _ in body[-5:]]
    for form in (["^", "num"], ["^", "{", "num", "}"]):
        unit = len(body) - len(form) - 1
        if kinds[-len(form) :] == form and unit >= 0:
            kind, value = body[unit]
            if kind == "text" or (kind == "word" and units.is_unit_word(value)):
                exponent = next(value for kind, value in body[unit + 1 :] if kind == "num")
                del body[unit + 2 :]
                return [f"^{exponent}"]
    return []


def _written(body: list[Token]) -> tuple[int | None, int]:
    """Decimals and significant digits of a plain decimal, or of one times a power of ten."""
    tokens = body[1:] if body[0][0] in ("+", "-") else body
    if not tokens or tokens[0][0] != "num" or "." not in tokens[0][1]:
        return None, 0
    mantissa, _, exponent = tokens[0][1].lower().partition("e")
    places = len(mantissa.partition(".")[2]) - int(exponent or 0)
    digits = len(mantissa.replace(".", "").replace(",", "").lstrip("0"))
    rest = [value for kind, value in tokens[1:] if kind not in ("{", "}")]
    if not rest:
        return places, digits
    if rest[:3] in (["*", "10", "^"], ["\\times", "10", "^"]) and 4 <= len(rest) <= 5:
        sign = -1 if rest[3] == "-" else 1
        return (places - sign * int(rest[-1]), digits) if rest[-1].isdecimal() else (None, 0)
    return None, 0
