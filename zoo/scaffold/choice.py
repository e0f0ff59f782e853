"""A chosen value for one axis of a new manifest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One value of an axis."""

    name: str
    """What tables call it."""
    yaml: str
    """As written in the manifest."""
    parameters: int = 0
    """Of a model; 0 = unknown."""
    problems: int | None = None
    """Of a training set, after its filters; None = unknown."""
    file: str = ""
    """Of a reward of the user's own."""
