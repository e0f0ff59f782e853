"""Thresholds on metrics, and the budget of a study.

A `Threshold` is a metric and one side of a number; a `Tripwire` marks or stops a trial that crosses
it, a claim's `event` counts the trials that did. Numbers are the metric's own (0.05, not 5
points). A `Budget` limits what all sweeps of the study spend. This module reads no trial.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from zoo.catalog.cards import Part
from zoo.json_text import one_or_more

MAX_ROUNDS = 1_000_000
"""The longest horizon that a manifest may have."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Value = str | int | float | bool | None
"""A value of an axis, as written in a manifest."""


def _wanted(value: Any) -> Any:
    values = one_or_more(value)
    if not values or any(isinstance(one, (dict, list)) for one in values):
        raise ValueError("a value, a pattern such as `qwen*`, or a list of them")
    return value


Wanted = Annotated[Value | list[Value], BeforeValidator(_wanted)]
Match = dict[str, Wanted]
"""Axis -> a value, a pattern such as `qwen*`, or several; a cell matches where every axis fits."""


class Threshold(Part):
    """A metric beyond a number for so many rounds in a row."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"oneOf": [{"required": ["above"]}, {"required": ["below"]}]},
    )

    metric: str
    """Name of the metric: `train/...`, checked every round, or `eval/...` or `watch/...`, checked
    at the rounds where it is evaluated."""
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The number, in the metric's own unit, above which the line is crossed."""
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The number, in the metric's own unit, below which the line is crossed."""
    rounds: Annotated[int, Field(ge=1, le=MAX_ROUNDS)] = Field(default=1, alias="for")
    """Crossed once every measurement of so many rounds in a row lies beyond the number."""

    @model_validator(mode="after")
    def _one_side(self) -> Threshold:
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


class Tripwire(Threshold):
    """What becomes of a trial that crosses a line. Not part of a trial's id: a finished trial that
    crosses a new line is marked from its journal, and one whose line was loosened is stale. In
    comparisons the trial counts as collapsed: means are about the others, and the share that
    collapsed is shown."""

    then: Literal["mark", "stop"] = "mark"
    """`mark` it in status, report and comparisons, or also `stop` its training after that round,
    which is then its last: weights are kept and evaluated, and it counts as done."""
    when: Match = {}
    """Only trials of these cells: axis -> a value, a pattern such as `qwen*`, or a list; {} =
    all."""


class Budget(Part):
    """What the study may cost, over all its sweeps. The plan warns where its estimate is above; a
    trial starts only where its forecast fits in what is left, and where a limit is reached, running
    trials are saved at the end of their rounds and go on once it is raised. Not part of a trial's
    id."""

    gpu_hours: Positive | None = None
    """Hours of one GPU; no limit on a CPU."""
    usd: Positive | None = None
    """Price at the compute profile's rate; no limit where it states none."""
    disk_gib: Positive | None = None
    """Size of its run folders at any time."""
    hours: Positive | None = None
    """Wall-clock time of its sweeps."""

    @property
    def stated(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name))}
