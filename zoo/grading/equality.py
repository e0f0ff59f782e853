"""Whether two formulas have the same value: exactly where both are rational, else at fixed points.

Two formulas with variables are the same where they agree at every point of a fixed set, all
positive and of mixed sign; a point of mixed sign at which one of them is not real is skipped. This
decides identities that textbooks accept (`ln ab = ln a + ln b`) and refuses those that fail for
negative numbers (`sqrt(x^2) = x`). What floats cannot decide is None.

Decimals: a decimal of six or more places equals an exact value that rounds to it, as in
math-verify; a reference that is a rounded decimal accepts an exact value that rounds to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from zoo.grading.digits import Node
from zoo.grading.forms import Form, Quantity, Relation
from zoo.grading.formula_value import TooBig, Undefined, Value, close, evaluate, real

_POINTS = 5
_ROUNDED_PLACES = 6  # math-verify's float_rounding


def same_value(gold: Quantity, prediction: Quantity) -> bool | None:
    """Whether two quantities have the same value, whatever their units."""
    if gold.node == prediction.node:
        return True
    if not gold.names and not prediction.names:
        return _constants(gold, prediction)
    node, names = _constants_as_in(gold, prediction)
    answer = _identity(gold.node, node, frozenset(gold.names | names))
    return None if answer is False and _has_series(gold.names | names) else answer


def _has_series(names: Iterable[str]) -> bool:
    """Whether a sum or product over an index is among the names, which needs symbolic algebra."""
    return any(name.startswith(("\\sum", "\\prod")) for name in names)


def _constants_as_in(gold: Quantity, prediction: Quantity) -> tuple[Node, frozenset[str]]:
    """The prediction with its constants of integration spelled as in the reference: `c_1` for
    `C_1`.
    """
    lacking = {name.lower(): name for name in gold.names - prediction.names if name[0] in "cC"}
    spelled = {n: lacking[n.lower()] for n in prediction.names if n.lower() in lacking}
    if not spelled or len(lacking) != len(gold.names - prediction.names):
        return prediction.node, prediction.names
    names = frozenset(spelled.get(name, name) for name in prediction.names)
    return renamed(prediction.node, spelled), names


def renamed(node: Node, spelled: Mapping[str, str]) -> Node:
    """A node with its variables renamed."""
    return rewritten(node, lambda p: ("v", spelled.get(p[1], p[1])) if p[0] == "v" else p)


def rewritten(part: Any, change: Callable[[Node], Node]) -> Any:
    """A node in which `change` was applied to every node, the inner ones first."""
    if isinstance(part, list):
        return [rewritten(child, change) for child in part]
    if not isinstance(part, tuple):
        return part
    return change(tuple(rewritten(child, change) for child in part))


def _constants(gold: Quantity, prediction: Quantity) -> bool | None:
    left, right = gold.value, prediction.value
    if gold.too_big or prediction.too_big:
        return _towers(gold, prediction)
    if left is None or right is None:
        return False if left is not None else None
    if _infinite(left) or _infinite(right):
        return left == right
    if close(left, right):
        return True
    if _as_rounded(gold, prediction):
        return True
    return None if not _exact(left, right) and close(left, right, 1e-7) else False


def _towers(gold: Quantity, prediction: Quantity) -> bool | None:
    """Numbers beyond the bounds: equal where they are written alike, part by part."""
    if gold.too_big != prediction.too_big:
        return False
    return True if _alike(gold.node, prediction.node) else None


def _alike(left: Node, right: Node) -> bool:
    if left[0] != right[0] or len(left) != len(right):
        return False
    for one, other in zip(left[1:], right[1:], strict=True):
        if isinstance(one, tuple) and isinstance(other, tuple):
            if not _alike(one, other):
                return False
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other) or not all(map(_alike, one, other)):
                return False
        elif one != other:
            return False
    return True


def _exact(left: Value, right: Value) -> bool:
    return not isinstance(left, float | complex) and not isinstance(right, float | complex)


def _infinite(value: Value) -> bool:
    return isinstance(value, float) and math.isinf(value)


def _as_rounded(gold: Quantity, prediction: Quantity) -> bool:
    """Whether one side is the other one rounded, in the cases where that is an answer."""
    if isinstance(gold.value, complex) or isinstance(prediction.value, complex):
        return False
    gap = _gap(gold.value, prediction.value)
    if prediction.places is not None:
        if gold.places is None and _terminates(gold.value):
            return False
        places = prediction.places if gold.places is None else min(prediction.places, gold.places)
        return (
            places >= _ROUNDED_PLACES
            and prediction.digits >= _ROUNDED_PLACES - 1
            and (gap <= 1.01 * 10.0**-places)
        )
    if gold.places is not None and gold.places >= 2 and gold.digits >= 3:
        if _terminates(prediction.value):
            return False
        return gap <= (1.0 if gold.digits >= 5 else 0.5000001) * 10.0**-gold.places
    return False


def _gap(left: Value, right: Value) -> float:
    try:
        return abs(float(left) - float(right))
    except (OverflowError, TypeError):  # beyond all floats, or not real
        return math.inf


def _terminates(value: Value) -> bool:
    """Whether an exact value has a finite decimal expansion."""
    if isinstance(value, float):
        return False
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


@lru_cache(maxsize=4_096)
def points(names: tuple[str, ...]) -> tuple[Mapping[str, float], ...]:
    """Fixed points for variables: two all positive, the rest of mixed sign; no two coordinates are
    related.
    """
    made = []
    for row in range(_POINTS):
        point = {}
        for column, name in enumerate(names):
            turn = (column + 1) * 0.7548776662466927 + (row + 1) * 0.5698402909980532
            size = 0.35 + 2.1 * math.modf(turn)[0] + 0.013 * row
            negative = row >= 2 and (row + column) % 2 == 0 and not name.endswith("()")
            point[name] = -size if negative else size
        made.append(point)
    return tuple(made)


def values_at_points(node: Node, names: tuple[str, ...]) -> list[Value | None]:
    """The values of `node` at the fixed points; None where it has none."""
    values: list[Value | None] = []
    for point in points(names):
        try:
            values.append(evaluate(node, point))
        except Undefined:
            values.append(None)
    return values


def _identity(left: Node, right: Node, names: frozenset[str]) -> bool | None:
    ordered = tuple(sorted(names))
    try:
        expected = values_at_points(left, ordered)
    except TooBig:
        return True if _alike(left, right) else None
    try:
        found = values_at_points(right, ordered)
    except TooBig:
        return False
    agreed = 0
    tiny: list[Value] = []  # the ratios of values that agree only as both are next to nothing
    for row, (one, other) in enumerate(zip(expected, found, strict=True)):
        if one is None or other is None:
            continue
        if row >= 2 and not (real(one) and real(other)):
            continue
        if not _near(one, other):
            return _at_integers(left, right, ordered)
        agreed += 1
        if other and not close(one, other, 1e-8):
            tiny.append(one / other)
    if len(tiny) > 1 and all(close(ratio, tiny[0], 1e-6) for ratio in tiny):
        return False  # in proportion, so they are small quantities and not the error of floats
    if mentions(left, ("f", "floor")) or mentions(left, ("f", "ceil")):
        return _at_large(left, right, ordered)
    return _exactly(left, right, ordered) if agreed >= 2 else None


def _exactly(left: Node, right: Node, names: tuple[str, ...]) -> bool:
    """Whether formulas that agree as floats also agree at a point where both are rational."""
    point = {name: Fraction(2 * at + 3, 2) for at, name in enumerate(names)}
    try:
        one, other = evaluate(left, point), evaluate(right, point)
    except (TooBig, Undefined):
        return True
    return one == other if _exact(one, other) else True


def mentions(part: Any, head: tuple[Any, ...]) -> bool:
    """Whether a part of a node begins with `head`."""
    if isinstance(part, tuple) and part[: len(head)] == head:
        return True
    return isinstance(part, (tuple, list)) and any(mentions(child, head) for child in part)


def _at_large(left: Node, right: Node, names: tuple[str, ...]) -> bool | None:
    """Formulas with floors or ceilings: they have to agree at larger numbers too."""
    starts = (7, 23, 58, 101, Fraction(45, 2), Fraction(1003, 10))
    return _agree_from(starts, 3, left, right, names)


def _at_integers(left: Node, right: Node, names: tuple[str, ...]) -> bool | None:
    """Formulas that differ: None where they agree at all integers, which needs symbolic algebra."""
    return None if _agree_from((1, 2, 3, -4), 1, left, right, names) else False


def _agree_from(
    starts: Iterable[Value], step: int, left: Node, right: Node, names: tuple[str, ...]
) -> bool | None:
    """Whether formulas agree wherever the first variable has a value of `starts` and each further
    one is larger by `step`; None where one has no value."""
    for start in starts:
        point = {name: start + step * at for at, name in enumerate(names)}
        try:
            if not _near(evaluate(left, point), evaluate(right, point)):
                return False
        except (TooBig, Undefined):
            return None
    return True


def _near(one: Value, other: Value) -> bool:
    try:
        small = max(abs(one), abs(other)) < 1e-3
        return close(one, other, 1e-8) or (small and abs(one - other) < 1e-11)
    except OverflowError:  # a whole number beyond all floats against a float
        return False


def holds(sign: str, left: Quantity, right: Quantity) -> bool | None:
    """Whether one link of a chain of constants is true; None if undecided."""
    if left.names or right.names:
        return None
    if left.percent != right.percent:
        share, hundredfold = (right, left) if left.percent else (left, right)
        if share.value is None or hundredfold.value is None:
            return None
        gap = _gap(share.value * 100, hundredfold.value)
        return gap <= (0.5 if sign == "approx" else 1e-9)
    answer = _constants(left, right)
    if sign == "=" or answer:
        return answer
    if left.value is None or right.value is None or isinstance(left.value, complex):
        return None
    if isinstance(right.value, complex) or _infinite(left.value) or _infinite(right.value):
        return False
    gap = _gap(left.value, right.value)
    places = [
        side.places or 0
        for side in (left, right)
        if side.places is not None or isinstance(side.value, int)
    ]
    if all(side.places is None for side in (left, right)) and _exact(left.value, right.value):
        return gap <= 0.5 and not (isinstance(left.value, int) and isinstance(right.value, int))
    return gap <= 0.5000001 * 10.0 ** -min(places, default=0)


def link_holds(sign: str, left: Quantity, right: Quantity) -> bool | None:
    """Whether one link of a chain is true; None if undecided, or where variables were replaced by
    values: `A = pi r^2 = 25 pi`.
    """
    if not (left.names or right.names):
        return holds(sign, left, right)
    if sign != "=" or right.names < left.names:
        return None
    return same_value(left, right)


def equations_agree(gold: Relation, prediction: Relation) -> bool | None:
    """Whether two equations or inequalities have the same solutions: their differences are in a
    fixed proportion.
    """
    left, right = _difference(gold), _difference(prediction)
    if left is None or right is None:
        return None
    (one, sign), (other, against) = left, right
    names = tuple(sorted(_names(gold.sides) | _names(prediction.sides)))
    try:
        pairs = zip(values_at_points(one, names), values_at_points(other, names), strict=True)
        ratios = [_quotient(a, b) for a, b in pairs if a is not None and b is not None]
    except TooBig:
        return None
    first = ratios[0] if len(ratios) >= 3 else None
    if first is None or any(ratio is None or not close(ratio, first, 1e-8) for ratio in ratios):
        return False
    if sign in ("=", "ne", "approx", "equiv"):
        return sign == against
    if isinstance(first, complex):
        return False
    flipped = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
    return against == (sign if first > 0 else flipped.get(sign))


def is_simple(relation: Relation) -> bool:
    """Whether a relation is one sign between two formulas."""
    return len(relation.signs) == 1 and _difference(relation) is not None


def _quotient(one: Value, other: Value) -> Value | None:
    return None if abs(one) < 1e-9 or abs(other) < 1e-9 else one / other


def _difference(relation: Relation) -> tuple[Node, str] | None:
    left, right = relation.sides
    if not isinstance(left, Quantity) or not isinstance(right, Quantity):
        return None
    if _has_series(left.names | right.names):
        return None
    return ("+", [left.node, ("*", [("n", -1), right.node])]), relation.signs[0]


def _names(sides: Iterable[Form]) -> set[str]:
    return {name for side in sides if isinstance(side, Quantity) for name in side.names}
