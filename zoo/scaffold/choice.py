"""What somebody chose for one axis of a first manifest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One value of an axis."""

    name: str
    """What tables call it."""
    yaml: str
    """As it stands in the manifest."""
    parameters: int = 0
    """Of a model; 0 = not known."""
    problems: int | None = None
    """Of a training set, after its filters; None = not known."""
    file: str = ""
    """Of a reward of the user's own."""
