"""The kinds of rewards, and the parameters of each: the counterpart of
`zoo.rewards.functions.REWARDS`, and the only definition of defaults.

`flaws` checks a card's `params` against it. Light, as planning reads it: imports neither the
functions nor the grader.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from zoo.catalog.cards import ExtractionRule
from zoo.errors import Flaw, did_you_mean, suggestion, told

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class NumberField:
    """A finite number within bounds. `default`: None = required."""

    default: float | None = None
    whole: bool = False
    least: float | None = None
    most: float | None = None
    above: float | None = None

    def accepts(self, value: Any) -> bool:
        """Whether it is such a number."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        return math.isfinite(value) and not (
            (self.least is not None and value < self.least)
            or (self.most is not None and value > self.most)
            or (self.above is not None and value <= self.above)
        )

    def __str__(self) -> str:
        what = "a whole number" if self.whole else "a number"
        if self.least is not None and self.most is not None:
            return f"{what} from {self.least:g} to {self.most:g}"
        bounds = {"from": self.least, "above": self.above, "to": self.most}
        words = {"from": "of at least", "above": "above", "to": "of at most"}
        said = [f" {words[k]} {bound:g}" for k, bound in bounds.items() if bound is not None]
        return what + "".join(said)


@dataclass(frozen=True, slots=True)
class Word:
    """One of several strings."""

    default: str
    words: tuple[str, ...]

    def accepts(self, value: Any) -> bool:
        """Whether it is one of them."""
        return isinstance(value, str) and value in self.words

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a sum; `_part_flaws` checks each."""

    default: None = None

    def accepts(self, value: Any) -> bool:
        """Whether there are parts at all."""
        return isinstance(value, list) and bool(value)

    def __str__(self) -> str:
        return "a list of parts `{kind, weight, params}`"


Parameter = NumberField | Word | Parts
Parameters = Mapping[str, Parameter]

_ANY = NumberField()
_CAP = NumberField(whole=True, least=1)
PART: Mapping[str, str] = {
    "name": "a text",
    "kind": "the kind of a reward",
    "weight": "a number",
    "params": "keys and values",
}
KINDS: Mapping[str, Parameters] = {
    "matrix": dict.fromkeys(("right_boxed", "right_plain", "wrong_boxed", "wrong_plain"), _ANY),
    "tags": dict.fromkeys(("right_tagged", "right_plain", "wrong_tagged", "wrong_plain"), _ANY),
    "gate": {"right": NumberField(1.0), "otherwise": NumberField(0.0)},
    "additive": {"correct": NumberField(1.0), "format": NumberField(0.5)},
    "inverted": {"right": NumberField(0.0), "wrong": NumberField(1.0)},
    "format_only": {"boxed": NumberField(1.0), "plain": NumberField(0.0)},
    "random": {"p": NumberField(0.5, least=0, most=1)},
    "majority": {"extract": Word("simplerl", get_args(ExtractionRule))},
    "overlong": {"cap": _CAP, "buffer": _CAP},
    "cosine": {
        "cap": _CAP,
        **dict.fromkeys(("right_short", "right_long", "wrong_short", "wrong_long"), _ANY),
    },
    "repetition": {
        "ngram": NumberField(20, whole=True, least=1),
        "penalty": NumberField(-1.0, most=0),
    },
    "sum": {"parts": Parts()},
}


def filled(kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of a kind: from `params`, else its default."""
    defaults = {name: parameter.default for name, parameter in KINDS[kind].items()}
    return defaults | dict(params)


def flaws(kind: str, params: Mapping[str, Any], at: Path = ("params",)) -> list[Flaw]:
    """Errors in the parameters of an existing kind; `at` is their path."""
    known = KINDS[kind]
    found = list(unknown(params, list(known), f"kind '{kind}'", at))
    meant = {name for key in params if key not in known for name in known if _close(key, name)}
    for name, parameter in known.items():
        if name not in params:
            if parameter.default is None and name not in meant:
                found.append(Flaw(at, f"'{name}' is missing", str(parameter)))
        elif not parameter.accepts(value := params[name]):
            hint = did_you_mean(str(value), list(getattr(parameter, "words", ())))
            found.append(Flaw((*at, name), f"{name} is {told(value)}", str(parameter), hint))
    if not found and kind == "overlong" and params["buffer"] > params["cap"]:
        wrong = f"buffer is {params['buffer']}"
        found.append(
            Flaw((*at, "buffer"), wrong, f"at most the max response length, {params['cap']}")
        )
    if not found and kind == "sum":
        for i, part in enumerate(params["parts"]):
            found += _part_flaws(part, (*at, "parts", i))
    return found


def unknown(params: Mapping[str, Any], known: list[str], of: str, at: Path) -> Iterator[Flaw]:
    """The keys that are none of those that `of` has."""
    for key in params:
        if key not in known:
            there = f"available: {', '.join(known)}" if known else "it has none"
            hint = did_you_mean(key, known) or there
            yield Flaw((*at, key), f"{of} has no parameter '{key}'", hint=hint, key=True)


def unknown_kind(kind: str, path: Path, more: list[str]) -> Flaw:
    """The error for an unknown kind; `more` are the names of the user's own rewards."""
    known = [*KINDS, *more]
    hint = suggestion(kind, known)
    return Flaw(path, f"unknown kind '{kind}'", hint=hint)


def _part_flaws(part: Any, at: Path) -> list[Flaw]:
    """Errors of one part of a sum; only built-in kinds can be parts."""
    if not isinstance(part, dict):
        return [Flaw(at, f"a part is {told(part)}", "`{kind, weight, params}`")]
    found = [
        Flaw((*at, key), f"a part has no '{key}'", hint=hint, key=True)
        for key in part
        if key not in PART
        for hint in (suggestion(key, PART),)
    ]
    kind, params = part.get("kind"), part.get("params", {})
    right = {
        "name": isinstance(part.get("name", ""), str),
        "kind": isinstance(kind, str),
        "weight": _ANY.accepts(part.get("weight", 1.0)),
        "params": isinstance(params, dict),
    }
    if "kind" not in part:
        found.append(Flaw(at, "'kind' is missing", PART["kind"]))
    for key, fits in right.items():
        if key in part and not fits:
            found.append(Flaw((*at, key), f"{key} is {told(part[key])}", PART[key]))
    if isinstance(kind, str) and kind not in KINDS:
        found.append(unknown_kind(kind, (*at, "kind"), []))
    elif isinstance(kind, str) and right["params"]:
        found += flaws(kind, params, (*at, "params"))
    return found


def _close(key: str, name: str) -> bool:
    return bool(did_you_mean(key, [name]))
