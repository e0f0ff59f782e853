r"""Sets of real numbers however they are written: intervals, unions, inequalities, `\mathbb{R}`,
finite sets.

A set is a sorted tuple of pieces (low, low is in, high, high is in) with numbers for ends, and the
name of the variable where an inequality names one. Ends with variables are no business of this
module: it gives None, and forms are compared part by part.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from zoo.grading.forms import Form, Listing, Quantity, Relation, Union, Words
from zoo.grading.formula_value import TooBig, Undefined, Value, close, evaluate


class Piece(NamedTuple):
    """An interval; a point has equal ends that are both in."""

    low: Value
    low_in: bool
    high: Value
    high_in: bool


class RealSet(NamedTuple):
    """Disjoint pieces in order, and the variable that an inequality named."""

    pieces: tuple[Piece, ...]
    name: str | None = None


_ALL = Piece(-math.inf, False, math.inf, False)
_FLIPPED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "=": "=", "ne": "ne"}


def real_set(form: Form, loose: bool = False) -> RealSet | None:
    """The set that a form writes, or None where it writes none.

    Args:
        form: what was read.
        loose: whether conditions joined by "and" that exclude each other are alternatives, as
            references are sometimes worded.
    """
    if isinstance(form, Words):
        return {"emptyset": RealSet(()), "reals": RealSet((_ALL,))}.get(form.text)
    if isinstance(form, Quantity):
        return RealSet((_ALL,)) if form.node == ("v", "\\mathbb R") else None
    if isinstance(form, Listing):
        return _listing(form, loose)
    if isinstance(form, Union):
        return _union([real_set(part, loose) for part in form.parts])
    if isinstance(form, Relation):
        return _relation(form)
    return None


def same_set(left: RealSet, right: RealSet) -> bool:
    """Whether two sets are equal; two different variable names make them different."""
    if left.name and right.name and left.name != right.name:
        return False
    if len(left.pieces) != len(right.pieces):
        return False
    return all(_same_piece(a, b) for a, b in zip(left.pieces, right.pieces, strict=True))


def _same_piece(one: Piece, other: Piece) -> bool:
    if (one.low_in, one.high_in) != (other.low_in, other.high_in):
        return False
    return _same_end(one.low, other.low) and _same_end(one.high, other.high)


def _same_end(one: Value, other: Value) -> bool:
    return one == other or (math.isfinite(one) and math.isfinite(other) and close(one, other))


def _listing(form: Listing, loose: bool) -> RealSet | None:
    if form.brackets in ("()", "[]", "[)", "(]") and len(form.items) == 2:
        low, high = map(_end, form.items)
        if low is None or high is None or low > high:
            return None
        return RealSet((Piece(low, form.brackets[0] == "[", high, form.brackets[1] == "]"),))
    if form.brackets == "{}":
        ends = [_end(item) for item in form.items]
        return None if None in ends else _union([RealSet((Piece(e, True, e, True),)) for e in ends])
    if not form.brackets:
        sets = [real_set(item) for item in form.items]
        both = _intersection(sets) if form.joint in (",", "and") else None
        if form.joint == "and" and not loose:
            return both
        return both if both and both.pieces else _union(sets)
    return None


def _end(item: Form) -> Value | None:
    if not isinstance(item, Quantity) or item.names or item.unit or item.percent:
        return None
    if item.value is None or isinstance(item.value, complex):
        return None
    return item.value


def _relation(form: Relation) -> RealSet | None:
    if form.signs == ("in",):
        inner, side = real_set(form.sides[1]), form.sides[0]
        if inner is None or not isinstance(side, Quantity) or side.node[0] not in ("v", "call"):
            return None
        return RealSet(inner.pieces, side.node[1] if side.node[0] == "v" else None)
    if not all(sign in _FLIPPED for sign in form.signs):
        return None
    parts = [
        _inequality(a, sign, b)
        for a, sign, b in zip(form.sides, form.signs, form.sides[1:], strict=False)
    ]
    return _intersection(parts)


def _inequality(left: Form, sign: str, right: Form) -> RealSet | None:
    """A linear condition on one variable, or on one unknown function."""
    if not isinstance(left, Quantity) or not isinstance(right, Quantity):
        return None
    left, right = _unknown(left), _unknown(right)
    names = left.names | right.names
    if len(names) != 1:
        return None
    (name,) = names
    try:
        at = [
            evaluate(left.node, {name: x}) - evaluate(right.node, {name: x}) for x in (0, 1, 2, -3)
        ]
    except (TooBig, Undefined):
        return None
    if any(isinstance(value, complex) or value != value for value in at):
        return None
    slope = at[1] - at[0]
    if slope == 0 or not close(at[2], at[0] + 2 * slope) or not close(at[3], at[0] - 3 * slope):
        return None
    floats = isinstance(at[0], float) or isinstance(slope, float)
    root = -at[0] / slope if floats else -Fraction(at[0]) / slope
    return RealSet(_pieces(root, sign if slope > 0 else _FLIPPED[sign]), name)


def _unknown(side: Quantity) -> Quantity:
    """An unknown function alone on a side as a variable of that name."""
    if side.node[0] != "call":
        return side
    name = repr(side.node)
    return Quantity(("v", name), frozenset((name,)))


def _pieces(root: Value, sign: str) -> tuple[Piece, ...]:
    below = Piece(-math.inf, False, root, sign == "le")
    above = Piece(root, sign == "ge", math.inf, False)
    match sign:
        case "lt" | "le":
            return (below,)
        case "gt" | "ge":
            return (above,)
        case "=":
            return (Piece(root, True, root, True),)
        case _:
            return (below, above)


def _union(sets: list[RealSet | None]) -> RealSet | None:
    known = [item for item in sets if item is not None]
    if len(known) != len(sets) or _several_names(known):
        return None
    pieces = sorted((p for item in known for p in item.pieces), key=lambda p: (p.low, not p.low_in))
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last and (
            piece.low < last.high or (piece.low == last.high and (piece.low_in or last.high_in))
        ):
            high = max((last.high, last.high_in), (piece.high, piece.high_in))
            merged[-1] = Piece(last.low, last.low_in, *high)
        else:
            merged.append(piece)
    return RealSet(tuple(merged), _one_name(known))


def _intersection(sets: list[RealSet | None]) -> RealSet | None:
    known = [item for item in sets if item is not None]
    if len(known) != len(sets) or not known or _several_names(known):
        return None
    pieces = list(known[0].pieces)
    for item in known[1:]:
        pieces = [both for a in pieces for b in item.pieces if (both := _overlap(a, b))]
    return RealSet(tuple(pieces), _one_name(known))


def _overlap(one: Piece, other: Piece) -> Piece | None:
    low, low_out = max((one.low, not one.low_in), (other.low, not other.low_in))
    high, high_in = min((one.high, one.high_in), (other.high, other.high_in))
    if low > high or (low == high and (low_out or not high_in)):
        return None
    return Piece(low, not low_out, high, high_in)


def _several_names(sets: list[RealSet]) -> bool:
    return len({item.name for item in sets} - {None}) > 1


def _one_name(sets: list[RealSet]) -> str | None:
    names = {item.name for item in sets} - {None}
    return names.pop() if len(names) == 1 else None
