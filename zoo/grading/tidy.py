r"""One spelling for text that can be typeset in many ways, and the bounds on form.

`tidy` removes what carries no meaning (math delimiters, spacing, sizes, colour, markdown emphasis)
and spells unicode as LaTeX. `too_much` is the structural bound: it checks only length, depth and
characters, in one linear pass, so all machines refuse the same texts.
"""

# ruff: noqa: RUF001 - look-alike characters are the subject of this module

from __future__ import annotations

import re
from functools import lru_cache

MAX_ANSWER_CHARS = 2_000
MAX_DEPTH = 40
MAX_DIGITS = 1_000  # of one number, as written
MAX_SIGNS = 250
MAX_TEXTS = 30

_DELIMITERS = (
    ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("_", "_"),
)  # fmt: skip
_UNICODE = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "﹣": "-", "×": "\\times ", "⋅": "\\cdot ",
    "·": "\\cdot ", "∙": "\\cdot ", "÷": "/", "⁄": "/", "∕": "/", "√": "\\sqrt ", "π": "\\pi ",
    "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "γ": "\\gamma ", "λ": "\\lambda ",
    "μ": "\\mu ", "µ": "\\mu ", "ω": "\\omega ", "φ": "\\phi ", "∞": "\\infty ", "≤": "\\le ",
    "⩽": "\\le ", "≥": "\\ge ", "⩾": "\\ge ", "≠": "\\ne ", "≈": "\\approx ", "≡": "\\equiv ",
    "∈": "\\in ", "∪": "\\cup ", "∩": "\\cap ", "∅": "\\emptyset ", "ℝ": "\\mathbb{R}",
    "±": "\\pm ", "∓": "\\mp ", "°": "^\\circ ", "º": "^\\circ ", "′": "'", "’": "'", "‘": "'",
    "“": '"', "”": '"', "″": "''", "¼": "\\frac14 ", "½": "\\frac12 ",
    "¾": "\\frac34 ", "⅓": "\\frac13 ", "⅔": "\\frac23 ", "⟨": "\\langle ", "⟩": "\\rangle ",
    "⅕": "\\frac15 ", "⅛": "\\frac18 ", "⅜": "\\frac38 ", "⅝": "\\frac58 ", "⅞": "\\frac78 ",
    "→": "\\to ", "⇒": "\\Rightarrow ", "∠": "\\angle ", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}",
    "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ", "ħ": "\\hbar ",
    "δ": "\\delta ", "ε": "\\epsilon ", "η": "\\eta ", "κ": "\\kappa ", "ν": "\\nu ",
    "ρ": "\\rho ", "σ": "\\sigma ", "τ": "\\tau ", "ψ": "\\psi ", "Δ": "\\Delta ", "Γ": "\\Gamma ",
    "Φ": "\\Phi ", "Ω": "\\Omega ", "\u2126": "\\Omega ", "Å": "\\AA ", "\u212b": "\\AA ",
    "。": ".", "、": ",",
    "€": "\\text{euro}", "£": "\\text{pound}", "¥": "\\text{yen}", "¢": "\\text{cent}",
    "\u00a0": " ", "\u2002": " ", "\u2003": " ", "\u2004": " ", "\u2005": " ", "\u2006": " ",
    "\u2007": " ", "\u2008": " ", "\u2009": " ", "\u200a": " ", "\u202f": " ", "\u205f": " ",
    "\u3000": " ", "\u200b": "", "\ufeff": "", "\u2026": "...",
    "\u200c": "", "\u200d": "", "\u2060": "", "\u00ad": "",
}  # fmt: skip
_FULL_WIDTH = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}
_TRANSLATE = str.maketrans(_FULL_WIDTH | _UNICODE)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_SUBSCRIPT = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_SPACING = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?|middle)(?![A-Za-z])\s*\.?(?=\s*[^A-Za-z0-9]|$)"
    r"|\\(?:displaystyle|textstyle|limits|nolimits|quad|qquad)(?![A-Za-z])"
    r"|\\(?:bf|rm|it|sf|large|Large|LARGE|huge|Huge|small|normalsize|boldmath)(?![A-Za-z])"
    r"|\\hspace\*?\{[^{}]*\}|\\(?:color|textcolor)\s*\{\s*[A-Za-z]+\s*\}"
)
_PHANTOM = re.compile(r"\\[hv]?phantom\s*(?:\{[^{}]*\}|\\?[^\\{}])")
_WORDED = re.compile(
    r"\\(?:text|textbf|textrm|textit|mbox|mathrm|mathbf)\s*\{((?:[^{}\\$]|\\[,;! $]){2,})\}"
)
_LINKS = r"(?:(?:so|thus|hence|therefore|then|finally|the|final|my|correct)\b,?\s*)*"
_PREFACE = re.compile(
    rf"{_LINKS}answer(?: is)?\s*[:=]?\s+|\\text\s*\{{\s*{_LINKS}answer(?: is)?\s*[:=]?\s*\}}\s*"
    r"|(?:so|thus|hence|therefore|then|finally)\b,?\s+|(?:option|choice)\s+(?=\W*[A-Z]\W*$)",
    re.IGNORECASE,
)
_ROUGHLY = re.compile(
    r"^(?:\\text\s*\{\s*)?(?:approximately|approx\b\.?|about|roughly)\s*\}?\s*(?=[-\d.$\\])",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"(?<!\s)\s*+(?:\\text\s*+\{\s*+)?\(\s*+(?:(?:or\s+)?(?:approximately|about|approx\b\.?)|\\approx(?![a-z]))\s*"
    r"([^(){}]+)\)\s*\}?$"
)
_GROUP = r"((?:[^{}]|\{[^{}]*\})*)"
_OVER = re.compile(rf"\{{{_GROUP}\\(over|choose)(?![A-Za-z]){_GROUP}\}}")
_TIMES = re.compile(r"(?<=\d)\s*+[xX]\s*+(?=10\s*\^)")
_EXPONENT = re.compile(r"(?<=\d)\s*\\(?:mathrm|text|rm)\s*\{\s*[eE]\s*\}(?=[-+]?\d)")
_BASED = re.compile(
    r"([0-9A-Z.]+)\s*_?\{?\s*(?:\\text\s*\{\s*)?\(?(?:in\s+)?base[\s\-]*\}?\s*(\w+)\s*\)?\s*\}*"
)
_BESIDE = re.compile(r"\s*(?:\\q?quad(?![A-Za-z])|\\\\(?=\s*[A-Za-z]\w*\s*=))\s*")
_RATIO = re.compile(r"([\d.]+)\s*(?:\\text\s*\{\s*to\s*\}|\bto\b)\s*([\d.]+)")
_HAS_WORDS = re.compile(r"[A-Za-z]{2}|[xX]")
_CLOCK = re.compile(r"(?<![A-Za-z])([ap])\.\s?m\b\.?", re.IGNORECASE)
_RENAMED = re.compile(r"\\(?:dfrac|tfrac|cfrac|dbinom|tbinom)(?![A-Za-z])")
_WRAPPED = re.compile(r"\\*(?:boxed|fbox)\s*\{")
_ENVIRONMENT = re.compile(r"\\begin")
_ONE_LINE = re.compile(
    r"\\begin\{(align|aligned|equation|gather|split)(\*?)\}(.*)\\end\{\1\2\}", re.DOTALL
)
_PERCENT = re.compile(r"\\(?:text|mathrm|rm)\s*\{\s*\\?%\s*\}")
_SUFFIX = "(?:st|nd|rd|th)"
_WORDED_SUFFIX = rf"\\(?:text|mathrm|rm)\s*\{{\s*{_SUFFIX}\s*\}}"
_ORDINAL = re.compile(
    rf"(?<=\d)\s*(?:\^\s*\{{\s*(?:{_WORDED_SUFFIX}|{_SUFFIX})\s*\}}|\^?\s*{_WORDED_SUFFIX})"
    r"|(?:(?<=1)st|(?<=2)nd|(?<=3)rd|(?<=[04-9])th|(?<=1[1-3])th)\b"
)
_LETTER = r"\\?([ijk])(?:math)?"
_VECTORS = r"\\(?:hat|widehat|vec|overrightarrow|mathbf|bm|boldsymbol)\s*"
_VECTOR = re.compile(
    rf"{_VECTORS}(?:\{{\s*(?:{_VECTORS}\{{\s*{_LETTER}\s*\}}|(?:{_VECTORS})?{_LETTER})\s*\}}"
    rf"|{_LETTER}(?![A-Za-z]))"
)
_GROUPS = re.compile(r"(?<=\d),\s?\\!\s*(?=\d)")
_OPEN_ENDED = re.compile(r",\s*\.{2,}$")
_DOUBLED = re.compile(r"\\\\(?=[A-Za-z]{2,})")
_ENDS_BEFORE = re.compile(r"(?:\\[,;:! ]|[\s,;:*`\"~])+")
_AFTER = frozenset(' \t\r\n.,;:*`"~')
_RUN = re.compile(r"\s{2,}")
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
    if text.count("^") + text.count("!") > 60 or text.count("\\cup") > 30:
        return "operators"
    if len(text) > MAX_SIGNS and (
        sum(map(text.count, "+-*/,&")) > MAX_SIGNS or text.count("\\text") > MAX_TEXTS
    ):
        return "operators"
    return None


@lru_cache(maxsize=65_536)
def tidy(text: str) -> str:
    """`text` in one spelling; it has the same meaning and no outer delimiters."""
    text = text.strip().replace('\\"', '"')
    if "  " in text:
        text = _RUN.sub(" ", text)
    if text.isascii():
        if text.isalnum():
            return text
    else:
        text = _plain(text)
    text = _trim(text)
    if _DOUBLED.search(text) and not _ENVIRONMENT.search(text):
        text = _DOUBLED.sub(r"\\", text)
    elif "\\\\\\\\" in text or text.startswith("\\\\begin"):
        text = text.replace("\\\\", "\\")
    text = _unwrap(text)
    if "\\" in text:
        text = _retypeset(text)
        if text.count("=") > 1 and "\\begin" not in text:
            text = _BESIDE.sub(", ", text)
        text = _RENAMED.sub(lambda match: "\\" + match.group()[2:], text)
        text = _SPACING.sub(" ", text)
        if "phantom" in text:
            text = _PHANTOM.sub(" ", text)
        if ("\\over" in text or "\\choose" in text) and len(text) < 300:
            text = _fractions(text)
        if "e}" in text or "E}" in text:
            text = _EXPONENT.sub("e", text)
        if worded := _WORDED.fullmatch(text.strip()):
            text = worded[1]
    if ". m" in text or ".m" in text or ".M" in text:
        text = _CLOCK.sub(r"\1m", text)
    text = text.replace("**", "^").replace("{:}", ":")
    text = _trim(text)
    return _trim(_reworded(text)) if _HAS_WORDS.search(text) else text


def _retypeset(text: str) -> str:
    r"""One spelling for several ways to typeset: `1,\!234`, `5\text{\%}`, a formula in
    `align*`, unit vectors.
    """
    if "\\!" in text:
        text = _GROUPS.sub("", text)
    if "%" in text:
        text = _PERCENT.sub(r"\\%", text)
    if "\\begin" in text and "\\\\" not in text and (line := _ONE_LINE.fullmatch(text)):
        text = line[3].replace("&", "").strip()
    if len({letter for match in _VECTOR.finditer(text) for letter in match.groups()} - {None}) > 1:
        text = _VECTOR.sub(lambda match: f"\\hat{{{next(filter(None, match.groups()))}}}", text)
    return text


def _reworded(text: str) -> str:
    """Without the words that lead to an answer; "about" and "to" and the x of `3 x 10^8` as
    signs.
    """
    text = _ORDINAL.sub("", text)
    if text[0].isalpha() or text.startswith("\\text"):
        if preface := _PREFACE.match(text):
            text = text[preface.end() :]
        text = _ROUGHLY.sub(r"\\approx ", text, count=1)
    if "10" in text:
        text = _TIMES.sub("\\\\times ", text)
    if "base" in text and (based := _BASED.fullmatch(text)):
        return f"{based[1]}_{{{based[2]}}}"
    if "to" in text and (ratio := _RATIO.fullmatch(text.strip())):
        return f"{ratio[1]}:{ratio[2]}"
    return _ASIDE.sub(r" \\approx \1", text) if "approx" in text or "about" in text else text


def _fractions(text: str) -> str:
    r"""`{a \over b}` and `{n \choose k}` as commands with arguments."""
    text = text if text.startswith("{") else "{" + text + "}"
    name = {"over": "frac", "choose": "binom"}
    for _ in range(4):
        text, changes = _OVER.subn(lambda m: f"\\{name[m[2]]}{{{m[1]}}}{{{m[3]}}}", text)
        if not changes:
            break
    return text


def _plain(text: str) -> str:
    """Unicode as LaTeX."""
    text = _SUPERSCRIPT.sub(lambda match: f"^{{{match.group().translate(_RAISED)}}}", text)
    text = _SUBSCRIPT.sub(lambda match: f"_{{{match.group().translate(_LOWERED)}}}", text)
    return text.translate(_TRANSLATE)


def _trim(text: str) -> str:
    """Without the spacing, punctuation and emphasis at both ends."""
    start = _ENDS_BEFORE.match(text)
    text = text[start.end() :] if start else text
    if text.endswith("..") and _OPEN_ENDED.search(text):
        return text
    while text and (text[-1] in _AFTER or (text[-1] == "\\" and text[-2:] != "\\\\")):
        text = text[:-1].rstrip()
    return text


def _unwrap(text: str) -> str:
    r"""Without math delimiters and boxes around the whole; a currency `$` stays as `\$`."""
    for _ in range(6):
        before = text
        for start, end in _DELIMITERS:
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
