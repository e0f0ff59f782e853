"""`claims:` of a manifest: statements that data can decide.

A claim names what is compared (`compare`, `order`, `differs_by`, or a base with `kind: gain`), in
which cells (`where`), how often it is judged (`for_each`), by which metric, and the number that the
result must lie beyond (`expect`). It is supported when its corrected interval lies wholly beyond
that number, refuted when wholly short of it, else undecided. Judging is done by
`zoo.judging.judge`; `zoo.claims.comparisons` lists which cells a claim compares,
`zoo.claims.checks` validates it against its manifest.

The number of a trial is its final one (`final` of the manifest). Over the axes that a claim does
not name, cells have equal weight. Kinds, and the number that `expect` is compared with:

- contrast (`compare`): mean of the first value less mean of the second.
- gain (`kind: gain`): final less base (round 0), same problems, same decoding.
- interaction (`compare` and `differs_by`): the contrast under one value of that axis less the
  contrast under each other value, one verdict for each other value.
- ordering (`order`, descending): each value less the next; all of them at once.
- trend (`kind: trend`): the straight line fitted to all rounds, its last value less its first.
- rate (`event` and `compare`): share of trials that cross the threshold, first value less second.
- crossover (`kind: crossover`): pass@k of the trained model less that of its base, at every k that
  is below `not_before`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from zoo.catalog.cards import MAX_COUNT, Count, Part
from zoo.json_text import as_list, as_mapping
from zoo.manifest.thresholds import Match, Threshold, Value
from zoo.yamlio.patterns import NAME
from zoo.yamlio.validate import Misplaced

Kind = Literal["contrast", "gain", "interaction", "trend", "ordering", "rate", "crossover"]
Margin = Annotated[float, Field(ge=0, allow_inf_nan=False)]
V = TypeVar("V")
OneAxis = Annotated[dict[str, V], Field(min_length=1, max_length=1)]
HOLE = "{k}"  # in the metric of a crossover: `eval/aime24/pass{k}/t1.0`

COMPARED = ("compare", "differs_by", "order", "event", "metric", "k")
SHAPES: dict[str, tuple[str, ...]] = {
    "contrast": ("compare", "metric"),
    "gain": ("metric",),
    "interaction": ("compare", "differs_by", "metric"),
    "trend": ("metric",),
    "ordering": ("order", "metric"),
    "rate": ("compare", "event"),
    "crossover": ("metric", "k"),
}
"""Kind -> those of COMPARED that it has; no others."""


class Expect(Part):
    """The number that a result must lie beyond, never negative: percentage points for shares (acc,
    box_ratio, clipped_ratio), tokens for lengths, the metric's own unit for the rest."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    lower_by: Margin | None = None
    """Below minus this; 0 = any decrease."""
    higher_by: Margin | None = None
    """Above this; 0 = any increase. Of an ordering: at every step."""
    not_worse_than: Margin | None = None
    """At most this much worse; worse is lower, but higher for clipped_ratio."""
    equal_within: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Between minus this and this."""
    not_before: Annotated[int, Field(ge=2, le=MAX_COUNT)] | None = None
    """Of a crossover: the base does not overtake at any listed k below this."""

    @model_validator(mode="after")
    def _one(self) -> Expect:
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise ValueError(f"exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def word(self) -> str:
        """Which of them is set."""
        return next(n for n in type(self).model_fields if getattr(self, n) is not None)

    @property
    def number(self) -> float:
        """Its number."""
        return getattr(self, self.word)

    def __str__(self) -> str:
        return f"{self.word}: {self.number:g}"


class Claim(Part):
    """One claim of a manifest."""

    id: Annotated[str, Field(pattern=NAME)]
    """A short, unique name."""
    says: Annotated[str, Field(min_length=1)]
    """The claim as a sentence."""
    kind: Kind = "contrast"
    """Inferred: `event` makes a rate, `order` an ordering, `differs_by` an interaction, `compare` a
    contrast; gain, trend and crossover must be set."""
    compare: OneAxis[Annotated[list[Value], Field(min_length=2, max_length=2)]] | None = None
    """One axis and two of its values: the first less the second."""
    differs_by: str | None = None
    """The axis whose values change the contrast. What is stated is the contrast under its first
    value (of `where`, else of the axis) less the contrast under each other."""
    order: OneAxis[Annotated[list[Value], Field(min_length=2)]] | None = None
    """One axis and its values from the highest result to the lowest."""
    event: Threshold | None = None
    """What happens to a trial: it crosses this line."""
    where: Match = {}
    """Only these cells: axis -> a value, a pattern such as `qwen*`, or a list; {} = all."""
    for_each: list[str] = []
    """Axes: one verdict for each of their values."""
    metric: str | None = None
    """`eval/<benchmark>/<measure>/<decoding>`, as `full` evaluates; `<schedule>/...` where another
    schedule takes other problems or samples, as `watch/...`; or `train/...`. A crossover needs
    `{k}` in it."""
    k: Annotated[list[Count], Field(min_length=1)] | None = None
    """For a crossover: the values of k in pass@k."""
    expect: Expect = Expect(higher_by=0)
    """The number that the result must lie beyond. Optional for an ordering only; the default
    there is `higher_by: 0`."""

    @model_validator(mode="before")
    @classmethod
    def _infer(cls, data: Any) -> Any:
        claim = as_mapping(data)
        if claim is None or claim.get("kind") is not None:
            return data
        words = {"event": "rate", "order": "ordering", "differs_by": "interaction"}
        kind = next((kind for word, kind in words.items() if claim.get(word)), "contrast")
        return claim | {"kind": kind}

    @field_validator("compare", "order", mode="before")
    @classmethod
    def _axis_and_values(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            return value
        pair = info.field_name == "compare"
        axes = list((as_mapping(value) or {}).values())
        values = (as_list(axes[0]) or []) if len(axes) == 1 else []
        nested = any(isinstance(one, (dict, list)) for one in values)
        if nested or len(values) < 2 or (pair and len(values) > 2):
            form = "two of its values, `{A: [b, c]}`" if pair else "its values, `{A: [b, c, ...]}`"
            raise ValueError(f"one axis and {form}")
        return value

    @field_validator("k")
    @classmethod
    def _ascending(cls, k: list[int] | None) -> list[int] | None:
        if k is not None and k != sorted(set(k)):
            raise ValueError("numbers that rise, each once")
        return k

    @model_validator(mode="after")
    def _shape(self) -> Claim:
        wanted = SHAPES[self.kind]
        missing = [name for name in wanted if not getattr(self, name)]
        extra = [name for name in COMPARED if name not in wanted and getattr(self, name)]
        if "expect" not in self.model_fields_set and self.kind != "ordering":
            missing.append("expect")
        if missing or extra:
            parts = [f"needs {' and '.join(missing)}"] if missing else []
            parts += [f"has no {' or '.join(extra)}"] if extra else []
            hint = "" if "compare" not in missing else "; or set `kind: gain` or `kind: trend`"
            text = f"a claim of kind {self.kind}: it {' and '.join(parts)}{hint}"
            raise Misplaced(text, *extra[:1])
        self._check_expect()
        if self.kind == "crossover" and str(self.metric).count(HOLE) != 1:
            text = f"a metric with {HOLE} in it, as in eval/aime24/pass{HOLE}/t1.0"
            raise Misplaced(text, "metric")
        return self

    def _check_expect(self) -> None:
        word = self.expect.word
        if (word == "not_before") != (self.kind == "crossover"):
            text = (
                "`not_before: K`, as a crossover has"
                if self.kind == "crossover"
                else "lower_by, higher_by, not_worse_than or equal_within; "
                "`not_before` is for crossovers"
            )
            raise Misplaced(text, "expect")
        if self.kind == "ordering" and word != "higher_by":
            text = "`higher_by`, as `order` is from the highest to the lowest"
            raise Misplaced(text, "expect")
        if self.k is not None and self.k[0] >= self.expect.number:
            raise Misplaced(f"a k below not_before ({self.expect.number})", "k")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics that it is judged by."""
        if self.event is not None:
            return (self.event.metric,)
        assert self.metric is not None
        return tuple(self.metric.replace(HOLE, str(k)) for k in self.tested_k) or (self.metric,)

    @property
    def tested_k(self) -> tuple[int, ...]:
        """Of a crossover: the k at which the trained model has to be ahead."""
        return tuple(k for k in self.k or () if k < self.expect.number)

    @property
    def axis(self) -> str | None:
        """The axis whose values are compared, if any."""
        return next(iter(self.compare or self.order or ()), None)

    @property
    def values(self) -> tuple[Value, ...]:
        """Its values that are compared, in the claim's order."""
        said = self.compare or self.order or {}
        return tuple(value for values in said.values() for value in values)
