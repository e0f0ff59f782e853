"""Seeds added in looks: judge after the first seeds, add seeds while claims are open.

The looks, their shares of alpha and the largest number of seeds are fixed before the first trial.
With K further looks, look k = 1 ... 1 + K has the share s_k = k / (1 + ... + (1 + K)). A p-value of
look k counts as p / s_k; Holm's method is then applied at each look over the p-values of decided
and open comparisons. A verdict is final from the look at which it was reached. Valid for any
p-value, and conservative: an error of 3.5 % where 5 % is allowed.

Seeds come in the order of their numbers, the same ones for all arms; a failed trial runs again
under its seed. Stopping for futility is free at any time; seeds added in any other way make a study
`extended`, without verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence

from zoo.stats.verdicts import ALPHA, Comparison, Judged, at_look, judge


def sizes(start: int, add: int, most: int) -> list[int]:
    """Seeds of a cell at each look: `start`, then `add` more at a time up to `most`.

    Raises:
        ValueError: fewer than two seeds at the start, no step, or a last look that is not `most`.
    """
    if start < 2 or add < 1 or most < start or (most - start) % add:
        raise ValueError(f"{most} seeds are not reached from {start} in steps of {add}")
    return list(range(start, most + 1, add))


def shares(looks: int) -> list[float]:
    """The share of alpha of each look; their sum is 1."""
    total = looks * (looks + 1) / 2
    return [(k + 1) / total for k in range(looks)]


def judge_looks(
    looks: Sequence[Sequence[Comparison]], planned: int, alpha: float = ALPHA
) -> list[Judged]:
    """The verdicts after the looks so far; comparisons in the same order at each.

    Args:
        planned: how many looks were fixed; at least as many as `looks`.
    """
    if len(looks) > planned:
        raise ValueError(f"{len(looks)} looks, where {planned} were fixed")
    decided: dict[int, Judged] = {}
    found: list[Judged] = []
    for k, share in enumerate(shares(planned)[: len(looks)]):
        found = judge(looks[k], alpha=alpha, share=share, decided=decided)
        found = [one if i in decided else at_look(one, k) for i, one in enumerate(found)]
        decided |= {i: one for i, one in enumerate(found) if one.word != "undecided"}
    return found


def in_words(look: int, seeds: Sequence[int], *, decided: bool) -> str:
    """`decided at look 2 of 4 (5 seeds)`; `look` from 0, `seeds` as of `sizes`."""
    at = f"look {look + 1} of {len(seeds)} ({seeds[look]} seeds)"
    return f"decided at {at}" if decided else f"open at {at}"
