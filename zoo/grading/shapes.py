r"""Read a tidy text into its form: cut at the outermost separators, then read each piece as a
formula.

Unknown forms become `Raw`, which equals only its own text. Lists are cut before relations,
relations before unions, and brackets are opened only where one pair encloses the whole.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeGuard

from zoo.grading import units
from zoo.grading.digits import Node, numeral
from zoo.grading.forms import (
    Form,
    Listing,
    Matrix,
    Numeral,
    Quantity,
    Ratio,
    Raw,
    Relation,
    Union,
    Words,
    as_set,
    quantity,
)
from zoo.grading.lex import ALTERNATIVES, Token, Unread, lex
from zoo.grading.measures import gather
from zoo.grading.tidy import wordset
from zoo.grading.wording import read_quantity, read_words

SIGNS = frozenset(("=", "ne", "lt", "le", "gt", "ge", "approx", "equiv", "in", "->"))
_OPEN = frozenset(("(", "[", "{", "\\{", "langle"))
_SHUT = frozenset((")", "]", "}", "\\}", "rangle"))
_MATRICES = wordset("matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix array")
_DESCRIPTIONS = frozenset(("lim", "sum", "int", "prod", "max", "min", "gcd", "lcm", "det"))
_SYSTEMS = wordset("cases aligned align gathered")
_ALONE = {
    ("cmd", "emptyset"): "emptyset", ("cmd", "varnothing"): "emptyset", ("...", "..."): "...",
}  # fmt: skip
_MAX_ITEMS = 60
_DIGITS = frozenset(("num", "sym", "word", "text"))


@lru_cache(maxsize=65_536)
def read_form(text: str) -> Form:
    """The form of a tidy text."""
    if text.isdecimal() and text.isascii():
        value = int(text)
        return Quantity(("n", value), frozenset(), value)
    try:
        return read_tokens(lex(gather(text)))
    except (Unread, RecursionError):
        return Raw("".join(text.split()))


def read_tokens(tokens: list[Token]) -> Form:
    """The form of a token list.

    Raises:
        Unread: the form is unknown.
    """
    while tokens and tokens[0][0] in (",", ";", "and", "or", "."):
        tokens = tokens[1:]
    while tokens and tokens[-1][0] in (",", ";", "and", "or", "."):
        if tokens[-1][1] in ALTERNATIVES:
            raise Unread(tokens[-1][1])
        tokens = tokens[:-1]
    if not tokens:
        raise Unread("nothing")
    if len(tokens) == 1 and tokens[0][0] == "num":
        return read_quantity(tokens)
    if len(tokens) == 1 and (words := _ALONE.get(tokens[0])):
        return Words(words)
    if _is_prose(tokens):
        return read_words(tokens)
    kinds = {kind for kind, _ in tokens}
    if kinds & {"pm", "mp"}:
        if tokens[0][0] == "\\{" and tokens[-1][0] == "\\}" and _closes_at_end(tokens):
            return _set(tokens[1:-1])
        return _both_signs(tokens)
    if kinds & _LISTING and (form := _split_list(tokens)):
        return form
    if kinds & SIGNS:
        pieces, signs = _split(tokens, SIGNS)
        if signs:
            return _relation(pieces, signs)
    if "cup" in kinds:
        pieces, signs = _split(tokens, frozenset(("cup",)))
        if signs:
            return Union(tuple(map(as_set, map(read_tokens, pieces))))
    if kinds >= _POINT and tokens[0][1].isupper() and tokens[0][0] == "sym":
        point = _bracketed(tokens[1:])  # `P(2,3)`
        if isinstance(point, Listing) and len(point.items) > 1:
            return point
    return _bracketed(tokens) or _ratio(tokens, kinds) or _numeral(tokens) or read_quantity(tokens)


def _is_prose(tokens: list[Token]) -> bool:
    kinds = {kind for kind, _ in tokens}
    if kinds == {"sym", "text"} and tokens[-1][0] == "text" and units.known(tokens[-1][1]):
        return False
    if "-" in kinds and not any(k == "text" or (k == "word" and len(v) > 3) for k, v in tokens):
        return False  # letters with a minus between them
    return kinds <= _PROSE and bool(kinds & {"word", "text"})


_PROSE = frozenset(("word", "text", "sym", ",", ".", "'", "?", ":", "-", "and", "or", "(", ")"))
_LISTING = frozenset((",", ";", "and", "or"))
_POINT = frozenset(("sym", "(", ",", ")"))


def _split(tokens: list[Token], at: frozenset[str]) -> tuple[list[list[Token]], list[str]]:
    """`tokens` cut at the outermost tokens of the kinds `at`, and those kinds in order."""
    pieces: list[list[Token]] = [[]]
    signs: list[str] = []
    depth = bars = 0
    for index, (kind, value) in enumerate(tokens):
        if kind in _OPEN or (kind == "cmd" and value == "begin"):
            depth += 1
        elif kind in _SHUT or (kind == "cmd" and value == "end"):
            depth -= 1
        elif kind == "|":
            bars += 1
        if depth == 0 and kind in at and (bars % 2 == 0 or kind in ("and", "or")):
            signs.append(kind)
            pieces.append([])
        else:
            pieces[-1].append((kind, value))
        if depth < 0:
            raise Unread(tokens[index][1])
    if depth or len(pieces) > _MAX_ITEMS:
        raise Unread("unbalanced")
    return pieces, signs


def _split_list(tokens: list[Token]) -> Form | None:
    """A list, where a separator is outside all brackets: groups by `;` or "or", then elements by
    comma.
    """
    for joint, kinds in ((";", {";"}), ("or", {"or"}), ("and", {"and"}), (",", {","})):
        pieces, signs = _split(tokens, frozenset(kinds))
        pieces = [piece for piece in pieces if any(kind not in _LISTING for kind, _ in piece)]
        if not signs or len(pieces) < 2:
            continue
        forms = [read_tokens(piece) for piece in pieces]
        if joint != ",":
            sizes = {len(f.items) if _is_bare(f) else 1 for f in forms}
            if len(sizes) > 1 or (joint == "and" and sizes != {1}):
                forms = [item for f in forms for item in (f.items if _is_bare(f) else (f,))]
        return Listing(tuple(forms), "", joint)
    return None


def _is_bare(form: Form) -> TypeGuard[Listing]:
    return isinstance(form, Listing) and not form.brackets


def _both_signs(tokens: list[Token]) -> Form:
    """Every reading of plus-minus signs as one list; signs in one formula go together."""
    if sum(kind in ("pm", "mp") for kind, _ in tokens) > 4:
        raise Unread("too many signs")
    if _split(tokens, _LISTING)[1]:
        form = _split_list(tokens)
        if isinstance(form, Listing):
            parts = [i for f in form.items for i in (f.items if _is_bare(f) else (f,))]
            return Listing(tuple(parts), "", form.joint)
    plus, minus = {"pm": "+", "mp": "-"}, {"pm": "-", "mp": "+"}
    readings = [[(way.get(kind, kind), value) for kind, value in tokens] for way in (plus, minus)]
    return Listing(tuple(map(read_tokens, readings)), "", "or")


def _relation(pieces: list[list[Token]], signs: list[str]) -> Form:
    if not pieces[-1]:
        raise Unread("nothing after a sign")
    if any(sign == "->" for sign in signs):
        signs = ["=" if sign == "->" else sign for sign in signs]
    sides: list[Form] = []
    for piece in pieces:
        try:
            sides.append(read_tokens(piece) if piece else Raw(""))
        except Unread:
            sides.append(Raw("".join(value for _, value in piece)))
    labels = tuple(_label(piece) for piece in pieces)
    return Relation(tuple(sides), tuple(signs), labels)


def _label(piece: list[Token]) -> int:
    """Kind of an equation's side: 2 a name of the unknown, 1 a description of it, 0 a value."""
    if not piece:
        return 2
    if piece[0][0] == "-":
        return 0
    if any(kind == "cmd" and value in _DESCRIPTIONS for kind, value in piece):
        return 2
    if any(kind in ("word", "text") and units.denies(value) for kind, value in piece):
        return 0
    depth = below = 0
    letters = False
    level = 2
    for index, (kind, value) in enumerate(piece):
        before = piece[index - 1][0] if index else ""
        if kind in _OPEN:
            depth += 1
            below += before in ("_", "^") and kind == "{"
        elif kind in _SHUT:
            depth -= 1
            below = below if depth else 0
        elif kind == "num" and before not in ("_", "^") and (not depth or not (below or letters)):
            return 0
        elif kind in ("sym", "word", "text") or (
            kind == "cmd" and value not in ("frac", "sqrt", "circ", "pi", "infty", "binom")
        ):
            letters = True
        elif not depth and (
            kind in ("+", "-", "*", "/") or (kind == "^" and not _mark(piece, index))
        ):
            level = 1
    return level if letters else 0


def _mark(piece: list[Token], index: int) -> bool:
    """Whether the exponent at `index` is part of a name: a circle, a prime, an inverse."""
    after = [value for kind, value in piece[index + 1 : index + 5] if kind not in ("{", "}")]
    return after[:1] in (["circ"], ["prime"]) or after[:2] == ["-", "1"]


def _bracketed(tokens: list[Token]) -> Form | None:
    """A tuple, interval, set, vector or matrix where one pair of brackets encloses the whole."""
    if tokens[0] == ("cmd", "begin"):
        return _matrix(tokens)
    if tokens[0][0] in _OPEN and tokens[-1][0] == "text" and not units.says_more(tokens[-1][1]):
        tokens = tokens[:-1]
    first, last = tokens[0][0], tokens[-1][0]
    if first not in _OPEN or last not in _SHUT or not _closes_at_end(tokens):
        return None
    inside = tokens[1:-1]
    if inside[:1] == [("cmd", "begin")] and first != "\\{":
        return _matrix(inside)
    if first == "\\{":
        return _set(inside)
    pieces, signs = _split(inside, frozenset((",", ";")))
    if not signs:
        form = read_tokens(inside)
        return Listing((form,), "<>") if first == "langle" else form
    items = tuple(map(read_tokens, pieces))
    if first == "{":
        return Listing(items)
    return Listing(items, "<>" if first == "langle" else first + last)


def _closes_at_end(tokens: list[Token]) -> bool:
    depth = 0
    for index, (kind, _) in enumerate(tokens):
        depth += (kind in _OPEN) - (kind in _SHUT)
        if depth == 0:
            return index == len(tokens) - 1
    return False


def _set(inside: list[Token]) -> Form:
    r"""The elements of a set, or the condition of `\{x : ...\}`."""
    if not inside:
        return Words("emptyset")
    for bar in ("|", ":"):
        kinds = [kind for kind, _ in inside]
        at = kinds.index(bar) if kinds.count(bar) == 1 else 0
        if at and set(kinds[at:]) & SIGNS:
            if not _is_head(inside[:at]) or inside[0] not in inside[at:]:
                raise Unread("a set of something else than a variable")
            return read_tokens(inside[at + 1 :])
    pieces, _ = _split(inside, frozenset((",", ";")))
    items = [read_tokens(piece) for piece in pieces]
    flat = [i for f in items for i in (f.items if _is_bare(f) else (f,))]
    return Listing(tuple(flat), "{}")


def _is_head(tokens: list[Token]) -> bool:
    r"""Whether a set is one of real numbers: `x`, `x \in \mathbb{R}`."""
    values = [value for kind, value in tokens if kind not in ("{", "}")]
    return [kind for kind, _ in tokens][:1] == ["sym"] and (
        len(values) == 1 or values[1:] in (["\\in", "R"], ["in", "R"], ["in", "mathbb", "R"])
    )


def _matrix(tokens: list[Token]) -> Form | None:
    kinds = [kind for kind, _ in tokens]
    names = [value for kind, value in tokens if kind in ("word", "sym")]
    ends = [at for at, token in enumerate(tokens) if token == ("cmd", "end")]
    if kinds[1:2] != ["{"] or not names or len(ends) != 1 or ends[0] != len(tokens) - 4:
        raise Unread("begin")
    body = tokens[4 : ends[0]]
    if names[0] in _SYSTEMS:
        lines = _split([t for t in body if t[0] != "&"], frozenset(("\\\\",)))[0]
        return Listing(tuple(read_tokens(line) for line in lines if line))
    if names[0] not in _MATRICES:
        raise Unread(names[0])
    if names[0] == "array" and body[:1] == [("{", "{")]:
        body = body[[kind for kind, _ in body].index("}") + 1 :]
    rows, _ = _split(body, frozenset(("\\\\",)))
    cells = [_split(row, frozenset(("&",)))[0] for row in rows if row]
    matrix = Matrix(tuple(tuple(map(read_tokens, row)) for row in cells))
    if len({len(row) for row in matrix.rows}) != 1:
        raise Unread("rows of different lengths")
    return _determinant(matrix) if names[0] == "vmatrix" else matrix


def _determinant(matrix: Matrix) -> Quantity:
    rows = [[cell.node for cell in row if isinstance(cell, Quantity)] for row in matrix.rows]
    if not 1 <= len(rows) <= 4 or any(len(row) != len(rows) for row in rows):
        raise Unread("no determinant")
    return quantity(_expand(rows))


def _expand(rows: list[list[Node]]) -> Node:
    if len(rows) == 1:
        return rows[0][0]
    terms = []
    for at, head in enumerate(rows[0]):
        minor = [row[:at] + row[at + 1 :] for row in rows[1:]]
        terms.append(("*", [("n", (-1) ** at), head, _expand(minor)]))
    return ("+", terms)


def _ratio(tokens: list[Token], kinds: set[str]) -> Form | None:
    if ":" not in kinds:
        return None
    pieces, signs = _split(tokens, frozenset((":",)))
    if not signs:
        return None
    parts = [read_quantity(piece) for piece in pieces if piece]
    if len(parts) < len(pieces) or not all(isinstance(part, Quantity) for part in parts):
        raise Unread(":")
    return Ratio(tuple(part for part in parts if isinstance(part, Quantity)))


def _numeral(tokens: list[Token]) -> Form | None:
    r"""Digits with a base as subscript: `4210_7`, `(4210)_{7}`, `101_{\text{two}}`, `2A_{16}`."""
    sign = "-" if tokens[0][0] == "-" else ""
    tokens = tokens[len(sign) :]
    kinds = [kind for kind, _ in tokens]
    at = kinds.index("_") if "_" in kinds else 0
    if at < 1:
        return None
    head = tokens[1 : at - 1] if kinds[0] == "(" and kinds[at - 1] == ")" else tokens[:at]
    if not {kind for kind, _ in head} <= _DIGITS or not any(map(_has_digit, head)):
        return None
    inner = [token for token in tokens[at + 1 :] if token[0] not in ("{", "}", "(", ")")]
    if len(inner) != 1:
        raise Unread("_")
    word = inner[0][1].strip().lower()
    base = int(word) if word.isdecimal() and len(word) < 3 else units.NUMBER_WORDS.get(word)
    digits = numeral("".join(value for _, value in head), base or 0)
    if digits is None or base is None:
        raise Unread("_")
    return Numeral(sign + digits, base)


def _has_digit(token: Token) -> bool:
    return any(map(str.isdecimal, token[1]))
