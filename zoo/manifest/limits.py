"""Tripwires and budget."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.catalog.cards import Part


class Tripwire(Part):
    metric: str
    above: float | None = None
    below: float | None = None
    rounds: Annotated[int, Field(ge=1, alias="for")] = 1
    then: Literal["mark", "stop"] = "mark"
    when: dict[str, Any] = {}


class Budget(Part):
    gpu_hours: float | None = None
