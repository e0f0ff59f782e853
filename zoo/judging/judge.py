"""Verdicts of a manifest's claims, from the numbers of its trials.

`zoo.claims.comparisons` defines which cells a claim compares, `zoo.stats` how it is decided; this
module combines the two. Sealed claims are corrected together. A claim that is not sealed gets its
effect and interval and no verdict, and so does an unfinished study: nothing is decided before all
trials of a comparison have ended. Where seeds are added in looks, each look is judged by its own
seeds, and a verdict is final from the look that reached it. Means are about trials that did not
collapse (`zoo.judging.values`); the share that did is reported next to them with its exact
interval. Pure: values in, verdicts out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoo.claims.comparisons import ClaimComparison, Contrast, ContrastSide, units
from zoo.claims.planned_power import base_of
from zoo.judging.numbers import Numbers, number
from zoo.judging.values import Key, key, rise_weights
from zoo.manifest.claim_schema import Claim
from zoo.runs.tripwires import first_crossing
from zoo.stats.contrasts import Estimate, StudyCells
from zoo.stats.looks import judge_looks
from zoo.stats.proportions import Difference, clopper_pearson
from zoo.stats.verdicts import Comparison, Effect, Judged, Region, Word, judge
from zoo.trials.metrics import Metric

SEALED = "sealed"


@dataclass(frozen=True)
class Arm:
    """Trials of one side of a comparison."""

    name: str
    trials: int
    """All that the plan has."""
    ended: int
    collapsed: int

    @property
    def rate(self) -> tuple[float, float]:
        """Exact 95 % interval of the share of trials that collapse."""
        return clopper_pearson(self.collapsed, self.ended)


@dataclass(frozen=True)
class ClaimVerdict:
    """What became of one comparison of a claim. Numbers are in the unit of its metric."""

    claim: Claim
    label: str
    """Of the comparison, where the claim has several."""
    unit: str
    standing: str
    """State of the claim in the lock: `sealed`, `exploratory`, ..."""
    word: Word | None
    """None for a claim that is not sealed."""
    judged: Judged
    steps: tuple[Effect, ...]
    arms: tuple[Arm, ...]
    missing: int
    """Trials that have not ended, or ended without the number."""
    watched: bool = False
    """Whether the manifest has tripwires for its trials, so that they could collapse."""
    look: int = 0
    """The look at which it was decided, else the last one, from 0."""
    looks: tuple[int, ...] = ()
    """Seeds of a cell at each look that was declared; () = one look."""
    voided: int = 0
    """Trials of it that were set aside by hand, also where they were trained again then."""

    @property
    def effect(self) -> float | None:
        """Of the step that decides; None where there is no estimate."""
        return self.judged.effect

    @property
    def estimate(self) -> Estimate | None:
        """The step that decides, where it is a difference of means."""
        step = None if self.judged.step is None else self.steps[self.judged.step]
        return step if isinstance(step, Estimate) else None

    @property
    def n(self) -> int:
        """Trials that it rests on."""
        counted = (arm.ended - (self.claim.kind != "rate") * arm.collapsed for arm in self.arms)
        return sum(counted)


@dataclass(frozen=True)
class _Stage:
    """The result of each comparison from the trials of one look."""

    numbers: Numbers
    steps: list[tuple[Effect, ...]]
    missing: list[int]
    comparisons: list[Comparison]
    """As judged: without steps where a trial is missing."""


def verdicts(
    claims: Sequence[Claim],
    numbers: Numbers,
    standing: Mapping[str, str],
    looks: Sequence[int] = (),
) -> list[ClaimVerdict]:
    """The verdicts of all claims, in their order; claims have passed `check_claims`.

    Args:
        standing: claim id -> its state in the lock (`zoo.lock.preregistration`); those that are
            `sealed` are judged and corrected together.
        looks: seeds of a cell at each look that the manifest declared; () = one look.
    """
    made = [(claim, unit) for claim in claims for unit in units(claim, numbers.cells)]
    sealed = [i for i, (claim, _) in enumerate(made) if standing.get(claim.id) == SEALED]
    stages = [_stage(made, found) for found in (numbers.looks(looks) if looks else [numbers])]
    tables = [[stage.comparisons[i] for i in sealed] for stage in stages]
    judged = judge_looks(tables, len(looks)) if looks else judge(tables[0])
    by_index = dict(zip(sealed, judged, strict=True))
    return [
        _verdict(made[i], i, stages, by_index.get(i), standing, looks) for i in range(len(made))
    ]


def _stage(made: Sequence[tuple[Claim, ClaimComparison]], numbers: Numbers) -> _Stage:
    steps = [_steps(claim, unit, numbers) for claim, unit in made]
    missing = [_missing(claim, unit, numbers) for claim, unit in made]
    regions = [region(claim, numbers.metrics[claim.metrics[-1]]) for claim, _ in made]
    kept = [() if lacking else found for lacking, found in zip(missing, steps, strict=True)]
    return _Stage(numbers, steps, missing, list(map(Comparison, regions, kept)))


def _verdict(
    what: tuple[Claim, ClaimComparison],
    i: int,
    stages: Sequence[_Stage],
    judged: Judged | None,
    standing: Mapping[str, str],
    looks: Sequence[int],
) -> ClaimVerdict:
    """The result of one comparison: at the look that decided it, else at the last one."""
    claim, unit = what
    decided = looks and judged is not None and judged.word != "undecided"
    at = judged.look if decided and judged else len(stages) - 1
    stage = stages[at]
    shown = judged
    if shown is None or (stage.missing[i] and stage.steps[i]):  # for its effect and interval
        (shown,) = judge([Comparison(stage.comparisons[i].region, stage.steps[i])])
    numbers = stage.numbers
    return ClaimVerdict(
        claim,
        unit.label,
        "points" if claim.kind == "rate" else numbers.metrics[claim.metrics[-1]].unit,
        standing.get(claim.id, "exploratory"),
        judged.word if judged else None,
        shown,
        stage.steps[i],
        _arms(claim, unit, numbers),
        stage.missing[i],
        any(r.trial.tripwires for c in unit.cells for r in numbers.by_cell[key(c)]),
        at,
        tuple(looks) if judged else (),
        _voided(unit, numbers),
    )


def _voided(unit: ClaimComparison, numbers: Numbers) -> int:
    cells = {key(cell) for cell in unit.cells}
    return sum(found.voids > 0 for found in numbers.results if found.key in cells)


def region(claim: Claim, metric: Metric) -> Region:
    """The region in which a claim expects its effect."""
    word, margin = claim.expect.word, claim.expect.number
    if word == "lower_by":
        return Region(high=-margin)
    if word == "equal_within":
        return Region(-margin, margin)
    if word == "not_before":
        return Region(low=0.0)
    if word == "higher_by":
        return Region(low=margin)
    more_is_better = metric.better != "lower"
    if claim.event is not None:  # an event is bad, but for a line that is crossed for the better
        good = {"above": "higher", "below": "lower"}[claim.event.side]
        more_is_better = metric.better == good
    return Region(low=-margin) if more_is_better else Region(high=margin)


# -- one comparison -------------------------------------------------------------------------------


def _steps(claim: Claim, unit: ClaimComparison, numbers: Numbers) -> tuple[Effect, ...]:
    """The effects of a comparison; none where one of them cannot be estimated."""
    if claim.kind == "rate":
        found = [_rate(claim, contrast, numbers) for contrast in unit.contrasts]
    else:
        names = claim.metrics * (len(unit.contrasts) // len(claim.metrics))
        studies = {name: numbers.study(name, trend=claim.kind == "trend") for name in {*names}}
        pairs = zip(unit.contrasts, names, strict=True)
        found = [_mean(claim, c, numbers, name, studies[name]) for c, name in pairs]
    there = [step for step in found if step is not None]
    return tuple(there) if len(there) == len(found) else ()


def _rate(claim: Claim, contrast: Contrast, numbers: Numbers) -> Difference | None:
    """The share of trials that cross the line, first side less second."""
    assert claim.event is not None
    counts: list[int] = []
    for side in contrast:
        trials = [r for cell in side.cells for r in numbers.by_cell[key(cell)] if r.ended]
        if not trials:
            return None
        event, name = claim.event, claim.event.metric
        crossed = (first_crossing(event, r.series.get(name, {})) is not None for r in trials)
        counts += [sum(crossed), len(trials)]
    return Difference(*counts)


def _mean(
    claim: Claim, contrast: Contrast, numbers: Numbers, name: str, study: StudyCells[Key]
) -> Estimate | None:
    """A sum of cell means less what base models bring in."""
    metric = numbers.metrics[name]
    weights: dict[Key, float] = {}
    bases: dict[Key, float] = {}
    for side in contrast:
        found = bases if side.base else weights
        for cell in side.cells:
            found[key(cell)] = found.get(key(cell), 0.0) + side.sign / len(side.cells)
    offset = square = 0.0
    for side in contrast:
        if side.base:
            noise = _bases(side, numbers, metric, study)
            if noise is None:
                return None
            offset += side.sign * noise[0]
            square += noise[1]
        elif claim.kind == "trend" and 0 in metric.series.rounds:
            noise = _bases(side, numbers, metric, study)
            square += (rise_weights(metric.series.rounds)[0] ** 2 * noise[1]) if noise else 0.0
    problems = None
    if claim.kind != "trend" and all(cell in study.cells for cell in weights):
        problems = numbers.over_problems(weights, bases, metric)
    return study.estimate(weights, offset=offset, base=math.sqrt(square), problems=problems)


def _bases(
    side: ContrastSide, numbers: Numbers, metric: Metric, study: StudyCells[Key]
) -> tuple[float, float] | None:
    """Mean of the base models of a side's cells, and the variance of that: each base is evaluated
    once. An unknown variance is assumed to be that between seeds."""
    values: list[float] = []
    variance: dict[object, float] = {}
    for cell in side.cells:
        found = numbers.base(key(cell), metric)
        if found is None:
            return None
        values.append(found[0])
        unknown = study.typical or 0.0
        base = base_of(cell, numbers.trial_of.get(cell))
        variance[base] = unknown if found[1] is None else found[1]
    often = Counter(base_of(cell, numbers.trial_of.get(cell)) for cell in side.cells)
    m = len(side.cells)
    return sum(values) / m, sum((c / m) ** 2 * variance[base] for base, c in often.items())


def _missing(claim: Claim, unit: ClaimComparison, numbers: Numbers) -> int:
    """Trials of a comparison that have not ended, or ended without the number that it needs."""
    trend, lacking = claim.kind == "trend", 0
    metrics = [numbers.metrics[name] for name in claim.metrics]
    for cell in {key(cell) for cell in unit.cells}:
        for found in numbers.by_cell[cell]:
            whole = claim.kind == "rate" or found.collapsed
            whole = whole or all(number(found, m, trend=trend) is not None for m in metrics)
            lacking += not (found.ended and whole)
    return lacking


def _arms(claim: Claim, unit: ClaimComparison, numbers: Numbers) -> tuple[Arm, ...]:
    """The trained sides of a comparison, each once."""
    sides = {
        tuple(key(cell) for cell in side.cells): side
        for contrast in unit.contrasts
        for side in contrast
        if not side.base
    }
    found: list[Arm] = []
    for cells, side in sides.items():
        trials = [result for cell in cells for result in numbers.by_cell[cell]]
        ended = [result for result in trials if result.ended]
        axes = (axis for axis in (claim.axis, claim.differs_by) if axis is not None)
        name = ", ".join(str(side.cells[0].get(axis)) for axis in axes)
        collapsed = sum(result.collapsed for result in ended)
        found.append(Arm(name or "all", len(trials), len(ended), collapsed))
    return tuple(found)
