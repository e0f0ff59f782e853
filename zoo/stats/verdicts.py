"""Verdicts: whether effects lie in the regions that claims state.

A claim states a region, such as above 2 or between -1 and 1. It is *supported* where its corrected
interval lies wholly inside the region, *refuted* where wholly outside, else *undecided*. In
p-values, with P(> x) and P(< x) the one-sided ones of an effect against x:

    claim               region        supports                  refutes
    more than D         (D, inf)      P(> D)                    P(< D)
    not worse than D    (-D, inf)     P(> -D)                   P(< -D)
    equal within D      (-D, D)       max(P(> -D), P(< D))      min(P(< -D), P(> D))
    J steps, all of it  each step's   max over steps            min(1, J x min over steps)

p = min(1, 2 min(supports, refutes)); Holm's method over all comparisons of the study. A comparison
that is rejected at Holm's step j has an interval at level 1 - alpha / (m - j + 1), all others at
the level of the step where Holm stopped, so that intervals and verdicts agree (of J steps, those
that are not supported at J times that level). Where trials come in looks, p-values are divided by
the look's share of alpha; see `zoo.stats.looks`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

ALPHA, POWER = 0.05, 0.8
Word = Literal["supported", "refuted", "undecided"]


class Effect(Protocol):
    """What `zoo.stats.contrasts.Estimate` and `zoo.stats.proportions.Difference` have in common."""

    @property
    def value(self) -> float:
        """The estimate."""
        ...

    def above(self, number: float) -> float:
        """One-sided p-value for a true effect above `number`."""
        ...

    def below(self, number: float) -> float:
        """One-sided p-value for a true effect below `number`."""
        ...

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided confidence interval."""
        ...

    def detectable(self, error: float, miss: float) -> float | None:
        """The effect that is missed with probability `miss`."""
        ...


@dataclass(frozen=True, slots=True)
class Region:
    """The region of the true effect in a claim: strictly between both ends."""

    low: float = -math.inf
    high: float = math.inf

    def supports(self, effect: Effect) -> float:
        """One-sided p-value for an effect inside."""
        sides = [effect.above(self.low)] if self.low > -math.inf else []
        sides += [effect.below(self.high)] if self.high < math.inf else []
        return max(sides)

    def refutes(self, effect: Effect) -> float:
        """One-sided p-value for an effect outside."""
        sides = [effect.below(self.low)] if self.low > -math.inf else []
        sides += [effect.above(self.high)] if self.high < math.inf else []
        return min(sides)

    @property
    def two_sided(self) -> bool:
        """Whether both ends are finite, so that both must be shown."""
        return self.low > -math.inf and self.high < math.inf


@dataclass(frozen=True, slots=True)
class Comparison:
    """What gets one verdict: effects that must all lie in the region. An empty `steps` counts in
    the correction and is undecided."""

    region: Region
    steps: tuple[Effect, ...]

    @property
    def p_values(self) -> tuple[float, float]:
        """One-sided p-values that the claim holds, and that it does not."""
        if not self.steps:
            return 1.0, 1.0
        refutes = len(self.steps) * min(map(self.region.refutes, self.steps))
        return max(map(self.region.supports, self.steps)), min(1.0, refutes)

    @property
    def p(self) -> float:
        """Two-sided p-value: that the claim holds or that it does not."""
        return min(1.0, 2 * min(self.p_values))

    @property
    def points_to(self) -> Word:
        """The verdict that it gets if it is decided."""
        supports, refutes = self.p_values
        return "supported" if supports < refutes else "refuted"


@dataclass(frozen=True, slots=True)
class Judged:
    """A comparison with its verdict. Effects are in the unit of the steps."""

    word: Word
    p: float
    """Two-sided, before Holm's correction and after the look's share."""
    effect: float | None
    """Of the step that decides: the weakest one, or of a refuted claim the worst. None = no step.
    """
    step: int | None
    """Which one that is."""
    level: float
    """Of the corrected interval."""
    interval: tuple[float, float]
    """Agrees with the verdict."""
    plain: tuple[float, float]
    """The 95 % interval without correction."""
    detects: float | None
    """The effect that these trials find with 80 % power at the hardest step of the correction, from
    their observed spread."""
    look: int = 0
    """At which look it was decided, from 0."""


def holm(p: Sequence[float], alpha: float = ALPHA) -> list[tuple[bool, float]]:
    """Holm's method: for each p-value whether it is rejected, and at which error (that of its step
    where it is, of the step where the method stopped where it is not)."""
    order = sorted(range(len(p)), key=p.__getitem__)
    found = [(False, alpha)] * len(p)
    for j, i in enumerate(order):
        error = alpha / (len(p) - j)
        if p[i] > error:
            for k in order[j:]:
                found[k] = (False, error)
            break
        found[i] = (True, error)
    return found


def judge(
    comparisons: Sequence[Comparison],
    *,
    alpha: float = ALPHA,
    share: float = 1.0,
    decided: Mapping[int, Judged] | None = None,
) -> list[Judged]:
    """The verdicts of all sealed comparisons of a study, corrected together.

    Args:
        share: the look's share of alpha; 1 where there is one look.
        decided: by index, what was decided at earlier looks; it stays and keeps its p-value.
    """
    kept = decided or {}
    p = [
        kept[i].p if i in kept else min(1.0, comparison.p / share)
        for i, comparison in enumerate(comparisons)
    ]
    found = holm(p, alpha)
    return [
        kept[i]
        if i in kept
        else _judged(comparison, p[i], found[i], alpha / len(comparisons) * share, share)
        for i, comparison in enumerate(comparisons)
    ]


def _judged(
    comparison: Comparison, p: float, step: tuple[bool, float], hardest: float, share: float
) -> Judged:
    rejected, error = step
    word: Word = comparison.points_to if rejected else "undecided"
    if not comparison.steps:
        line = (-math.inf, math.inf)
        return Judged(word, p, None, None, 1 - error * share, line, line, None)
    error *= share
    if word != "supported":
        error /= len(comparison.steps)
    at = _deciding(comparison, word)
    effect = comparison.steps[at]
    miss = (1 - POWER) / len(comparison.steps) / (2 if comparison.region.two_sided else 1)
    found = [each.detectable(hardest, miss) for each in comparison.steps]
    detects = None if None in found else max(value for value in found if value is not None)
    return Judged(
        word,
        p,
        effect.value,
        at,
        1 - error,
        effect.interval(1 - error),
        effect.interval(),
        detects,
    )


def _deciding(comparison: Comparison, word: Word) -> int:
    """The step with the weakest support, or of a refuted claim the one with the strongest
    refutation."""
    region, steps = comparison.region, comparison.steps
    if word == "refuted":
        return min(range(len(steps)), key=lambda i: region.refutes(steps[i]))
    return max(range(len(steps)), key=lambda i: region.supports(steps[i]))


def at_look(judged: Judged, look: int) -> Judged:
    """The same, decided at that look."""
    return replace(judged, look=look)
