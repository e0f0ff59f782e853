"""The reward functions that cards name, and `compute`, which finds one by its name.

Every function has one signature: `(verdicts_G, completions_G, params, seed) -> [float or None]_G`,
with G the completions of one prompt. Sources are named where a function follows a paper or a code
base.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import Fault, InputError, did_you_mean
from zoo.grading import Verdict, extract


@dataclass(frozen=True, slots=True)
class Completion:
    """What a reward may know of a completion. `finish` is `stop` or `length` (cut at the cap)."""

    text: str
    boxed: bool
    n_tokens: int = 0
    finish: str = "stop"


Values = list[float | None]
Reward = Callable[[Sequence[Verdict], Sequence[Completion], Mapping[str, Any], int], Values]


def compute(
    kind: str,
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """The rewards of one group by the function named `kind`; None where the verdict is unscored.

    Raises:
        InputError: for an unknown `kind`, with a suggestion.
    """
    if kind not in REWARDS:
        known = sorted(REWARDS)
        raise InputError(
            Fault("reward", f"unknown kind '{kind}'", ", ".join(known), did_you_mean(kind, known))
        )
    values = REWARDS[kind](verdicts, completions, params, seed)
    return [
        value if verdict.scored else None for value, verdict in zip(values, verdicts, strict=True)
    ]


def matrix(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """The 2x2 of {right, wrong} x {boxed, not} as four numbers: right_boxed, right_plain,
    wrong_boxed, wrong_plain.
    """
    return [
        params[f"{'right' if verdict.correct else 'wrong'}_{'boxed' if done.boxed else 'plain'}"]
        for verdict, done in zip(verdicts, completions, strict=True)
    ]


def inverted(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """Rewards what is wrong: the control of arXiv:2506.10947 ("incorrect labels")."""
    right, wrong = params.get("right", 0.0), params.get("wrong", 1.0)
    return [right if verdict.correct else wrong for verdict in verdicts]


def format_only(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """Rewards a complete box whatever is in it (arXiv:2506.10947, "format reward")."""
    boxed, plain = params.get("boxed", 1.0), params.get("plain", 0.0)
    return [boxed if done.boxed else plain for done in completions]


def random_reward(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """1 with probability `p`, whatever the answer (arXiv:2506.10947, "random reward"); the seed
    decides.
    """
    draw = random.Random(seed)
    return [1.0 if draw.random() < params.get("p", 0.5) else 0.0 for _ in completions]


def majority(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """1 for the answer that most of the group gave, whatever the reference says (arXiv:2504.16084,
    TTRL).

    Answers are compared as extracted under `extract`; the first in text order wins a tie. A
    completion without an answer gets 0.
    """
    answers = [extract(done.text, params.get("extract", "simplerl")) for done in completions]
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return [0.0] * len(completions)
    winner = min(votes, key=lambda answer: (-votes[answer], answer))
    return [1.0 if answer == winner else 0.0 for answer in answers]


REWARDS: dict[str, Reward] = {
    "matrix": matrix,
    "inverted": inverted,
    "format_only": format_only,
    "random": random_reward,
    "majority": majority,
}
