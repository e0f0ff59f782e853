"""Whether two quantities say the same, with their units, percent signs and degree signs."""

from __future__ import annotations

from fractions import Fraction

from zoo.grading import units
from zoo.grading.digits import Node
from zoo.grading.equality import mentions, rewritten, same_value
from zoo.grading.forms import Quantity, quantity
from zoo.grading.formula_value import Value, close, real
from zoo.grading.lex import Unread, lex
from zoo.grading.tree import read


def same_quantity(gold: Quantity, prediction: Quantity) -> bool | None:
    """Whether two quantities are equal; None where only symbolic algebra can decide."""
    if {gold.unit, prediction.unit} == {"degree", "rad"}:
        return _degrees(gold, prediction)
    if not units.compatible(gold.unit, prediction.unit):
        degrees = {gold.unit, prediction.unit} == {"degree", ""}
        return False if not degrees else None
    if gold.percent != prediction.percent:
        return False if gold.unit or prediction.unit else _percent(gold, prediction)
    if {gold.unit, prediction.unit} == {"degree", ""}:
        angle = gold if gold.unit else prediction
        answer = False if mentions(angle.node, ("c", "pi")) else same_value(gold, prediction)
        return _degrees(gold, prediction) if answer is False else answer
    answer = same_value(gold, prediction)
    if answer is False and gold.names and prediction.names:
        answer = _signs_of_degrees_aside(gold, prediction)
    return _decadic(gold, prediction) if answer is False else answer


def _percent(gold: Quantity, prediction: Quantity) -> bool | None:
    """A percentage against a plain number: the same number, or a share of at most one or with
    decimals.
    """
    answer = same_value(gold, prediction)
    if gold.value is None or prediction.value is None:
        return answer
    if answer and not (prediction.percent and _is_share(gold.value)):
        return answer
    share, hundredfold = (prediction, gold) if gold.percent else (gold, prediction)
    plain = share.value
    if plain is None or isinstance(plain, complex) or (isinstance(plain, int) and abs(plain) > 1):
        return False
    return close(plain * 100, hundredfold.value)


def _is_share(value: Value) -> bool:
    return real(value) and 0 < abs(value) < 1


def _degrees(gold: Quantity, prediction: Quantity) -> bool | None:
    """An angle in degrees is the same angle in radians where those are written with pi."""
    angle, radians = (gold, prediction) if gold.unit == "degree" else (prediction, gold)
    if angle.value is None or radians.value is None or isinstance(radians.value, int):
        return False
    written = mentions(radians.node, ("c", "pi")) or mentions(radians.node, ("deg",))
    return written and close(angle.value * 0.017453292519943295, radians.value)


def _signs_of_degrees_aside(gold: Quantity, prediction: Quantity) -> bool | None:
    """A sum of angles with variables may leave out the degree signs that the other side has: `180 -
    2a`. Inside functions they count.
    """
    nodes = (gold.node, prediction.node)
    marked = [mentions(node, ("deg",)) for node in nodes]
    if marked[0] == marked[1] or any(mentions(node, ("f",)) for node in nodes):
        return False
    left, right = (
        quantity(rewritten(node, lambda p: p[1] if p[0] == "deg" else p)) for node in nodes
    )
    return same_value(left, right)


def _decadic(gold: Quantity, prediction: Quantity) -> bool | None:
    """`log` is the decadic logarithm where the other side writes base 10."""
    for one, other in ((gold, prediction), (prediction, gold)):
        if mentions(one.node, ("log", ("n", 10))) and mentions(other.node, ("f", "log")):
            return same_value(one, quantity(rewritten(other.node, _decadic_log)))
    return False


def _decadic_log(node: Node) -> Node:
    return ("log", ("n", 10), node[2]) if node[:2] == ("f", "log") else node


def has_digits(digits: str, value: Quantity) -> bool:
    """Whether a plain number has these digits; letters among them mean a product."""
    if not digits.replace(".", "").lstrip("-").isdecimal():
        try:
            return value.node == read(lex(digits))
        except Unread:
            return False
    return value.value == Fraction(digits)
