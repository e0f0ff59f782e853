"""Lines that a metric may cross, and what a study may cost.

A `Line` is a metric and one side of a number; a `Tripwire` marks or stops a trial that crosses it,
a claim's `event` counts the trials that did. Numbers are the metric's own (a share is 0.05 here,
not 5 points). A `Budget` is compared with the plan's estimate. Nothing here looks at a trial.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from zoo.catalog.cards import Part

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Value = str | int | float | bool | None
"""A value of an axis, as a manifest says it."""
Match = dict[str, Value | Annotated[list[Value], Field(min_length=1)]]
"""Axis -> a value or several; a cell matches where every axis has one of them."""


class Line(Part):
    """A metric beyond a number for so many rounds in a row."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        populate_by_name=True,
        json_schema_extra={"oneOf": [{"required": ["above"]}, {"required": ["below"]}]},
    )

    metric: str
    """`train/...`, looked at every round, or `eval/...`, looked at where it is measured."""
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    rounds: Annotated[int, Field(ge=1)] = Field(default=1, alias="for")
    """Crossed once every measurement of so many rounds in a row lies beyond the number."""

    @model_validator(mode="after")
    def _one_side(self) -> Line:
        if (self.above is None) == (self.below is None):
            raise ValueError("exactly one of `above: NUMBER` and `below: NUMBER`")
        return self

    @property
    def side(self) -> Literal["above", "below"]:
        """Which side of the number is beyond the line."""
        return "below" if self.above is None else "above"

    @property
    def number(self) -> float:
        """Where the line is, in the metric's own unit."""
        found = self.below if self.above is None else self.above
        assert found is not None
        return found

    def __str__(self) -> str:
        text = f"{self.metric} {self.side} {self.number:g}"
        return text if self.rounds == 1 else f"{text} for {self.rounds} rounds"


class Tripwire(Line):
    """What becomes of a trial that crosses a line. Not part of a trial's id; a trial that it
    stopped stays in every comparison, at the checkpoint where it stopped."""

    then: Literal["mark", "stop"] = "mark"
    """`mark` it in its record, or also `stop` its training."""
    when: Match = {}
    """Only trials of these cells; {} = all."""


class Budget(Part):
    """What the study may cost; the plan warns where its estimate is above."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        json_schema_extra={"minProperties": 1},
    )

    gpu_hours: Positive | None = None
    usd: Positive | None = None
    disk_gib: Positive | None = None
    """Largest size on disk at any time."""
    hours: Positive | None = None
    """Wall-clock time."""

    @model_validator(mode="after")
    def _something(self) -> Budget:
        if not self.stated:
            raise ValueError("at least one of gpu_hours, usd, disk_gib, hours")
        return self

    @property
    def stated(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name))}
