r"""The forms of an answer: a quantity, words, a list, an interval, a matrix, a
relation, a ratio, a numeral.

A form describes the notation. `shapes` reads a text into a form; `formula_compare` compares two
forms.
"""

from __future__ import annotations

from dataclasses import dataclass

from zoo.grading.digits import Node
from zoo.grading.formula_value import TooBig, Undefined, Value, evaluate, variables


@dataclass(frozen=True, slots=True)
class Quantity:
    """A formula with its unit, percent sign and scale. `value` is set if it has no variables and a
    value within the bounds.

    `places` and `digits` are the decimals and significant digits as written of a plain decimal
    number, else None.
    """

    node: Node
    names: frozenset[str]
    value: Value | None = None
    too_big: bool = False
    places: int | None = None
    digits: int = 0
    percent: bool = False
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Words, compared by their letters and digits in lower case."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Elements in brackets: `()`, `[]`, `[)`, `(]`, `{}`, `<>`, or none. `joint` is `,`, `;`, `and`
    or `or`.
    """

    items: tuple[Form, ...]
    brackets: str = ""
    joint: str = ","


@dataclass(frozen=True, slots=True)
class Union:
    """Sets joined by a union sign."""

    parts: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of cells."""

    rows: tuple[tuple[Form, ...], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """Sides with the signs between them: `=`, `ne`, `lt`, `le`, `gt`, `ge`, `approx`, `equiv`,
    `in`, `->`.

    `labels` classifies each side: a name of the unknown (2: `x`, `f(x)`, `|AB|`), a description of
    it without a number (1: `a + b`), or a value (0).
    """

    sides: tuple[Form, ...]
    signs: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Quantities with colons between them."""

    parts: tuple[Quantity, ...]


@dataclass(frozen=True, slots=True)
class Numeral:
    """Digits in a stated base."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Raw:
    """A text of unknown form; `text` has no spaces."""

    text: str


Form = Quantity | Words | Listing | Union | Matrix | Relation | Ratio | Numeral | Raw


def quantity(node: Node, **beside: object) -> Quantity:
    """A quantity of `node`, with its value where it has one."""
    names = frozenset(variables(node, set()))
    value: Value | None = None
    too_big = False
    if node[0] == "n":
        value = node[1]
    elif not names:
        try:
            value = evaluate(node, {})
        except TooBig:
            too_big = True
        except Undefined:
            value = None
        if value is not None and value != value:
            value = None
    return Quantity(node, names, value, too_big, **beside)  # type: ignore[arg-type]


def as_set(form: Form) -> Form:
    """A bare list next to a union sign is a finite set whose braces were not escaped."""
    if isinstance(form, Listing) and not form.brackets and form.joint == ",":
        if any(isinstance(item, Relation) for item in form.items):
            return form
        return Listing(form.items, "{}")
    return form
