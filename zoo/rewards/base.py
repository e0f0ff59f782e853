"""Rewards: `Completion`, the type of a reward function, and the rule for unscored rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

from zoo.grading import Verdict


@dataclass(frozen=True, slots=True)
class Completion:
    """The part of a completion that a reward can use. `finish` is `stop` or `length` (cut)."""

    text: str
    boxed: bool
    n_tokens: int = 0
    finish: str = "stop"


Values = list[float | None]
Reward = Callable[[Sequence[Verdict], Sequence[Completion], Mapping[str, Any], int], Values]


def checked(values: Any, size: int) -> Values:
    """The values of a reward for a group of `size`, as plain floats.

    Raises:
        ValueError: not a list (or tuple) of `size` finite numbers or None; the message says why.
    """
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"{type(values).__name__} instead of a list of rewards")
    if len(values) != size:
        raise ValueError(f"{len(values)} rewards for {size} completions")
    for value in values:
        finite = isinstance(value, SupportsFloat) and math.isfinite(value)
        if value is not None and not finite:
            raise ValueError(f"a reward of {value!r}")
    return [None if value is None else float(value) for value in values]


def group_seed(trial_seed: int, round_: int, group: int) -> int:
    """The seed that the reward of one group gets: the same when it is computed again."""
    parts = (trial_seed, round_, group)
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def unscored_as_none(verdicts: Sequence[Verdict], values: Sequence[float | None]) -> Values:
    """`values`, with None where the verdict is unscored."""
    return [value if v.scored else None for value, v in zip(values, verdicts, strict=True)]
