"""Whether a behaviour grows from one set of responses to another, beyond length and accuracy. Pure.

Longer responses contain more of everything, and correct ones differ from wrong ones. So growth is
reported three times: over all responses, among the correct ones, and within responses of similar
length. Where the first is large and the last is zero, responses only got longer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from zoo.stats.jackknife import JackknifeEstimate
from zoo.stats.quantiles import student

BINS = 5
"""Bins of length, with equally many of both sets' responses."""
LOW = 0.1
"""Share of responses below which a behaviour is rare at the start."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One response. `length`: tokens."""

    problem: str
    shows: bool
    correct: bool
    length: int


Responses = Sequence[Labelled]


@dataclass(frozen=True, slots=True)
class Growth:
    """One behaviour in two sets of responses to the same problems; shares from 0 to 1."""

    before: float | None
    after: float | None
    all: JackknifeEstimate
    """Difference of the shares."""
    right: JackknifeEstimate
    """The same among right responses."""
    like_length: JackknifeEstimate
    """The same within bins of length, weighed by both sets' responses in them."""
    matched: float
    """Share of the responses that lie in bins which both sets have."""
    length_before: float | None
    length_after: float | None

    @property
    def aha(self) -> bool:
        """Growth from rare, also within like lengths: its interval is above 0."""
        low = self.like_length.low
        return self.before is not None and self.before < LOW and low is not None and low > 0


def growth(before: Responses, after: Responses) -> Growth:
    """How a behaviour grew, with 95 % intervals by leaving out one problem at a time."""
    edges = _edges([r.length for r in (*before, *after)])
    table = _table(before, after, edges)
    right = _table([r for r in before if r.correct], [r for r in after if r.correct], [])
    total = _total(table)
    return Growth(
        before=fmean(r.shows for r in before) if before else None,
        after=fmean(r.shows for r in after) if after else None,
        all=_estimate(_table(before, after, [])),
        right=_estimate(right),
        like_length=_estimate(table),
        matched=_matched(total),
        length_before=fmean(r.length for r in before) if before else None,
        length_after=fmean(r.length for r in after) if after else None,
    )


Counts = list[list[int]]
"""By bin of length: responses and how many show it, before; the same after."""


def _edges(lengths: Sequence[int]) -> list[int]:
    """Inner edges of `BINS` bins with equally many values, as far as ties allow."""
    ordered = sorted(lengths)
    if not ordered:
        return []
    return sorted({ordered[len(ordered) * i // BINS] for i in range(1, BINS)})


def _table(before: Responses, after: Responses, edges: Sequence[int]) -> dict[str, Counts]:
    """Counts by problem."""
    found: dict[str, Counts] = {}
    for side, responses in enumerate((before, after)):
        for response in responses:
            if response.problem not in found:
                found[response.problem] = [[0] * 4 for _ in range(len(edges) + 1)]
            counts = found[response.problem][bisect_right(edges, response.length)]
            counts[2 * side] += 1
            counts[2 * side + 1] += response.shows
    return found


def _total(table: dict[str, Counts]) -> Counts:
    return [[sum(x) for x in zip(*bins, strict=True)] for bins in zip(*table.values(), strict=True)]


def _difference(total: Counts) -> float | None:
    """The difference of the shares within bins that both sets have, weighed by their responses."""
    shared = [(n + m, y / m - x / n) for n, x, m, y in total if n and m]
    weight = sum(size for size, _ in shared)
    return sum(size * gap for size, gap in shared) / weight if weight else None


def _matched(total: Counts) -> float:
    all_ = sum(n + m for n, _, m, _ in total)
    return sum(n + m for n, _, m, _ in total if n and m) / all_ if all_ else 0.0


def _estimate(table: dict[str, Counts]) -> JackknifeEstimate:
    """The difference with the delete-one-problem jackknife's interval."""
    total, n = _total(table), len(table)
    value = _difference(total)
    without: list[float] = []
    for own in table.values():
        left = [
            [t - x for t, x in zip(*pair, strict=True)] for pair in zip(total, own, strict=True)
        ]
        if (found := _difference(left)) is not None:
            without.append(found)
    m = len(without)
    if value is None or m < 2:
        return JackknifeEstimate(value, None, None, n)
    mean = fmean(without)
    variance = (m - 1) / m * sum((x - mean) ** 2 for x in without)
    if variance < 1e-18:
        return JackknifeEstimate(value, None, None, n)
    half = student(0.975, m - 1) * variance**0.5
    return JackknifeEstimate(value, max(-1.0, value - half), min(1.0, value + half), n)


def agreement(one: Sequence[bool], two: Sequence[bool]) -> tuple[float | None, float | None]:
    """Share of responses on which two detectors agree, and Cohen's kappa; None where undefined."""
    n = len(one)
    if not n:
        return None, None
    same = sum(a == b for a, b in zip(one, two, strict=True)) / n
    p, q = sum(one) / n, sum(two) / n
    chance = p * q + (1 - p) * (1 - q)
    return same, None if chance == 1 else (same - chance) / (1 - chance)
