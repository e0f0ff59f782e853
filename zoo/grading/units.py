r"""Words next to numbers: units that may be dropped, and words that change a number's meaning.

An answer may carry a unit or a noun that the reference leaves out, and the other way round; two
different units are two different answers. A word that negates, hedges, compares or counts is no
unit: `7 \text{ or } 8` and `\text{not } 7` are not the number 7, nor is a number after words that
are no unit, caption or "is": `\text{a factor of } 7`. No unit is converted: `90 minutes` is not `1
hour 30 minutes`, nor `18 dollars and 90 cents` `18.90`.
"""

from __future__ import annotations

import re

from zoo.grading.measures import dimension
from zoo.grading.tidy import wordset

_ALIASES = {
    "millimeter": "mm millimetre", "centimeter": "cm centimetre", "meter": "m metre",
    "kilometer": "km kilometre", "inch": 'in inche "', "foot": "ft feet '", "yard": "yd",
    "mile": "mi", "milligram": "mg", "gram": "g gm", "kilogram": "kg kilo", "pound": "lb lbs",
    "ounce": "oz", "ton": "tonne", "milliliter": "ml millilitre", "liter": "l litre",
    "second": "s sec", "minute": "min", "hour": "h hr", "dollar": "usd buck $", "cent": "¢",
    "degree": "deg", "euro": "eur €", "rupee": "rs inr", "yuan": "rmb cny",
    "newton": "n", "joule": "j", "watt": "w",
    "mph": "mile/hour mileanhour", "kph": "kilometer/hour kmh", "radian": "rad",
    "am": "", "pm": "",
    "person": "people", "child": "children", "man": "men", "woman": "women", "mouse": "mice",
}  # fmt: skip
_CANONICAL = {alias: name for name, text in _ALIASES.items() for alias in [name, *text.split()]}
_CURRENCIES = frozenset(("dollar", "euro", "pound", "lb", "yen", "cent", "rupee", "yuan", "peso"))
_SINGLE_LETTERS = frozenset("mgsLlhNJWVACK")
SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
PERCENT = frozenset(("percent", "percents", "pct", "percentage"))
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {word: at for at, word in enumerate(_ONES.split())} | {
    word: 10 * at for at, word in enumerate(_TENS.split(), 2)
}
_CHANGES = wordset(
    "not no nor or and but minus plus times over under less more than least most between to from "
    "about around approximately approx roughly nearly almost maybe perhaps possibly probably "
    "either neither negative half double twice triple dozen dozens if unless except without else "
    "versus vs instead wrong incorrect false then greater fewer exceeds above below unknown "
    "undefined divided multiplied squared cubed power root modulo mod choose factorial remainder "
    "first second third ish answer actually rather never cannot can't isn't doesn't "
    "impossible invalid rejected unlikely unsure guess guessed hopefully excluded excluding "
    "omitted maximum minimum bound onward onwards otherwise oder when whenever provided assuming "
    "halves thirds fourths fifths sixths sevenths eighths ninths tenths hundredths thousandths "
    "tenth hundredth doubled halved tripled negated reciprocal inverse too big small high low fold "
    "ruled fails fail extraneous won't wasn't shouldn't mil bn mn tn quadrillion "
    "quintillion googol ppm basis mille likely estimate estimated circa lower upper max "
    "tens hundreds thousands millions billions trillions gross lakh crore grand permille"
) | {*SCALES, *NUMBER_WORDS}
_WHICH = re.compile(
    r"\b(?:remainder|maximum|minimum|max|least|most|greatest|smallest|small|first|second|third|power"
    r"|answer|lower|upper|bound|reciprocal|inverse)\b",
    re.IGNORECASE,
)
_COUNTED = frozenset(("more", "times"))  # next to a number alone they count: `20 more minutes`
_HAN_CHANGES = re.compile(
    "[或不非到至约多少大小以倍成半万亿]|[千百](?![米克瓦分])|分之"
    "|또는|아니|혹은|약|이상|이하|미만|초과|[만억천백배반]|분의"
)
_DENIALS = frozenset(("not", "wrong", "incorrect", "false", "never"))
_TIME_UNITS = frozenset(("second", "seconds"))
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_SQUARE = re.compile(r"\b(square|sq\.?|cubic|cu\.?)\s+([a-z]+)")
_POWER = re.compile(r"\^\s*\{?\s*(\d)\s*\}?")


def says_more(words: str) -> bool:
    """Whether words next to a number change or hedge it, so that they are no unit."""
    if dimension(words):
        return False
    if any(map(str.isdigit, _POWER.sub("", words))) or _HAN_CHANGES.search(words) or "?" in words:
        return True
    found = [word.lower() for word in _WORD.findall(words)]
    if len(found) > 6:
        return True
    if _COUNTED.intersection(found):
        if "than" in found or (found[-1] == "times" and len(found) > 1):
            return True
        found = [word for word in found if word not in _COUNTED]
    return any(word in _CHANGES and not (word in _TIME_UNITS and len(found) == 1) for word in found)


def denies(words: str) -> bool:
    r"""Whether words negate what they name: `\text{not } x`."""
    return not _DENIALS.isdisjoint(_WORD.findall(words.lower()))


def is_unit_word(word: str, after_space: bool = False) -> bool:
    """Whether a bare word after a number can be a unit or a counted noun and not a product."""
    if len(word) == 1:
        return after_space and word in _SINGLE_LETTERS
    return len(word) > 3 or word.lower() in _CANONICAL or _singular(word.lower()) in _CANONICAL


def is_currency(words: str) -> bool:
    """Whether the words are a currency, which may precede its number."""
    return canonical(words) in _CURRENCIES


def idles(word: str) -> bool:
    """Whether a word between units has no meaning alone: `20 per week`."""
    return word.lower() in ("per", "of", "a", "an", "the", "each", "more")


def as_caption(words: str) -> str:
    """Words before a number without those that only name the number: `the maximum is`."""
    return _WHICH.sub(" ", words)


def known(words: str) -> bool:
    """Whether the words are a unit of the table."""
    return dimension(words) is not None or canonical(words) in _ALIASES


def canonical(words: str) -> str:
    """One spelling of a unit: abbreviations, plurals, squares and "per"; empty if it has no
    meaning.
    """
    if measure := dimension(words):
        return "" if measure == "unit" else measure
    words = words.lower().replace("\\", " ").replace("$", " $ ")
    words = _SQUARE.sub(lambda m: f"{m[2]}^{2 if m[1].startswith('s') else 3}", words)
    words = re.sub(r"\bper\b", "/", _POWER.sub(r"^\1", words))
    parts = re.findall(r"[^\W\d_]+|[/^¢$'\"]|\d", words)
    idle = ("of", "the", "a", "an", "in", "total", "unit", "units")
    kept = [part for part in parts if part not in idle or parts == ["in"]]
    joined = "".join(_canonical_word(part) for part in kept)
    return _CANONICAL.get(joined, joined)


def compatible(gold: str, prediction: str) -> bool:
    """Whether two canonical units can mean the same quantity."""
    if not gold or not prediction or gold == prediction:
        return True
    if {gold, prediction} in ({"degree", "celsius"}, {"degree", "fahrenheit"}):
        return True
    if gold.startswith("unit^") or prediction.startswith("unit^"):
        return gold.rpartition("^")[2] == prediction.rpartition("^")[2]
    if min(len(gold), len(prediction)) <= 4 or any(mark in gold + prediction for mark in "/^ "):
        return False
    return gold.endswith(prediction) or prediction.endswith(gold)


def _canonical_word(word: str) -> str:
    return _CANONICAL.get(word) or _CANONICAL.get(_singular(word)) or _singular(word)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word
