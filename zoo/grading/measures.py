r"""Units after a number, however they are typeset, in one spelling.

`9.6\,\mathrm{m\,s^{-2}}`, `9.6 \text{ m}/\text{s}^2`, `9.6 \frac{\text{m}}{\text{s}^2}` and `9.6
\text{ meters per second squared}` are one unit. `gather` writes the units behind a number as one
`\text{...}`; `dimension` spells a product of known units. A bare letter is a unit only after a
space, and only in `gather_bare`, where the other answer is unambiguous. No unit is converted.
"""

from __future__ import annotations

import re

from zoo.grading.tidy import wordset

_SYMBOLS = wordset(
    "m cm mm km nm fm dm g mg kg s ms ns min h hr N kN J kJ MJ W kW MW V mV kV A mA Hz kHz MHz GHz "
    "Pa kPa MPa GPa K C F T eV keV MeV GeV mol M L mL ml atm bar rad sr lm lx H ft in mi yd lb oz "
    "AU pc kpc Mpc ly yr erg dyn amu rpm dB"
)
_NAMES = {
    "kelvin": "K", "newton": "N", "joule": "J", "watt": "W", "volt": "V", "ampere": "A", "amp": "A",
    "hertz": "Hz", "pascal": "Pa", "tesla": "T", "mole": "mol", "molar": "M", "coulomb": "C",
    "farad": "F", "henry": "H", "ohm": "ohm", "meter": "m", "metre": "m", "second": "s", "sec": "s",
    "minute": "min", "hour": "h", "hr": "h", "gram": "g", "kilogram": "kg", "centimeter": "cm",
    "centimetre": "cm", "millimeter": "mm", "millimetre": "mm", "kilometer": "km",
    "kilometre": "km", "nanometer": "nm", "micrometer": "um", "micron": "um", "liter": "L",
    "litre": "L", "l": "L", "ml": "mL", "milliliter": "mL", "mile": "mi", "foot": "ft",
    "feet": "ft", "inch": "in", "inche": "in", "yard": "yd", "pound": "lb", "lbs": "lb",
    "ounce": "oz", "year": "yr", "day": "day", "week": "week", "month": "month",
    "angstrom": "angstrom", "electronvolt": "eV", "radian": "rad", "degree": "degree",
    "dollar": "dollar", "cent": "cent", "arcsecond": "arcsec", "arcsec": "arcsec",
    "parsec": "pc", "solarmass": "solarmass", "celsius": "celsius", "fahrenheit": "fahrenheit",
    "unit": "unit", "degcelsius": "celsius",
}  # fmt: skip
_WRAPPED = (
    r"\\(?:text|textrm|mathrm|rm|mbox|operatorname|textnormal)\*?\s*\{(?:[^{}]|\{[^{}]*\})*\}"
)
_POWER = r"(?:\s*+\^\s*+(?:\{\s*+-?\s*+\d\s*+\}|-?\d))?+"
_GAP = r"(?:\s|\\[,;:! ]|~)*+"  # possessive: no text makes these patterns go back and forth
_ITEM = rf"(?:{_WRAPPED}|\\(?:Omega|AA|mu)(?![A-Za-z])){_POWER}"
_FRACTION = rf"\\frac\s*\{{\s*{_ITEM}\s*\}}\s*\{{\s*{_ITEM}(?:{_GAP}{_ITEM})*\s*\}}"
_SOLAR = r"(?:\\text\s*\{\s*)?[MLR]\s*\}?\s*_\s*\{?\s*\\odot\s*\}?"
_WARMTH = r"\^\s*\{?\s*\\circ\s*\}?(?:\s|\\[,;:! ]|~)*(?:\\(?:text|mathrm)\s*\{\s*)?[CF]\s*\}?"
_JOINT = rf"(?:{_GAP}(?:\\cdot(?![A-Za-z])|\\times(?![A-Za-z])|/|\*)?+{_GAP})"
_TAIL = re.compile(
    rf"(?<=[\d)}}])(?:{_GAP})(?:\\text\s*\{{\s*\}}\s*)?"
    rf"((?:{_SOLAR}|{_WARMTH}|{_FRACTION}|{_ITEM})(?:{_JOINT}(?:{_FRACTION}|{_ITEM}))*+)$"
)
_BARE = re.compile(
    rf"(?<=[\d)}}])(?:\s|\\[,; ]|~)++"
    rf"((?:\\Omega(?![A-Za-z])|\\AA(?![A-Za-z])|(?:\\mu\s*+)?+[A-Za-z]++)"
    rf"{_POWER}(?:(?:\s|\\[,; ]|\\cdot|\*|/)++(?:\\mu\s*+)?+[A-Za-z]++{_POWER})*+)$"
)
_SET = re.compile(r"\\(?:text|mathrm|rm|mbox|operatorname|Omega|AA|mu|circ|odot)")
_REACH = 120  # how far before the end a unit may begin
_ARGUMENT = r"((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)"
_STRIP = re.compile(r"\\(?:text|textrm|mathrm|rm|mbox|operatorname|textnormal)\*?\s*\{|\\[,;:! ]|~")
_TOKEN = re.compile(r"/|\(|\)|[^\W\d_]+|\^?\{?\s*-?\s*\d\s*\}?|[$'\"]|\S")


def gather(text: str) -> str:
    r"""`text` with the typeset units behind its last number as one `\text{...}`."""
    match = None
    if "\\" in text and _SET.search(text):
        match = _TAIL.search(text, max(0, len(text) - _REACH))
    if match is None:
        return text
    tail = match[1]
    if _is_plain_word(tail):
        return text
    return _written(text[: match.start()], dimension(tail)) or text


def gather_bare(text: str) -> str:
    """`gather` for units that are typeset as letters after a space: `9.6 m/s^2`."""
    match = _BARE.search(text, max(0, len(text) - _REACH))
    spelled = dimension(match[1], symbols=True) if match else None
    return (_written(text[: match.start()], spelled) if match else None) or text


def _written(head: str, unit: str | None) -> str | None:
    """The number with its unit, never a lone letter, which would read as a variable."""
    if unit is None:
        return None
    return f"{head}\\text{{ {unit if len(unit) > 1 else unit + '^1'}}}"


def dimension(words: str, symbols: bool = False) -> str | None:
    """The product of known units that `words` name, in one spelling: `kg m s^-2`; None where a word
    is no known unit. With `symbols` only abbreviations count.
    """
    words = _fold(words)
    powers: dict[str, int] = {}
    sign = held = 1
    last = ""
    squared = 1
    for token in _TOKEN.findall(words):
        if token in ("/", "per"):
            sign = -1
        elif token == "(":
            held = sign
        elif token == ")":
            held = sign = 1
        elif token in ("square", "sq", "squared", "cubic", "cu", "cubed"):
            times = 2 if token.startswith("s") else 3
            if token in ("squared", "cubed") and last:
                powers[last] *= times
            else:
                squared = times
        elif token.lstrip("^{ -").rstrip("} ").isdecimal():
            if not last:
                return None
            powers[last] *= int(re.sub(r"[^\d-]", "", token))
            last = ""
        elif token in (".", "*"):
            continue
        else:
            unit = _unit(token, symbols)
            if unit is None:
                return None
            last = unit
            powers[unit] = powers.get(unit, 0) + sign * squared
            sign, squared = held, 1
    named = sorted(powers.items(), key=lambda item: (item[1] < 0, item[0]))
    return " ".join(u if n == 1 else f"{u}^{n}" for u, n in named if n) or None


def _is_plain_word(tail: str) -> bool:
    r"""Whether the tail is one `\text{...}` of several letters, which is read as words."""
    inside = tail[tail.find("{") + 1 : -1].strip()
    return tail.count("{") == 1 and tail.endswith("}") and len(inside) > 1 and inside.isalpha()


def _fold(words: str) -> str:
    """Typeset units as plain ones: no wrappers, fractions with a slash."""
    words = re.sub(rf"{_WARMTH}", lambda m: " celsius " if "C" in m[0] else " fahrenheit ", words)
    words = re.sub(_SOLAR, " solarmass ", words)
    words = re.sub(rf"\\frac\s*\{{{_ARGUMENT}\}}\s*\{{{_ARGUMENT}\}}", r" \1/(\2) ", words)
    words = re.sub(r"\\(?:cdot|times)(?![A-Za-z])", " ", words)
    words = words.replace("\\Omega", " ohm ").replace("\\AA", " angstrom ")
    words = re.sub(r"\\mu\s*(?:\\(?:text|mathrm)\s*\{\s*)?\s*(?=[A-Za-z])", " u", words)
    words = re.sub(r"\bmph\b", "mi/h", re.sub(r"\bkm?ph\b|\bkmh\b", "km/h", words))
    words = _STRIP.sub(" ", words)
    return re.sub(r"\{\s*(-?\s*\d)\s*\}", r"\1", words).replace("}", " ").replace("{", " ")


def _unit(word: str, symbols: bool) -> str | None:
    if word in _SYMBOLS:
        return _NAMES.get(word, word)
    if word[:1] == "u" and word[1:] in _SYMBOLS:
        return word
    lower = word.lower()
    for name in (lower, lower[:-1] if lower.endswith("s") else lower):
        if name in _NAMES and not (
            symbols and len(name) > 1 and not word.startswith(("ohm", "ang"))
        ):
            return _NAMES[name]
    return None
