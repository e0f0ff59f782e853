r"""Tokens of an answer: numbers in every notation, LaTeX commands, letters, words, signs.

A token is a pair (kind, value) with kind `num` (value: the text of the number), `cmd` (a command
without its backslash), `sym` (one letter), `word` (several letters that are no product), `text`
(the content of `\text{...}`) or the sign itself. The lexer raises `Unread` at a character that no
answer has; it never interprets.
"""

from __future__ import annotations

import re

from zoo.grading.tidy import wordset

Token = tuple[str, str]


class Unread(Exception):
    """The text is no formula that the fast path reads."""


_GROUPED = r"\d{1,3}(?:(?:\s?\{,\s?\}\s?|,\\!\s?|\\,|\\!|\\ |\\;|,|[ ~])\d{3})+(?!\d)"
_RUN = re.compile(r"(?<![\d.,])\d+(?:,\d+)+(?![\d,])")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
TEXT_COMMANDS = (
    "text|textrm|textbf|textit|textnormal|textsf|mathrm|mbox|hbox|textup|operatorname|mathit"
    "|mathbf|mathsf|bm|boldsymbol|mathcal"
)
_TOKEN = re.compile(
    rf"(?P<num>(?:{_GROUPED}|\d+)(?:\.\d+|\.(?=\s*\\(?:overline|bar)|\s*$|\s*/))?"
    r"(?:[eE][+-]?\d{1,4}(?![\w^]))?|\.\d+)"
    rf"|(?P<text>\\(?:{TEXT_COMMANDS})\*?\s*\{{(?P<inside>[^{{}}]*)\}})"
    r"|\\(?P<cmd>[A-Za-z]+)"
    r"|(?P<word>[A-Za-z]+)"
    r"|(?P<han>[\u4e00-\u9fff\uac00-\ud7a3]+)"
    r"|(?P<skip>\s+|\\[,;:! ]|~)"
    r"|(?P<sign>\\\\|\.{3,}|\\[{}%$|#&_]|<=|>=|!=|==|->|[-+*/^_=<>|!%(){}\[\],;:.'&?])",
    re.ASCII,
)
FUNCTIONS = wordset(
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth "
    "ln log lg exp cis"
)
_NAMES = wordset("sqrt pi infty inf infinity theta alpha beta gamma lambda mu omega phi cdot times")
_SIGN_SPELLINGS = {"\\|": "|", "\\%": "%", "==": "="}
_SIGNS = {"<=": "le", ">=": "ge", "!=": "ne", "<": "lt", ">": "gt"}
_COMMAND_SIGNS = {
    "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne", "cdot": "*",
    "times": "*", "ast": "*", "div": "/", "lbrace": "\\{", "rbrace": "\\}", "lt": "lt", "gt": "gt",
    "le": "le", "ge": "ge", "ne": "ne", "in": "in", "to": "->", "rightarrow": "->", "lvert": "|",
    "rvert": "|", "vert": "|", "mid": "|", "colon": ":", "lVert": "|", "rVert": "|", "Vert": "|",
    "approx": "approx", "simeq": "approx", "sim": "approx", "doteq": "approx", "equiv": "equiv",
    "cong": "equiv", "cup": "cup", "pm": "pm", "mp": "mp", "lor": "or", "vee": "or", "land": "and",
    "wedge": "and", "implies": "->", "Rightarrow": "->", "iff": "->", "langle": "langle",
    "rangle": "rangle", "degree": "deg", "ldots": "...", "dots": "...", "cdots": "...",
    "percent": "%", "dollar": "\\$", "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")",
}  # fmt: skip
_GLUED = re.compile(r"[lg]e[abcnu-z]")
_INLINE = re.compile(
    r"\s*(?:\(?\s*[A-Za-z]\s*\)?|[-+]?[\d.,/ ]+%?|[A-Za-z](?:\s*,\s*[A-Za-z])+)\s*\.?"
)
ALTERNATIVES = frozenset(
    ["else", "or else", "alternatively", "otherwise", "if not", "so", "then", "thus", "hence"]
)
_CONNECTIVES = {"and": "and", "or": "or"}


def lex(text: str) -> list[Token]:
    """The tokens of a tidy text.

    Raises:
        Unread: at a character that belongs to no token.
    """
    if "," in text:
        text = _RUN.sub(_as_elements, text)
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unread(text[at])
        at = match.end()
        kind = match.lastgroup if match.lastgroup != "inside" else "text"
        if kind == "num":
            tokens.append(("num", match.group()))
        elif kind == "sign":
            sign = match.group()
            sign = "..." if sign[:3] == "..." else _SIGN_SPELLINGS.get(sign, sign)
            tokens.append((_SIGNS.get(sign, sign), sign))
        elif kind == "han":
            tokens.append(("text", match.group()))
        elif kind == "word":
            _lex_word(match.group(), tokens)
        elif kind == "cmd":
            name = match.group("cmd")
            sign = _COMMAND_SIGNS.get(name)
            if sign is None and _GLUED.fullmatch(name):  # `\lex` for `\le x`
                tokens += [(name[:2], name[:2]), ("sym", name[2])]
            else:
                tokens.append((sign, sign) if sign else ("cmd", name))
        elif kind == "text":
            _lex_text(match.group("inside"), tokens)
    return _ungroup(_negated(tokens) if ("cmd", "not") in tokens else tokens)


def _as_elements(run: re.Match[str]) -> str:
    """Numbers with commas between them that are no one number in groups of three digits."""
    return run[0] if _THOUSANDS.fullmatch(run[0]) else run[0].replace(",", ", ")


def _negated(tokens: list[Token]) -> list[Token]:
    r"""`\not=` as one sign; any other sign that is struck out has no reading."""
    out: list[Token] = []
    for at, (kind, value) in enumerate(tokens):
        if at and tokens[at - 1] == ("cmd", "not"):
            if kind != "=":
                raise Unread("\\not")
            out[-1] = ("ne", "\\ne")
        else:
            out.append((kind, value))
    return out


def _lex_word(word: str, tokens: list[Token]) -> None:
    """Known names, single letters, short products of small letters, and words."""
    lower = word.lower()
    if len(word) == 1:
        tokens.append(("sym", word))
    elif word in FUNCTIONS or word in _NAMES:
        name = "infty" if word in ("inf", "infinity") else word
        tokens.append(("*", name) if name in ("cdot", "times") else ("cmd", name))
    elif lower in _CONNECTIVES:
        tokens.append((_CONNECTIVES[lower], lower))
    else:
        tokens.append(("word", word))


def _lex_text(inside: str, tokens: list[Token]) -> None:
    r"""The content of `\text{...}`: a letter, a number, a connective, a function name, or words."""
    words = inside.strip(" ~,.;:").lower()
    if words in _CONNECTIVES or words in ALTERNATIVES:
        tokens.append((_CONNECTIVES.get(words, "or"), words))
    elif words == "-":
        tokens.append(("-", "-"))
    elif inside in FUNCTIONS:
        tokens.append(("cmd", inside))
    elif _INLINE.fullmatch(inside):
        tokens.extend(lex(inside.strip()))
    elif inside.strip():
        tokens.append(("text", inside))


def _ungroup(tokens: list[Token]) -> list[Token]:
    """Commas inside brackets separate elements: `(1,234)` has two, bare `1,234` is one number."""
    if not any(kind == "num" and "," in value and "{,}" not in value for kind, value in tokens):
        return tokens
    out: list[Token] = []
    depth = 0
    for kind, value in tokens:
        depth += (kind in _OPENERS) - (kind in _CLOSERS)
        if kind == "num" and depth > 0 and "," in value and "{" not in value and "\\" not in value:
            for index, part in enumerate(value.split(",")):
                out += [(",", ",")] * (index > 0) + [("num", part)]
        else:
            out.append((kind, value))
    return out


_OPENERS = frozenset(("(", "[", "\\{", "langle"))
_CLOSERS = frozenset((")", "]", "\\}", "rangle"))
