"""Whether two quantities say the same, with their units, percent signs and degree signs."""

from __future__ import annotations

from typing import Any

from zoo.grading import units
from zoo.grading.evaluate import close
from zoo.grading.forms import Quantity, quantity
from zoo.grading.identity import same_value


def same_quantity(gold: Quantity, prediction: Quantity) -> bool | None:
    """Whether two quantities say the same; None where only symbols can tell."""
    if not units.compatible(gold.unit, prediction.unit):
        degrees = {gold.unit, prediction.unit} == {"degree", ""}
        return False if not degrees else None
    if gold.percent != prediction.percent:
        return False if gold.unit or prediction.unit else _percent(gold, prediction)
    answer = same_value(gold, prediction)
    if answer is False and {gold.unit, prediction.unit} == {"degree", ""}:
        return _degrees(gold, prediction)
    if answer is False and gold.names and prediction.names:
        return _signs_of_degrees_aside(gold, prediction)
    return answer


def _percent(gold: Quantity, prediction: Quantity) -> bool | None:
    """A percentage beside a plain number: the same number, or a share of at most one or with
    decimals.
    """
    answer = same_value(gold, prediction)
    if answer or gold.value is None or prediction.value is None:
        return answer
    share, hundredfold = (prediction, gold) if gold.percent else (gold, prediction)
    plain = share.value
    if plain is None or isinstance(plain, complex) or (isinstance(plain, int) and abs(plain) > 1):
        return False
    return close(plain * 100, hundredfold.value)


def _degrees(gold: Quantity, prediction: Quantity) -> bool | None:
    """An angle in degrees is the same angle in radians where those are written with pi."""
    angle, radians = (gold, prediction) if gold.unit == "degree" else (prediction, gold)
    if angle.value is None or radians.value is None or isinstance(radians.value, int):
        return False
    written = repr(radians.node)
    return ("'pi'" in written or "'deg'" in written) and close(
        angle.value * 0.017453292519943295, radians.value
    )


def _signs_of_degrees_aside(gold: Quantity, prediction: Quantity) -> bool | None:
    """A sum of angles with variables may leave out the degree signs that the other side has: `180 -
    2a`. Inside functions they count.
    """
    written = [repr(side.node) for side in (gold, prediction)]
    if "'f'" in written[0] + written[1] or not ("'deg'" in written[0]) ^ ("'deg'" in written[1]):
        return False
    left, right = (quantity(_undegreed(side.node)) for side in (gold, prediction))
    return same_value(left, right)


def _undegreed(part: Any) -> Any:
    if isinstance(part, list):
        return [_undegreed(child) for child in part]
    if not isinstance(part, tuple):
        return part
    return _undegreed(part[1]) if part[0] == "deg" else tuple(map(_undegreed, part))
