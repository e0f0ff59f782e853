r"""Text in, text out: one spelling for what is typeset in many ways, and the bounds on form.

`tidy` removes what carries no meaning (math delimiters, spacing, sizes, colour, markdown emphasis)
and spells unicode as LaTeX. `too_much` is the structural bound: it looks at length, depth and the
characters alone, in one linear pass, so two machines refuse the same texts. Neither knows what the
text means.
"""

# ruff: noqa: RUF001 - look-alike characters are the subject of this module

from __future__ import annotations

import re
from functools import lru_cache

MAX_ANSWER_CHARS = 2_000
MAX_DEPTH = 40
MAX_DIGITS = 1_000  # of one number, as written

_UNICODE = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "﹣": "-", "×": "\\times ", "⋅": "\\cdot ",
    "·": "\\cdot ", "∙": "\\cdot ", "÷": "/", "⁄": "/", "∕": "/", "√": "\\sqrt ", "π": "\\pi ",
    "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "γ": "\\gamma ", "λ": "\\lambda ",
    "μ": "\\mu ", "µ": "\\mu ", "ω": "\\omega ", "φ": "\\phi ", "∞": "\\infty ", "≤": "\\le ",
    "⩽": "\\le ", "≥": "\\ge ", "⩾": "\\ge ", "≠": "\\ne ", "≈": "\\approx ", "≡": "\\equiv ",
    "∈": "\\in ", "∪": "\\cup ", "∩": "\\cap ", "∅": "\\emptyset ", "ℝ": "\\mathbb{R}",
    "±": "\\pm ", "∓": "\\mp ", "°": "^\\circ ", "º": "^\\circ ", "′": "'", "’": "'", "‘": "'",
    "“": '"', "”": '"', "²": "^2", "³": "^3", "⁴": "^4", "¼": "\\frac14 ", "½": "\\frac12 ",
    "¾": "\\frac34 ", "⅓": "\\frac13 ", "⅔": "\\frac23 ", "⟨": "\\langle ", "⟩": "\\rangle ",
    "，": ",", "；": ";", "：": ":", "（": "(", "）": ")", "％": "%", "＝": "=", "＋": "+",
    "€": "\\text{euro}", "£": "\\text{pound}", "¥": "\\text{yen}", "¢": "\\text{cent}",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u3000": " ", "\u200b": "", "\ufeff": "",
}  # fmt: skip
_TRANSLATE = str.maketrans(_UNICODE)
_SPACING = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?|middle)(?![A-Za-z])\s*\.?(?=\s*[^A-Za-z0-9]|$)"
    r"|\\(?:displaystyle|textstyle|limits|nolimits|quad|qquad)(?![A-Za-z])"
    r"|\\hspace\*?\{[^{}]*\}|\\(?:color|textcolor)\s*\{\s*[A-Za-z]+\s*\}"
)
_PHANTOM = re.compile(r"\\[hv]?phantom\s*(?:\{[^{}]*\}|\\?[^\\{}])")
_WORDED = re.compile(r"\\(?:text|textbf|textrm|textit|mbox|mathrm|mathbf)\s*\{([^{}\\$]{2,})\}")
_PREFACE = re.compile(
    r"(?:so |thus |hence |the |final |my )*answer(?: is)?\s*[:=]?\s+", re.IGNORECASE
)
_CLOCK = re.compile(r"(?<![A-Za-z])([ap])\.\s?m\b\.?")
_RENAMED = re.compile(r"\\(?:dfrac|tfrac|cfrac|dbinom|tbinom)(?![A-Za-z])")
_WRAPPED = re.compile(r"\\+(?:boxed|fbox)\s*\{")
_ENVIRONMENT = re.compile(r"\\begin")
_DOUBLED = re.compile(r"\\\\(?=[A-Za-z]{2,})")
_ENDS_BEFORE = re.compile(r"(?:\\[,;:! ]|[\s,;:*`\"~])+")
_AFTER = frozenset(' \t\r\n.,;:*`"~')
_DEPTH = re.compile(r"[{(\[]|[})\]]")
_LONG_NUMBER = re.compile(rf"\d{{{MAX_DIGITS + 1},}}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)


def wordset(text: str) -> frozenset[str]:
    """The words of `text`: a readable way to write a table of words."""
    return frozenset(text.split())


def too_much(text: str) -> str | None:
    """Which structural bound `text` exceeds, or None."""
    if len(text) > MAX_ANSWER_CHARS:
        return "length"
    if _CONTROL.search(text):
        return "characters"
    depth = 0
    for mark in _DEPTH.findall(text) if len(text) > 2 * MAX_DEPTH else ():
        depth += 1 if mark in "{([" else -1
        if depth > MAX_DEPTH:
            return "depth"
    if len(text) > MAX_DIGITS and _LONG_NUMBER.search(text):
        return "digits"
    if text.count("^") + text.count("!") > 60:
        return "operators"
    return None


@lru_cache(maxsize=65_536)
def tidy(text: str) -> str:
    """`text` in one spelling; it has the same meaning and no outer delimiters."""
    text = text.strip().replace('\\"', '"')
    if text.isascii():
        if text.isalnum():
            return text
    else:
        text = text.translate(_TRANSLATE)
    text = _trim(text)
    if _DOUBLED.search(text) and not _ENVIRONMENT.search(text):
        text = _DOUBLED.sub(r"\\", text)
    elif "\\\\\\\\" in text or text.startswith("\\\\begin"):
        text = text.replace("\\\\", "\\")
    text = _unwrap(text)
    if "\\" in text:
        text = _RENAMED.sub(lambda match: "\\" + match.group()[2:], text)
        text = _SPACING.sub(" ", text)
        if "phantom" in text:
            text = _PHANTOM.sub(" ", text)
        if worded := _WORDED.fullmatch(text.strip()):
            text = worded[1]
    if ".m" in text or ". m" in text:
        text = _CLOCK.sub(r"\1m", text)
    if "nswer" in text and (preface := _PREFACE.match(text)):
        text = text[preface.end() :]
    return _trim(text.replace("**", "^"))


def _trim(text: str) -> str:
    """Without the spacing, punctuation and emphasis at both ends."""
    start = _ENDS_BEFORE.match(text)
    text = text[start.end() :] if start else text
    while text and text[-1] in _AFTER:
        text = text[:-1].rstrip()
        if text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1].rstrip()
    return text


def _unwrap(text: str) -> str:
    """Without math delimiters and boxes around the whole; a currency `$` stays as `\\$`."""
    for _ in range(6):
        before = text
        for start, end in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**")):
            inside = text[len(start) : len(text) - len(end)]
            if text.startswith(start) and text.endswith(end) and start not in inside:
                text = _trim(inside) if inside.strip() else text
        match = _WRAPPED.match(text)
        if match and _closing(text, match.end()) == len(text) - 1:
            text = _trim(text[match.end() : -1])
        if text == before:
            break
    return _dollars(text) if "$" in text else text


def _dollars(text: str) -> str:
    r"""Paired `$` are delimiters and vanish; a single one before or after a number is money."""
    bare = re.sub(r"\\\$", "\0", text)
    if bare.count("$") % 2 == 0:
        bare = bare.replace("$", " ")
    return bare.replace("$", "\\$").replace("\0", "\\$")


def _closing(text: str, at: int) -> int:
    """Where the brace opened before `at` closes; -1 where it does not."""
    depth = 1
    for mark in _BRACES.finditer(text, at):
        depth += {"{": 1, "}": -1}.get(mark.group(), 0)
        if depth == 0:
            return mark.start()
    return -1
