"""One warning of a plan: nothing that is refused, but something that can spoil a study."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """One warning of a plan."""

    id: str
    """The cause in a word or two: `unpinned-model`."""
    text: str
    """A sentence with what to do."""
    where: str
    """What it touches: `27 trials`, `claim format-hurts`."""

    def __str__(self) -> str:
        return f"{self.text} [{self.where}]" if self.where else self.text

    def as_data(self) -> dict[str, Any]:
        """The plan's row for programs."""
        return asdict(self)
