"""One warning of a plan: nothing that is refused, but something that can spoil a study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """One thing to know before paying."""

    id: str
    """The cause in a word or two: `unpinned-model`."""
    text: str
    """A sentence with what to do."""
    where: str
    """What it touches: `27 trials`, `claim format-hurts`."""

    def as_data(self) -> dict[str, Any]:
        """The plan's row for programs."""
        return asdict(self)


def listed(names: Iterable[str]) -> str:
    """`a, b, c`, each once; of more than six the first five: `a, b, c, d, e and 3 more`."""
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - 5} more" if len(distinct) > 6 else ""
    return ", ".join(distinct[:5] if more else distinct) + more
