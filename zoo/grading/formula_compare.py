r"""Compare two forms: equal (True), different (False), or None where only symbolic algebra can
decide.

The rules are those of a strict marker with the reference in hand. Order does not matter in a bare
list or a set and does in a tuple; a set is no tuple; brackets of intervals count; a name before an
equals sign is dropped where the other side has none; a chain of equal signs must be true and gives
its last side; an approximation must be true. One value is no list of candidates, no range and no
condition.

Debatable cases: a formula with a variable that cancels is its value (`5x/x` is 5); a description
before an equals sign is not checked (`x^2 = 5` gives 5); `7:30` and `14:60` are the same ratio
unless one says a.m., p.m. or seconds; `c_1` is `C_1`; a repeated element counts once; an equation
solved for another variable (`x = (y-3)/2` for `y = 2x+3`) is another answer; two numbers in `[]`
are an interval and no list; `log` is decadic if the other answer has `\log_{10}`; `8,25` is 8.25 if
the other answer is; a bare list answers a point or an open interval; `2x > 6` is `x > 3`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from zoo.grading import units
from zoo.grading.equality import equations_agree, holds, is_simple, link_holds
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
)
from zoo.grading.formula_value import close
from zoo.grading.names import (
    by_name,
    has_conditions,
    in_own_value,
    is_named,
    primes,
    repeats_a_name,
    simple,
    solved,
    tuple_by_name,
    with_variable_of,
)
from zoo.grading.quantities import has_digits, same_quantity
from zoo.grading.sets import real_set, same_set

Answer = bool | None


class Refused(Exception):
    """The prediction contradicts itself, so it gives no value."""


def same(gold: Form, prediction: Form) -> Answer:
    """Whether `prediction` equals `gold`.

    Raises:
        Refused: the prediction is a false chain, such as `5 = 7`.
    """
    if isinstance(gold, Relation) or isinstance(prediction, Relation):
        return _relations(gold, prediction)
    if isinstance(gold, Raw) or isinstance(prediction, Raw):
        return _raw(gold, prediction)
    if isinstance(gold, Listing) != isinstance(prediction, Listing):
        gold, prediction = _single(gold), _single(prediction)
    if isinstance(gold, Quantity) and isinstance(prediction, Quantity):
        return same_quantity(gold, prediction)
    if isinstance(gold, Words) and isinstance(prediction, Words):
        return gold.text == prediction.text
    if isinstance(gold, Listing) and isinstance(prediction, Listing):
        return _listings(gold, prediction)
    if isinstance(gold, Matrix) or isinstance(prediction, Matrix):
        return _matrices(gold, prediction)
    if isinstance(gold, Numeral) or isinstance(prediction, Numeral):
        return _numerals(gold, prediction)
    if isinstance(gold, Ratio) or isinstance(prediction, Ratio):
        return _ratios(gold, prediction)
    return _sets(gold, prediction)


def _single(form: Form) -> Form:
    """The element of a list, set or bracket of one."""
    if isinstance(form, Listing):
        items = _distinct(form) if form.brackets in ("", "{}") else list(form.items)
        return items[0] if len(items) == 1 else form
    return form


def _sets(gold: Form, prediction: Form) -> Answer:
    if isinstance(gold, Union) or isinstance(prediction, Union):
        gold, prediction = as_set(gold), as_set(prediction)
    left, right = real_set(gold, loose=True), real_set(prediction)
    if left is None or right is None:
        if isinstance(gold, Union) and isinstance(prediction, Union):
            return _unordered(list(gold.parts), list(prediction.parts))
        return False
    return same_set(left, right)


def _raw(gold: Form, prediction: Form) -> Answer:
    if isinstance(gold, Raw) and isinstance(prediction, Raw) and gold.text == prediction.text:
        return True
    return None


def _listings(gold: Listing, prediction: Listing) -> Answer:
    if has_conditions(gold) != has_conditions(prediction):
        return _sets(gold, prediction)
    left, right = gold.brackets, prediction.brackets
    loose = {left, right}
    if (left == right and left in ("", "{}")) or loose == {"", "{}"}:
        return _bags(gold, prediction)
    more = len(gold.items) > 2
    vectors = more and loose == {"()", "[]"}
    if left and not right and (prediction.joint == "or" or repeats_a_name(prediction)):
        return False
    if left == right or vectors or loose <= {"", "()", "<>"} or (more and loose in _LOOSE):
        if len(gold.items) == len(prediction.items):
            return _ordered(by_name(gold), by_name(prediction))
        if left == right:
            return False
    if not right and len(_distinct(prediction)) == 1:
        return same(gold, prediction.items[0])
    return _sets(gold, prediction) if "" not in loose else False


def _bags(gold: Listing, prediction: Listing) -> Answer:
    """Two bare lists or sets: the same elements in any order; named on one side only, in that
    order.
    """
    named = [all(is_named(item) for item in side.items) for side in (gold, prediction)]
    if named[0] != named[1] and len(gold.items) == len(prediction.items):
        names = gold.items if named[0] else prediction.items
        if len({repr(item.sides[0]) for item in names if isinstance(item, Relation)}) == len(names):
            return _ordered(by_name(gold), by_name(prediction))
    if has_conditions(gold) or has_conditions(prediction):
        left, right = real_set(gold, loose=True), real_set(prediction)
        if left is not None and right is not None:
            return same_set(left, right)
    return _unordered(_distinct(gold), _distinct(prediction))


def _distinct(listing: Listing) -> list[Form]:
    kept: list[Form] = []
    for item in listing.items:
        if not any(same(other, item) for other in kept):
            kept.append(item)
    return kept


def _ordered(left: tuple[Form, ...], right: tuple[Form, ...]) -> Answer:
    answer: Answer = True
    for one, other in zip(left, right, strict=True):
        part = same(one, other)
        if part is False:
            return False
        if part is None:
            answer = None
    return answer


def _unordered(left: list[Form], right: list[Form]) -> Answer:
    if len(left) != len(right):
        return False
    remaining = list(right)
    unsure = False
    for one in left:
        answers = [same(one, other) for other in remaining]
        if True in answers:
            remaining.pop(answers.index(True))
        elif None in answers:
            unsure = True
        else:
            return False
    return None if unsure else True


def _matrices(gold: Form, prediction: Form) -> Answer:
    left, right = _as_rows(gold), _as_rows(prediction)
    if left is None or right is None:
        return False
    shapes = [(len(rows), len(rows[0])) for rows in (left, right)]
    flat = [tuple(cell for row in rows for cell in row) for rows in (left, right)]
    vector = not (isinstance(gold, Matrix) and isinstance(prediction, Matrix)) and 1 in shapes[0]
    if shapes[0] != shapes[1] and not (vector and len(flat[0]) == len(flat[1]) and 1 in shapes[1]):
        return False
    return _ordered(*flat)


def _as_rows(form: Form) -> tuple[tuple[Form, ...], ...] | None:
    if isinstance(form, Matrix):
        return form.rows
    if isinstance(form, Listing) and form.brackets in ("()", "[]", "<>"):
        rows = [
            i.items for i in form.items if isinstance(i, Listing) and i.brackets in ("()", "[]")
        ]
        if len(rows) == len(form.items) and len({len(row) for row in rows}) == 1:
            return tuple(rows)
        return (form.items,)
    return None


def _numerals(gold: Form, prediction: Form) -> Answer:
    """The base may be left out by the answer, whose digits must then be the reference's."""
    if isinstance(gold, Numeral) and isinstance(prediction, Numeral):
        return gold == prediction
    if isinstance(gold, Numeral) and isinstance(prediction, Quantity):
        return has_digits(gold.digits, prediction) and not prediction.percent
    if isinstance(gold, Quantity) and isinstance(prediction, Numeral):
        return prediction.base == 10 and has_digits(prediction.digits, gold)
    return False


def _ratios(gold: Form, prediction: Form) -> Answer:
    if isinstance(gold, Ratio) and isinstance(prediction, Ratio):
        if len(gold.parts) != len(prediction.parts):
            return False
        pairs = zip(gold.parts, prediction.parts, strict=True)
        if not all(units.compatible(one.unit, other.unit) for one, other in pairs):
            return False
        left, right = ([part.value for part in side.parts] for side in (gold, prediction))
        if None in left or None in right or 0 in left or 0 in right:
            return _ordered(gold.parts, prediction.parts)
        return all(
            a is not None and b is not None and close((left[0] or 1) * b, (right[0] or 1) * a)
            for a, b in zip(left, right, strict=True)
        )
    for ratio, other in ((gold, prediction), (prediction, gold)):
        if isinstance(ratio, Ratio) and isinstance(other, Quantity) and len(ratio.parts) == 2:
            if any(part.unit for part in ratio.parts):
                return False
            top, bottom = (part.value for part in ratio.parts)
            if other.value is not None and top is not None and bottom:
                return close(other.value * bottom, top)
    return False


_LOOSE = ({"", "[]"}, {"<>", "[]"})


@dataclass(frozen=True, slots=True)
class _Value:
    """The result of an equation: a name, and the forms that may be its value."""

    name: Form | None
    values: tuple[Form, ...]


def _relations(gold: Form, prediction: Form) -> Answer:
    left, right = _given(gold, strict=False), _given(prediction, strict=True)
    if left and right and not (left.name is None and right.name is None):
        if left.name is not None and right.name is not None and _names_differ(left, right):
            return _equations(gold, prediction)
        values = with_variable_of(left.name, right.name, right.values)
        return _any_same(left, _Value(right.name, values))
    if left and right and isinstance(gold, Relation) != isinstance(prediction, Relation):
        return _any_same(left, right)
    answer = _conditions_agree(gold, prediction)
    return _any_same(left, right) if answer is False and left and right else answer


def _any_same(left: _Value, right: _Value) -> Answer:
    answers = [same(one, other) for one in left.values for other in right.values]
    return True if True in answers else (None if None in answers else False)


def _names_differ(left: _Value, right: _Value) -> bool:
    """Whether two equations name different things: `x = 5` is not `y = 5`, but `y = 2x` may be
    `f(x) = 2x`.
    """
    one, other = left.name, right.name
    if isinstance(one, Words) and isinstance(other, Quantity) and not simple(other):
        return True
    if isinstance(one, Words) and isinstance(other, Words):
        short = max(len(one.text), len(other.text)) <= 3  # segments and angles: `AB` is no `CD`
        return short and sorted(one.text) != sorted(other.text)
    if not isinstance(one, Quantity) or not isinstance(other, Quantity):
        return False
    if primes(one) != primes(other) or in_own_value(other, right.values):
        return True
    functions = any(isinstance(v, Quantity) and v.names for v in left.values)
    return not (functions and simple(one) and simple(other)) and not same(one, other)


def _given(form: Form, strict: bool) -> _Value | None:
    """The value that an answer gives, where it gives one; an equation may be a name and a chain of
    equal values.
    """
    if not isinstance(form, Relation):
        return _Value(None, (form,))
    if form.signs == ("in",) and form.labels[0]:
        if strict and isinstance(form.sides[0], Quantity) and not simple(form.sides[0]):
            return None
        return _Value(form.sides[0], form.sides[1:])
    if set(form.signs) - {"=", "approx"}:
        return None
    sides = list(form.sides)
    labels = [label >= (1 if strict else 2) for label in form.labels]
    if not labels[0] and labels[-1] and len(sides) == 2:
        sides.reverse()
        labels.reverse()
    named = sides[0] if labels[0] else None
    while len(sides) > 1 and labels[0]:
        if strict and _an_equation(sides[0], sides[1]):
            return None
        sides, labels = sides[1:], labels[1:]
    if strict and len(form.sides) > 2 and in_own_value(named, tuple(sides)):
        raise Refused
    proven = True
    if len(sides) > 1:
        signs = form.signs[len(form.signs) - len(sides) + 1 :]
        if strict:
            proven = _check_chain(sides, signs, names=len(form.sides) > 2)
        open_sides = sides if strict or not any(labels) else sides[-1:]
        unknowns = any(isinstance(side, Quantity) and side.names for side in open_sides)
        if named is None and unknowns and not _all_same(sides):
            return None
    if any(isinstance(side, Raw) and not side.text for side in sides):
        return None
    sides = [tuple_by_name(named, side) for side in sides]
    if len(sides) == 1 or not proven:
        return _Value(named, (sides[-1],))
    kept = tuple(sides) if "approx" in form.signs and not strict else (sides[-1], sides[0])
    return _Value(named, kept)


def _an_equation(left: Form, right: Form) -> bool:
    """Whether `x^2 = 2x` is an equation to be solved and no name with its value: the left side is
    no mere name and has the same variables as the right side, which differs from it.
    """
    return (
        isinstance(left, Quantity)
        and isinstance(right, Quantity)
        and not simple(left)
        and bool(left.names)
        and left.names <= right.names
        and same(left, right) is False
    )


def _all_same(sides: list[Form]) -> bool:
    """Whether neighbouring sides are the same formula, so that the equation only rewrites it."""
    return all(
        isinstance(one, Quantity) and isinstance(other, Quantity) and same(one, other)
        for one, other in pairwise(sides)
    )


def _check_chain(sides: list[Form], signs: tuple[str, ...], names: bool) -> bool:
    """Whether all links of a chain are known to be true; with `names`, also those with variables.

    Raises:
        Refused: one of them is false.
    """
    proven = True
    for sign, one, other in zip(signs, sides, sides[1:], strict=False):
        if isinstance(one, Quantity) and isinstance(other, Quantity):
            link = link_holds(sign, one, other) if names else holds(sign, one, other)
        else:
            link = same(one, other)
        if link is False:
            raise Refused
        proven = proven and (link is True or not names)
    return proven


def _equations(gold: Form, prediction: Form) -> Answer:
    """Two equations or inequalities: in proportion where both are simple, else side by side."""
    if not isinstance(gold, Relation) or not isinstance(prediction, Relation):
        return False
    if is_simple(gold) and is_simple(prediction):
        return equations_agree(gold, prediction)
    if gold.signs != prediction.signs:
        return None
    return _ordered(gold.sides, prediction.sides)


def _conditions_agree(gold: Form, prediction: Form) -> Answer:
    """Equations of curves, inequalities and sets given by conditions."""
    answer = _equations(gold, prediction)
    if answer:
        return True
    unsolved = isinstance(prediction, Relation) and not solved(prediction)
    if unsolved and not isinstance(gold, Relation):
        return answer
    left, right = real_set(gold, loose=True), real_set(prediction)
    if left is not None and right is not None:
        return same_set(left, right)
    if isinstance(gold, Raw) and isinstance(prediction, Relation):
        return None
    return answer
