"""The value of a formula: exact where it is rational, else a float or a complex number.

Values are bounded before they are computed: a power, factorial or binomial whose result would be
larger than `MAX_BITS` raises `TooBig`, so no formula can take more than a moment. Roots of odd
degree of negative numbers are real, as in school; all else is the principal value.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from zoo.grading.digits import Node

Value = Any  # int | Fraction | float | complex
MAX_BITS = 40_000
MAX_FACTORIAL = 3_000


class TooBig(Exception):
    """The value is beyond the bounds."""


class Undefined(Exception):
    """The formula has no value here: a division by zero, or a function outside its domain."""


def evaluate(node: Node, point: Mapping[str, Value]) -> Value:
    """The value of `node` where variables have the values of `point`.

    Raises:
        TooBig: a number beyond `MAX_BITS` would arise.
        Undefined: there is no value.
        KeyError: a variable is not in `point`.
    """
    kind = node[0]
    if kind == "n":
        return node[1]
    if kind == "v":
        return point[node[1]]
    try:
        return _EVALUATORS[kind](node, point)
    except OverflowError:
        raise TooBig from None
    except (ValueError, ZeroDivisionError, TypeError):
        raise Undefined from None


def variables(node: Node, found: set[str]) -> set[str]:
    """Add the names of the variables in `node` to `found` and return it."""
    if node[0] == "v":
        found.add(node[1])
    elif node[0] == "call":
        found.add(node[1] + "()")
        variables(node[2], found)
    else:
        for part in node[1:]:
            if isinstance(part, tuple):
                variables(part, found)
            elif isinstance(part, list):
                for child in part:
                    variables(child, found)
    return found


def power(base: Value, exponent: Value) -> Value:
    """`base ** exponent`, exact where it can be, within the bounds."""
    if isinstance(exponent, Fraction) and exponent.denominator <= 64:
        return _root_power(base, exponent)
    if isinstance(exponent, int):
        if isinstance(base, (int, Fraction)):
            if base == 0 == exponent:
                raise Undefined
            size = max(abs(base.numerator).bit_length(), base.denominator.bit_length())
            if size * abs(exponent) > MAX_BITS and abs(base) not in (0, 1):
                raise TooBig
            if exponent < 0:
                return _tidy(Fraction(1) / Fraction(base) ** -exponent)
            return base**exponent
        if abs(exponent) > 1_000_000:
            raise TooBig
        return base**exponent
    if base == 0:
        return 0 if complex(exponent).real > 0 else _undefined()
    base = _float(base)
    return base ** _float(exponent)


def close(left: Value, right: Value, relative: float = 1e-9) -> bool:
    """Whether two values are the same number, up to the error of floats."""
    exact = isinstance(left, (int, Fraction)) and isinstance(right, (int, Fraction))
    if exact:
        return left == right
    try:
        left, right = _float(left), _float(right)
    except (TooBig, Undefined):
        return left == right
    if left == right:
        return True
    return abs(left - right) <= relative * max(abs(left), abs(right))


def real(value: Value) -> bool:
    """Whether a value is real, up to the error of floats."""
    return not isinstance(value, complex) or abs(value.imag) <= 1e-12 * max(1.0, abs(value.real))


def _float(value: Value) -> Value:
    if isinstance(value, (int, Fraction)):
        try:
            return float(value)
        except OverflowError:
            raise TooBig from None
    if value != value or abs(value) == math.inf:
        raise Undefined
    return value


def _tidy(value: Value) -> Value:
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return value.numerator
        if value.denominator.bit_length() > MAX_BITS:
            raise TooBig
    elif isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise TooBig
    return value


def _undefined() -> Value:
    raise Undefined


def _root_power(base: Value, exponent: Fraction) -> Value:
    """A rational power: exact for perfect powers, real for odd roots of negative numbers."""
    top, bottom = exponent.numerator, exponent.denominator
    if bottom == 1:
        return power(base, top)
    if real(base) and isinstance(base, (int, Fraction, float)):
        if base == 0:
            return 0 if top > 0 else _undefined()
        if base < 0:
            if bottom % 2 == 0:
                return complex(_float(base)) ** float(exponent)
            rooted = -_positive_root(-base, bottom)
        else:
            rooted = _positive_root(base, bottom)
        return power(rooted, top)
    return base ** float(exponent)


def _positive_root(base: Value, degree: int) -> Value:
    if isinstance(base, float):
        return base ** (1 / degree)
    parts = []
    for part in (base.numerator, base.denominator):
        guess = round(_float(part) ** (1 / degree))
        if guess**degree != part:
            return _float(base) ** (1 / degree)
        parts.append(guess)
    return _tidy(Fraction(*parts))


def _sum(node: Node, point: Mapping[str, Value]) -> Value:
    total = evaluate(node[1][0], point)
    for term in node[1][1:]:
        total = _tidy(total + evaluate(term, point))
    return total


def _product(node: Node, point: Mapping[str, Value]) -> Value:
    total = evaluate(node[1][0], point)
    for factor in node[1][1:]:
        total = _tidy(total * evaluate(factor, point))
    return total


def _quotient(node: Node, point: Mapping[str, Value]) -> Value:
    top, bottom = evaluate(node[1], point), evaluate(node[2], point)
    if bottom == 0:
        raise Undefined
    if isinstance(top, (int, Fraction)) and isinstance(bottom, (int, Fraction)):
        return _tidy(Fraction(top) / bottom)
    return _float(top) / _float(bottom)


def _power(node: Node, point: Mapping[str, Value]) -> Value:
    return power(evaluate(node[1], point), evaluate(node[2], point))


def _root(node: Node, point: Mapping[str, Value]) -> Value:
    base, degree = evaluate(node[1], point), evaluate(node[2], point)
    if isinstance(degree, int) and degree != 0:
        return power(base, Fraction(1, degree))
    return power(base, 1 / _float(degree))


def _constant(node: Node, point: Mapping[str, Value]) -> Value:
    return {"pi": math.pi, "e": math.e, "i": 1j, "inf": math.inf}[node[1]]


def _factorial(node: Node, point: Mapping[str, Value]) -> Value:
    value = evaluate(node[1], point)
    if isinstance(value, int):
        if value > MAX_FACTORIAL:
            raise TooBig
        return math.factorial(value)
    return math.gamma(_float(value) + 1)


def _binomial(node: Node, point: Mapping[str, Value]) -> Value:
    top, bottom = evaluate(node[1], point), evaluate(node[2], point)
    if isinstance(top, int) and isinstance(bottom, int):
        if top > 20 * MAX_FACTORIAL:
            raise TooBig
        return math.comb(top, bottom)
    top, bottom = _float(top), _float(bottom)
    return math.gamma(top + 1) / math.gamma(bottom + 1) / math.gamma(top - bottom + 1)


def _modulo(node: Node, point: Mapping[str, Value]) -> Value:
    return evaluate(node[1], point) % evaluate(node[2], point)


def _degrees(node: Node, point: Mapping[str, Value]) -> Value:
    return _float(evaluate(node[1], point)) * (math.pi / 180)


def _logarithm(node: Node, point: Mapping[str, Value]) -> Value:
    base, value = evaluate(node[1], point), evaluate(node[2], point)
    return _apply("ln", value) / _apply("ln", base)


def _call(node: Node, point: Mapping[str, Value]) -> Value:
    """An unknown function: some fixed smooth function of its argument that its name decides."""
    return cmath.sin(point[node[1] + "()"] * _float(evaluate(node[2], point)) + 1.0)


def _function(node: Node, point: Mapping[str, Value]) -> Value:
    return _apply(node[1], evaluate(node[2], point))


def _apply(name: str, value: Value) -> Value:
    if name == "abs":
        return abs(value)
    if name in ("floor", "ceil"):
        return math.floor(value) if name == "floor" else math.ceil(value)
    value = _float(value)
    if name in ("log", "ln", "lg") and value == 0:
        raise Undefined
    if isinstance(value, complex):
        return _COMPLEX[name](value)
    try:
        return _REAL[name](value)
    except ValueError:
        return _COMPLEX[name](complex(value))


def _functions(lib: Any) -> dict[str, Callable[[Any], Any]]:
    return {
        "sin": lib.sin, "cos": lib.cos, "tan": lib.tan,
        "cot": lambda x: 1 / lib.tan(x), "sec": lambda x: 1 / lib.cos(x), "csc": lambda x: 1 /
        lib.sin(x), "arcsin": lib.asin, "arccos": lib.acos, "arctan": lib.atan, "arccot": lambda x:
        math.pi / 2 - lib.atan(x), "arcsec": lambda x: lib.acos(1 / x), "arccsc": lambda x:
        lib.asin(1 / x), "sinh": lib.sinh, "cosh": lib.cosh, "tanh": lib.tanh, "coth": lambda x: 1 /
        lib.tanh(x), "ln": lib.log, "log": lib.log, "lg": lib.log10, "exp": lib.exp,
        "cis": lambda x: cmath.exp(1j * x),
    }  # fmt: skip


_REAL = _functions(math)
_COMPLEX = _functions(cmath)
_EVALUATORS: dict[str, Callable[[Node, Mapping[str, Value]], Value]] = {
    "+": _sum, "*": _product, "/": _quotient, "^": _power, "root": _root, "c": _constant, "!":
    _factorial, "binom": _binomial, "mod": _modulo, "deg": _degrees, "log": _logarithm, "call":
    _call, "f": _function,
}  # fmt: skip
