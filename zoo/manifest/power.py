"""What a design can detect: the smallest true effect that a claim finds with 80 % power at a
two-sided error of 5 %.

All linear kinds rest on the spread between seeds of one cell, pooled over all cells of the study
(df = cells x (seeds - 1)); arms are not paired by seed, which widens intervals. With S seeds, m
cells a side, spread sd and q = t(0.975, df) + t(0.8, df):

    contrast     q sd sqrt(2 / (S m))
    gain         q sd sqrt(1 / (S m))        the base is measured once and shared: no seed spread
    interaction  q sd sqrt(4 / (S m))
    trend        q sd sqrt(R^2 / Sxx / (S m))   R = last less first round, Sxx = sum (r - mean)^2;
                                             rounds of a trial taken as independent around its line
    ordering     the contrast with t(1 - 0.2/n) for t(0.8): all n steps must hold together
    crossover    the gain, likewise, for n values of k
    rate         (z(0.975) + z(0.8)) sqrt(2 p (1 - p) / (S m)), p = 1/2, the least favourable
    equal_within with t(0.9) for t(0.8): both sides must hold; it is the margin that can be shown

The spread comes from this machine's own records where they have it (`zoo.track.spread`), else from
`prior`. Knows no values of any trial.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zoo.manifest.cells import Cell
from zoo.manifest.claims import Claim
from zoo.manifest.metrics import Metric, Series, metrics_of
from zoo.manifest.quantiles import normal, student
from zoo.manifest.schema import Experiment
from zoo.manifest.trial import Trial
from zoo.manifest.verdicts import Contrast, Unit, cells_of, units

POWER, ERROR = 0.8, 0.05
PRIOR_POINTS = 1.3
"""Spread of the six-benchmark mean between neighbouring checkpoints in the late half of the study's
runs (figure 1 of arXiv:2503.18892, digitised: 0.7 to 1.6, mostly 1.3 at 0.5B and 1.5B). The study
has no seeds; averaging checkpoints would shrink it, differences between seeds are not in it, and
the two are taken to cancel."""
WITHIN_PROBLEM = 0.09
"""Variance of a single response's score around its problem's own rate. With it, sampling alone
gives the mean of the study's six benchmarks (1,319, 500, 272, 675, 30, 40 problems) a spread of
1.29 points, which is what was measured."""
MOST_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation of a metric's final number between seeds of a cell, in the unit of its
    claims."""

    value: float
    source: str
    """Where it is from, for the plan: `prior`, or how many records."""
    df: int | None = None
    """Degrees of freedom of a measured one."""


@dataclass(frozen=True, slots=True)
class Power:
    """What one verdict of a claim can find. Effects are in the unit of the claim's metric; None
    where the seeds do not decide (one seed has no spread, or no spread is known)."""

    claim: Claim
    unit: Unit
    measure: str
    """Unit of all numbers: points, tokens, or as logged."""
    cells: int
    """Cells of the smallest side."""
    seeds: int
    all_cells: int
    """Cells of the study, over which the spread is pooled."""
    spread: Spread | None
    """None for rates, and where no spread is known."""
    verdicts: int
    """Sealed verdicts of the study, for the correction."""
    factor: float
    """Standard error = spread x factor / sqrt(seeds)."""

    def effect(self, seeds: int, *, corrected: bool = False) -> float | None:
        """The smallest effect that so many seeds find (for `equal_within`: the smallest margin that
        they can show); corrected = by Bonferroni, the hardest step of Holm's."""
        error = ERROR / self.verdicts if corrected else ERROR
        share = (1 - POWER) / len(self.unit.contrasts)
        if self.claim.expect.word == "equal_within":
            share /= 2
        if self.claim.kind == "rate":
            found = 100 * (normal(1 - error / 2) + normal(1 - share)) * self.factor
            found *= 0.5 / math.sqrt(seeds)
            return found if found <= 100 else None
        df = self.all_cells * (seeds - 1)
        if df < 1 or self.spread is None:
            return None
        q = student(1 - error / 2, df) + student(1 - share, df)
        return q * self.spread.value * self.factor / math.sqrt(seeds)

    @property
    def detects(self) -> float | None:
        """The effect that the manifest's seeds find."""
        return self.effect(self.seeds)

    @property
    def corrected(self) -> float | None:
        """The same after the correction for all sealed verdicts."""
        return self.effect(self.seeds, corrected=True)

    @property
    def one_more(self) -> float | None:
        """The effect that one seed more would find."""
        return self.effect(self.seeds + 1)

    @property
    def needs(self) -> float | None:
        """The true effect that it takes to be supported: beyond the stated number by what is
        detected. Negative where a slightly worse arm would still do; None for `equal_within`."""
        expect, found = self.claim.expect, self.detects
        if found is None or expect.word == "equal_within":
            return None
        if expect.word == "not_before":
            return found
        return found + (-expect.number if expect.word == "not_worse_than" else expect.number)

    @property
    def margin(self) -> float:
        """The stated number where it is an effect; 0 where any effect counts."""
        return 0.0 if self.claim.expect.word == "not_before" else self.claim.expect.number

    @property
    def enough(self) -> bool:
        """Whether the seeds find an effect as small as the stated number (any, where it is 0)."""
        return self.detects is not None and (self.margin == 0 or self.detects <= self.margin)

    @property
    def seeds_enough(self) -> int | None:
        """The fewest seeds of which `enough` is true; None where no number up to 1,000 is."""
        if self.claim.kind != "rate" and self.spread is None:
            return None
        low, high = 0, 1
        while not replace(self, seeds=high).enough:
            low, high = high, 2 * high
            if high > MOST_SEEDS:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if replace(self, seeds=middle).enough else (middle, high)
        return high

    def as_data(self) -> dict[str, Any]:
        """The plan's row for programs."""
        spread = self.spread
        return {
            "claim": self.claim.id,
            "verdict": self.unit.label,
            "kind": self.claim.kind,
            "expect": {self.claim.expect.word: self.claim.expect.number},
            "unit": self.measure,
            "cells": self.cells,
            "seeds": self.seeds,
            "spread": spread and {"value": spread.value, "source": spread.source, "df": spread.df},
            "detects": self.detects,
            "detects_corrected": self.corrected,
            "detects_with_a_seed_more": self.one_more,
            "needs": self.needs,
            "seeds_enough": self.seeds_enough,
        }


def powers_of(
    experiment: Experiment, trials: Sequence[Trial], spreads: Mapping[str, Spread] | None = None
) -> list[Power]:
    """What the claims of a manifest can find with the trials that it expands to."""
    cells, seeds = cells_of(trials), len(experiment.seeds)
    return powers(experiment.claims, cells, seeds, metrics_of(trials), spreads)


def powers(
    claims: Sequence[Claim],
    cells: Sequence[Cell],
    seeds: int,
    metrics: Mapping[str, Metric],
    spreads: Mapping[str, Spread] | None = None,
) -> list[Power]:
    """One entry for each verdict, in the claims' order. `cells` are all distinct cells of the
    study; `spreads` (by metric) take the place of the prior. Claims have passed `check_claims`."""
    made = [(claim, unit) for claim in claims for unit in units(claim, cells)]
    found: list[Power] = []
    for claim, unit in made:
        metric = metrics[claim.metrics[-1]]
        trend = claim.kind == "trend"
        series = metric.curve if trend or metric.final is None else metric.final
        spread = (spreads or {}).get(metric.name) or prior(metric, series)
        rise = _rise(series) if trend else 1.0
        found.append(
            Power(
                claim=claim,
                unit=unit,
                measure="points" if claim.kind == "rate" else metric.unit,
                cells=min(len(side.cells) for c in unit.contrasts for side in c),
                seeds=seeds,
                all_cells=len(cells),
                spread=None if claim.kind == "rate" else spread,
                verdicts=len(made),
                factor=rise * max(map(_factor, unit.contrasts)),
            )
        )
    return found


def prior(metric: Metric, series: Series) -> Spread | None:
    """The spread to plan with while there are no records: 1.3 points, or the noise of sampling
    alone where few problems make it larger; None where nothing is known (lengths, losses)."""
    if metric.unit != "points":
        return None
    sizes = [n for n in series.responses if n]
    known = len(sizes) == len(series.responses) > 0
    noise = 100 * math.sqrt(sum(WITHIN_PROBLEM / n for n in sizes)) / len(sizes) if known else 0
    if noise <= PRIOR_POINTS:
        return Spread(PRIOR_POINTS, "prior")
    return Spread(noise, f"prior: sampling of {sum(sizes):,} responses")


def _factor(contrast: Contrast) -> float:
    """Standard error of a contrast over the spread of one trial, for one seed."""
    return math.sqrt(sum(1 / len(side.cells) for side in contrast if not side.base))


def _rise(series: Series) -> float:
    """Standard error of a fitted line's rise over the spread of one measurement."""
    rounds = series.rounds
    mean = sum(rounds) / len(rounds)
    return (rounds[-1] - rounds[0]) / math.sqrt(sum((r - mean) ** 2 for r in rounds))


# -- in words -------------------------------------------------------------------------------------


def lines(found: Sequence[Power]) -> list[str]:
    """What the seeds can detect, a line a claim, or several where its verdicts differ in it."""
    groups: dict[tuple[str, ...], list[Power]] = {}
    for power in found:
        groups.setdefault((power.claim.id, _numbers(power)), []).append(power)
    split = [claim for claim, _ in groups]
    return [
        f"{claim}{_which(same, one=split.count(claim) == 1)}: {numbers}"
        for (claim, numbers), same in groups.items()
    ]


def amount(value: float, measure: str) -> str:
    """An effect with its unit: `3.0 points`, `120 tokens`."""
    if measure == "tokens":
        return f"{value:.0f} tokens"
    return f"{value:.1f} points" if measure == "points" else f"{value:.3g}"


def seeds_of(n: int) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{n} seed{'s'[: n != 1]}"


def _which(same: list[Power], *, one: bool) -> str:
    labels = [power.unit.label for power in same]
    if one:
        return f" ({len(labels)} verdicts)" if len(labels) > 1 else ""
    return f" ({', '.join(labels[:3])}{f' and {len(labels) - 3} more' if len(labels) > 3 else ''})"


def _numbers(power: Power) -> str:
    """`3 seeds detect 3.0 points (...); ...`."""
    detects, more = power.detects, power.one_more
    if power.spread is None and power.claim.kind != "rate":
        metric = power.claim.metrics[-1]
        return f"cannot say what {seeds_of(power.seeds)} detect; no spread of {metric} is known yet"
    if detects is None:
        text = f"{seeds_of(power.seeds)} cannot decide it"
        more_text = f"{power.seeds + 1} would detect {amount(more, power.measure)}" if more else ""
        return "; ".join(filter(None, (text, more_text)))
    word = "show equality within" if power.claim.expect.word == "equal_within" else "detect"
    parts = [f"{seeds_of(power.seeds)} {word} {amount(detects, power.measure)} ({_basis(power)})"]
    if more is not None:
        parts.append(f"{power.seeds + 1} would {word} {amount(more, power.measure)}")
    if power.verdicts > 1 and power.corrected is not None:
        corrected = amount(power.corrected, power.measure)
        parts.append(f"{corrected} after correction for {power.verdicts} verdicts")
    if power.margin and power.needs is not None:
        parts.append(needed(power))
    return "; ".join(parts)


def needed(power: Power) -> str:
    """`lower_by: 2` needs a true effect of 5.0 points."""
    needs = amount(abs(power.needs or 0), power.measure)
    if power.claim.expect.word != "not_worse_than":
        return f"`{power.claim.expect}` needs a true effect of {needs}"
    if (power.needs or 0) > 0:
        return f"`{power.claim.expect}` needs one that is truly better by {needs}"
    return f"`{power.claim.expect}` holds up to a true loss of {needs}"


def _basis(power: Power) -> str:
    cells = f"{power.cells} cell{'s'[: power.cells != 1]} a side"
    if power.spread is None:
        return f"{cells}, shares near one half"
    spread = f"seed spread {amount(power.spread.value, power.measure)}, {power.spread.source}"
    return f"{cells}, {spread}"
