"""Terms on length and repetition, each as published. They are usually parts of a
sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.grading import Verdict
from zoo.rewards.base import Completion, Values


def overlong(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """DAPO's soft overlong punishment: 0, then linear to -1 over the last `buffer` tokens before
    `cap`.

    Source: arXiv:2503.14476 equation 13.
    """
    cap, buffer = params["cap"], params["buffer"]
    return [max(-1.0, min(0.0, (cap - buffer - done.n_tokens) / buffer)) for done in completions]


def cosine(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """A cosine from one number to another over the length: short correct and long wrong answers get
    the largest values.

    `right_short`, `right_long`, `wrong_short`, `wrong_long` at 0 and at `cap` tokens; beyond the
    cap as at the cap. Source: arXiv:2502.03373 section 3.2.
    """
    values: Values = []
    for verdict, done in zip(verdicts, completions, strict=True):
        side = "right" if verdict.correct else "wrong"
        short, long = params[f"{side}_short"], params[f"{side}_long"]
        share = min(1.0, done.n_tokens / params["cap"])
        values.append(long + 0.5 * (short - long) * (1.0 + math.cos(share * math.pi)))
    return values


def repetition(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """`penalty` (at most 0) times the share of word n-grams that occurred before in the same
    completion.

    Source: arXiv:2502.03373 appendix; TRL `get_repetition_penalty_reward`.
    """
    size = params["ngram"]
    values: Values = []
    for done in completions:
        words = done.text.split()
        grams = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
        repeated = 1.0 - len(set(grams)) / len(grams) if grams else 0.0
        values.append(params["penalty"] * repeated)
    return values
