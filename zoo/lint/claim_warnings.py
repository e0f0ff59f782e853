"""Warnings of a plan about its claims: seeds that decide nothing, and comparisons that differ in
more than the stated axis. A warning that several claims share is given once.

Two cells are compared by their resolved settings, regardless of the source of a difference: the
axis, a card, an override, `zip`. Of an interaction, the two differences are compared as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.catalog import ModelCard, Peft
from zoo.claims.comparisons import ClaimComparison, TrialOf, matched
from zoo.claims.planned_power import Power, amount, needed, seeds_do, seeds_of
from zoo.errors import listed
from zoo.lint.plan_warning import PlanWarning
from zoo.manifest.claim_schema import Claim
from zoo.trials.trial import Trial

CARDS = ("model", "data", "reward", "prompt")
MARGINS = ("equal_within", "not_worse_than")  # which nothing but seeds can make reachable
CONTROLLED = "reward"  # the axis whose effects did not carry over to other families


def claim_warnings(
    claims: Sequence[Claim], trials: Sequence[Trial], powers: Sequence[Power]
) -> list[PlanWarning]:
    """All warnings about claims that have passed `check_claims`; `powers` are theirs."""
    made: dict[str, list[ClaimComparison]] = {claim.id: [] for claim in claims}
    for power in powers:
        made[power.claim.id].append(power.unit)
    resolved = TrialOf(trials)
    found = [warning for claim in claims for warning in _seeds(claim, powers)]
    found += [*_corrected(powers), *_unknown(powers)]
    beside = [_beside_axes(claim, made[claim.id], resolved) for claim in claims]
    for claim, axes in zip(claims, beside, strict=True):
        found += _confounds(claim, axes)
    return found + _compute(claims, beside) + _families(claims, made, resolved)


def _claims(ids: Sequence[str]) -> str:
    """`claim a`, `claims a, b`."""
    return f"claim{'s'[: len(ids) != 1]} {', '.join(ids)}"


# -- seeds ----------------------------------------------------------------------------------------


def _seeds(claim: Claim, powers: Sequence[Power]) -> list[PlanWarning]:
    """The verdict that the seeds decide least, if they do not decide it."""
    own = [power for power in powers if power.claim.id == claim.id]
    lacking = [power for power in own if not power.enough and not _spread_unknown(power)]
    if not lacking:
        return []
    worst = max(lacking, key=lambda power: power.detects or float("inf"))
    where = _claims([claim.id])
    if len(lacking) < len(own):
        where += f", {len(lacking)} of {len(own)} verdicts"
    return [PlanWarning("seeds-cannot-decide", f"{_shortfall(worst)}; {_remedy(worst)}", where)]


def _corrected(powers: Sequence[Power]) -> list[PlanWarning]:
    """Margins that the seeds reach by themselves, but not after the correction; claims alike in all
    of it share a warning."""
    worst: dict[str, Power] = {}
    for power in powers:
        if power.enough and not power.enough_corrected and power.claim.expect.word in MARGINS:
            before = worst.get(power.claim.id)
            if before is None or (power.corrected or 0) > (before.corrected or 0):
                worst[power.claim.id] = power
    told: dict[str, list[str]] = {}
    for id_, power in worst.items():
        told.setdefault(_beyond(power), []).append(id_)
    return [PlanWarning("margin-out-of-reach", text, _claims(ids)) for text, ids in told.items()]


def _above(found: float, power: Power) -> str:
    """An effect beyond the margin, to as many digits as show it."""
    text = amount(found, power.measure)
    return text if float(text.split()[0]) > power.margin else f"{found:.2f} {power.measure}"


def _beyond(power: Power) -> str:
    expect, seeds, found = power.claim.expect, power.seeds, power.corrected
    verb = "show" if expect.word == "equal_within" else "detect"
    what = "equality within " if verb == "show" else ""
    shown = what + (_above(found, power) if found is not None else "nothing")
    enough = power.seeds_enough_corrected
    remedy = f"take {seeds_of(enough)}, " if enough else "take "
    return (
        f"after the correction for {power.verdicts} verdicts {seeds_do(seeds, verb)} {shown} at "
        f"best (80 % power), not `{expect}`; {remedy}fewer claims or a wider margin"
    )


def _unknown(powers: Sequence[Power]) -> list[PlanWarning]:
    """Claims about metrics whose seed noise is unknown."""
    lacking = [power for power in powers if _spread_unknown(power)]
    if not lacking:
        return []
    text = (
        f"no seed noise of {listed(power.claim.metrics[-1] for power in lacking)} is known, so "
        f"it is unknown what {seeds_do(lacking[0].seeds, 'decide')}; "
        "run two seeds of a few cells first"
    )
    where = _claims(list(dict.fromkeys(power.claim.id for power in lacking)))
    return [PlanWarning("spread-unknown", text, where)]


def _spread_unknown(power: Power) -> bool:
    return power.spread is None and power.claim.kind != "rate"


def _shortfall(power: Power) -> str:
    claim, detects = power.claim, power.detects
    if detects is None and power.claim.kind == "rate":
        return f"{seeds_do(power.seeds, 'find')} no difference of rates, however large"
    if detects is None:
        return f"{seeds_of(power.seeds)} cannot decide it: one seed shows no seed noise"
    found = amount(detects, power.measure)
    if claim.expect.word == "equal_within":
        show = seeds_do(power.seeds, "show")
        return f"{show} equality within {found} at best, not `{claim.expect}`"
    return f"{seeds_do(power.seeds, 'detect')} {found}, so {needed(power)}"


def _remedy(power: Power) -> str:
    enough = power.seeds_enough
    if enough is None and power.base:
        return (
            "more seeds alone are not enough: the base model is evaluated once; take more `samples`"
        )
    if enough is None:
        return "more seeds alone are not enough; pool more cells or ask for less"
    if power.margin == 0:
        one = f"{seeds_of(enough)} would detect"
        return f"{one} {amount(power.effect(enough) or 0, power.measure)}"
    return f"{seeds_of(enough)} are enough for `{power.claim.expect}`"


# -- confounds ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Differing:
    """A field in which compared cells differ, apart from the axis."""

    pairs: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, one: Any, two: Any) -> None:
        self.pairs += 1
        example = f"{one} and {two}"
        if example not in self.examples:
            self.examples.append(example)

    def text(self, name: str) -> str:
        more = ", ..." if len(self.examples) > 2 else ""
        return f"{name} ({', '.join(self.examples[:2])}{more})"


@dataclass(slots=True)
class _Axis:
    """What differs between the cells that one claim compares along one axis."""

    pairs: int = 0
    fields: dict[str, _Differing] = field(default_factory=dict)
    completions: list[tuple[int, int]] = field(default_factory=list)
    """Completions of a trial on both sides, of each pair in which they are not equal."""


def _beside_axes(claim: Claim, made: list[ClaimComparison], resolved: TrialOf) -> dict[str, _Axis]:
    """Axis -> what else differs between the cells that are compared along it."""
    axes: dict[str, _Axis] = {}
    for unit in made:
        for axis, one, two in unit.pairs:
            for a, b in matched(axis, one.cells, two.cells).pairs:
                found = axes.setdefault(axis, _Axis())
                found.pairs += 1
                left, right = resolved[a], resolved[b]
                for name, *values in _beside(axis, left, right):
                    found.fields.setdefault(name, _Differing()).add(*values)
                if (some := _completions(left)) != (other := _completions(right)):
                    found.completions.append((some, other))
    return axes


def _confounds(claim: Claim, axes: Mapping[str, _Axis]) -> list[PlanWarning]:
    """Fields apart from the axis in which the compared cells differ, one warning an axis."""
    found: list[PlanWarning] = []
    for axis, beside in axes.items():
        if not beside.fields:
            continue
        what = ", ".join(d.text(name) for name, d in beside.fields.items())
        share = _share(max(d.pairs for d in beside.fields.values()), beside.pairs)
        whose = "differences" if axis == claim.differs_by else "cells"
        text = (
            f"{whose} compared along {axis} also differ in {what}{share}; give them one value "
            "(`overrides`), or name both in the claim"
        )
        found.append(PlanWarning("confounded", text, _claims([claim.id])))
    return found


def _compute(claims: Sequence[Claim], beside: Sequence[Mapping[str, _Axis]]) -> list[PlanWarning]:
    """Arms that train on different numbers of completions, an axis a warning."""
    by_axis: dict[str, list[tuple[str, _Axis]]] = {}
    for claim, axes in zip(claims, beside, strict=True):
        for axis, found in axes.items():
            if found.completions:
                by_axis.setdefault(axis, []).append((claim.id, found))
    made: list[PlanWarning] = []
    for axis, told in by_axis.items():
        numbers = [n for _, found in told for pair in found.completions for n in pair]
        some = sum(len(found.completions) for _, found in told)
        text = (
            f"arms compared along {axis} train on different numbers of completions "
            f"({min(numbers):,} to {max(numbers):,})"
            f"{_share(some, sum(found.pairs for _, found in told))}, which may cause the "
            "difference"
        )
        made.append(PlanWarning("compute-not-matched", text, _claims([id_ for id_, _ in told])))
    return made


def _share(some: int, all_: int) -> str:
    return "" if some == all_ else f" in {some} of {all_} pairs"


def _beside(axis: str, one: Trial, two: Trial) -> list[tuple[str, Any, Any]]:
    """(field, value, value) of what differs in the resolved trials and does not belong to the
    axis."""
    found = _differing(one, two)
    if axis.startswith("batch.") and _completions(one) == _completions(two):
        # what else moves in the batch is what matches the compute
        found = [item for item in found if not item[0].startswith("batch.")]
    return [
        (name, left, right)
        for name, left, right in found
        if not _belongs(name, axis) and not (name == "batch.micro_batch" and None in (left, right))
    ]


def _completions(trial: Trial) -> int:
    """Completions that a trial is trained on."""
    return trial.rounds * trial.batch.completions


def _differing(one: Trial, two: Trial) -> list[tuple[str, Any, Any]]:
    """Settings and cards, by dotted name, in which two trials differ."""
    cards = ((name, getattr(one, name).name, getattr(two, name).name) for name in CARDS)
    found = [card for card in cards if card[1] != card[2]]
    parts = [("grpo.", one.grpo, two.grpo)] if one.grpo != two.grpo else []
    if "entropy_mean" in one.identity and "entropy_mean" in two.identity:
        parts.append(("", {"entropy_mean": one.entropy_mean}, {"entropy_mean": two.entropy_mean}))
    if one.batch != two.batch:
        parts.append(("batch.", one.batch.model_dump(), two.batch.model_dump()))
    if one.peft != two.peft:
        left, right = ((t.peft or Peft()).model_dump() for t in (one, two))
        parts.append(("peft.", left, right))
    return found + [
        (prefix + name, left.get(name), right.get(name))
        for prefix, left, right in parts
        for name in {**left, **right}
        if left.get(name) != right.get(name)
    ]


def _belongs(name: str, axis: str) -> bool:
    """Whether a field is what the axis is about. A recipe is its settings."""
    of_recipe = name.startswith(("grpo.", "batch.", "peft.", "entropy_mean"))
    return name == axis or (axis == "recipe" and of_recipe)


# -- families -------------------------------------------------------------------------------------


def _families(
    claims: Sequence[Claim], made: Mapping[str, list[ClaimComparison]], resolved: TrialOf
) -> list[PlanWarning]:
    """Claims about a reward that rest on models of one family."""
    lonely: dict[str, list[str]] = {}
    for claim in claims:
        if claim.axis == CONTROLLED:
            trials = (resolved[cell] for unit in made[claim.id] for cell in unit.cells)
            families = {family(model) for model in {t.model.name: t.model for t in trials}.values()}
            if len(families) == 1:
                lonely.setdefault(families.pop(), []).append(claim.id)
    return [
        PlanWarning(
            "one-family",
            f"what a reward does is claimed on {name} models only, and even random rewards raise "
            "some families (arXiv:2506.10947); add a model of another family",
            _claims(ids),
        )
        for name, ids in lonely.items()
    ]


def family(model: ModelCard) -> str:
    """The lineage of a model: the first word of its family (`qwen` of `qwen2.5-math`), or its name
    where the card states none."""
    word = re.match(r"[a-z]+", model.family.lower())
    return word.group() if word else model.name
