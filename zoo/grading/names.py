"""Names on the left of an equation: `x` in `x = 5`, `f(x)` in `f(x) = 2x`, `(x, y)` in `(x, y) =
(1, 2)`. Values of variables that have an order (x, y, z; a, b, c) are put in it, as answers without
names are.
"""

from __future__ import annotations

from typing import Any

from zoo.grading.equality import renamed
from zoo.grading.forms import Form, Listing, Quantity, Relation, quantity

_FAMILIES = [set(letters) for letters in ("xyz", "abcdefgh", "ABCDEF", "mn", "pqr", "uvw", "rst")]


def variable(form: Form | None) -> str | None:
    """The letter that a form is alone, or None."""
    if isinstance(form, Quantity) and form.node[0] == "v" and len(form.node[1]) == 1:
        return str(form.node[1])
    return None


def by_name(listing: Listing) -> tuple[Form, ...]:
    """The elements of a list; where each is `letter = value`, in the order of the letters."""
    letters = [
        variable(item.sides[0]) if isinstance(item, Relation) and item.signs == ("=",) else None
        for item in listing.items
    ]
    return _sorted(letters, listing.items)


def is_named(item: Form) -> bool:
    """Whether an element is a name with its value: `x = 5`."""
    return isinstance(item, Relation) and item.signs == ("=",) and item.labels[0] > 0


def has_conditions(listing: Listing) -> bool:
    """Whether an inequality is among the elements."""
    return any(
        isinstance(i, Relation) and set(i.signs) & {"lt", "le", "gt", "ge"} for i in listing.items
    )


def repeats_a_name(listing: Listing) -> bool:
    """Whether a list gives one letter two values: `x = 1, x = 2`."""
    letters = [variable(item.sides[0]) for item in listing.items if isinstance(item, Relation)]
    known = [letter for letter in letters if letter]
    return len(set(known)) < len(known)


def solved(relation: Relation) -> bool:
    """Whether variables are alone on their sides: `x < 3` and not `2x < 6`."""
    sides = [side for side in relation.sides if isinstance(side, Quantity) and side.names]
    return bool(sides) and all(map(simple, sides))


def tuple_by_name(names: Form | None, values: Form) -> Form:
    """The tuple of `(y, x) = (1, 2)` in the order of its letters."""
    if not isinstance(names, Listing) or not isinstance(values, Listing):
        return values
    return Listing(
        _sorted([variable(item) for item in names.items], values.items),
        values.brackets,
        values.joint,
    )


def _sorted(letters: list[str | None], items: tuple[Form, ...]) -> tuple[Form, ...]:
    known = [letter for letter in letters if letter]
    if len(set(known)) != len(items) or len(letters) != len(items):
        return items
    if not any(set(known) <= family for family in _FAMILIES):
        return items
    return tuple(item for _, item in sorted(zip(known, items, strict=True), key=lambda p: p[0]))


def function_of(name: Form | None) -> tuple[str, str] | None:
    """The function and its variable where a name is `f(x)`."""
    if isinstance(name, Quantity) and name.node[0] == "call" and name.node[2][0] == "v":
        return name.node[1], name.node[2][1]
    return None


def simple(name: Form | None) -> bool:
    """Whether a name is one variable, or a function of one."""
    return function_of(name) is not None or (isinstance(name, Quantity) and name.node[0] == "v")


def primes(name: Form | None) -> int:
    """How many primes a name has: `f'(x)` is another function than `f(x)`."""
    node: Any = name.node if isinstance(name, Quantity) else ("", "")
    return str(node[1]).count("'")


def in_own_value(name: Form | None, values: tuple[Form, ...]) -> bool:
    """Whether a variable occurs in its own value: `x = 2x + 3`."""
    letter = variable(name)
    return letter is not None and any(
        isinstance(value, Quantity) and letter in value.names for value in values
    )


def with_variable_of(
    gold: Form | None, name: Form | None, values: tuple[Form, ...]
) -> tuple[Form, ...]:
    """The values of `f(t) = ...` written in the variable of the reference's `f(x)`."""
    asked, given = function_of(gold), function_of(name)
    if not asked or not given or asked[1] == given[1]:
        return values
    return tuple(
        quantity(renamed(value.node, {given[1]: asked[1]}))
        if isinstance(value, Quantity) and asked[1] not in value.names
        else value
        for value in values
    )
