"""What a reward sees and gives: `Completion`, the type of a reward, and the rule for
unscored rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.grading import Verdict


@dataclass(frozen=True, slots=True)
class Completion:
    """What a reward may know of a completion. `finish` is `stop` or `length` (cut at the cap)."""

    text: str
    boxed: bool
    n_tokens: int = 0
    finish: str = "stop"


Values = list[float | None]
Reward = Callable[[Sequence[Verdict], Sequence[Completion], Mapping[str, Any], int], Values]


def unscored_as_none(verdicts: Sequence[Verdict], values: Sequence[float | None]) -> Values:
    """`values`, with None where the verdict says nothing about the answer."""
    return [value if v.scored else None for value, v in zip(values, verdicts, strict=True)]
