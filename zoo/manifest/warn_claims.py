"""What a plan warns of about its claims: seeds that decide nothing, and comparisons that differ in
more than they say.

Two cells are compared by their resolved settings, whatever moved them: the axis, a card, an
override, `zip`. Of an interaction, the two differences are compared as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.catalog import ModelCard
from zoo.manifest.cells import Cell
from zoo.manifest.claims import Claim
from zoo.manifest.plan_warning import PlanWarning
from zoo.manifest.power import Power, amount, needed, seeds_of
from zoo.manifest.trial import Trial
from zoo.manifest.verdicts import Unit, matched

CARDS = ("model", "data", "reward", "prompt")
CONTROLLED = "reward"  # the axis whose effects did not carry over to other families


def claim_warnings(
    claims: Sequence[Claim], trials: Sequence[Trial], powers: Sequence[Power]
) -> list[PlanWarning]:
    """All warnings about claims that have passed `check_claims`; `powers` are theirs."""
    made: dict[str, list[Unit]] = {claim.id: [] for claim in claims}
    for power in powers:
        made[power.claim.id].append(power.unit)
    resolved = _Resolved(trials)
    found = [warning for claim in claims for warning in _seeds(claim, powers)]
    for claim in claims:
        found += _confounds(claim, made[claim.id], resolved)
    return found + _families(claims, made, resolved)


class _Resolved:
    """A trial of each cell. Cells are long keys, so each is looked up by its content once."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._by_content = {tuple(trial.cell.items()): trial for trial in trials}
        self._by_object: dict[int, Trial] = {}

    def __getitem__(self, cell: Cell) -> Trial:
        found = self._by_object.get(id(cell))
        if found is None:
            found = self._by_object[id(cell)] = self._by_content[tuple(cell.items())]
        return found


# -- seeds ----------------------------------------------------------------------------------------


def _seeds(claim: Claim, powers: Sequence[Power]) -> list[PlanWarning]:
    """The verdict that the seeds decide least, if they do not decide it."""
    lacking = [power for power in powers if power.claim.id == claim.id and not power.enough]
    if not lacking:
        return []
    worst = max(lacking, key=lambda power: power.detects or float("inf"))
    verdicts = sum(power.claim.id == claim.id for power in powers)
    where = f"claim {claim.id}"
    if len(lacking) < verdicts:
        where += f", {len(lacking)} of {verdicts} verdicts"
    if worst.spread is None and claim.kind != "rate":
        text = f"no spread of {claim.metrics[-1]} is known, so nobody can say what "
        text += f"{seeds_of(worst.seeds)} decide; run two seeds of a few cells first"
        return [PlanWarning("spread-unknown", text, where)]
    return [PlanWarning("seeds-cannot-decide", f"{_shortfall(worst)}; {_remedy(worst)}", where)]


def _shortfall(power: Power) -> str:
    claim, detects = power.claim, power.detects
    if detects is None and power.claim.kind == "rate":
        return f"{seeds_of(power.seeds)} find no difference of rates, however large"
    if detects is None:
        return f"{seeds_of(power.seeds)} cannot decide it: one seed has no spread of its own"
    found = amount(detects, power.measure)
    if claim.expect.word == "equal_within":
        return f"{seeds_of(power.seeds)} show equality within {found} at best, not `{claim.expect}`"
    return f"{seeds_of(power.seeds)} detect {found}, so {needed(power)}"


def _remedy(power: Power) -> str:
    enough = power.seeds_enough
    if enough is None:
        return "no number of seeds would do; pool more cells or ask for less"
    if power.margin == 0:
        one = f"{seeds_of(enough)} would detect"
        return f"{one} {amount(power.effect(enough) or 0, power.measure)}"
    return f"{seeds_of(enough)} would detect {amount(power.margin, power.measure)}"


# -- confounds ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Differing:
    """A field in which compared cells differ beside the axis."""

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


def _confounds(claim: Claim, made: list[Unit], resolved: _Resolved) -> list[PlanWarning]:
    """Fields beside the axis in which the compared cells differ, an axis a warning."""
    fields: dict[str, dict[str, _Differing]] = {}
    pairs: dict[str, int] = {}
    for unit in made:
        for axis, one, two in unit.pairs:
            for a, b in matched(axis, one.cells, two.cells).pairs:
                pairs[axis] = pairs.get(axis, 0) + 1
                for name, left, right in _beside(axis, resolved[a], resolved[b]):
                    fields.setdefault(axis, {}).setdefault(name, _Differing()).add(left, right)
    found: list[PlanWarning] = []
    for axis, differing in fields.items():
        compute = differing.pop("completions", None)
        where = f"claim {claim.id}"
        if differing:
            what = ", ".join(d.text(name) for name, d in differing.items())
            share = _share(max(d.pairs for d in differing.values()), pairs[axis])
            whose = "differences" if axis == claim.differs_by else "cells"
            text = (
                f"{whose} compared along {axis} also differ in {what}{share}; give them one value "
                "(`overrides`), or say both in the claim"
            )
            found.append(PlanWarning("confounded", text, where))
        if compute is not None:
            text = (
                f"arms compared along {axis} train on different numbers of completions: "
                f"{', '.join(compute.examples[:2])}{_share(compute.pairs, pairs[axis])}; change "
                "`batch.prompts` or the rounds with it, or say that compute is not matched"
            )
            found.append(PlanWarning("compute-not-matched", text, where))
    return found


def _share(some: int, all_: int) -> str:
    return "" if some == all_ else f" in {some} of {all_} pairs"


def _beside(axis: str, one: Trial, two: Trial) -> list[tuple[str, Any, Any]]:
    """(field, value, value) of what differs in the resolved trials and does not belong to the
    axis."""
    found = _differing(one, two)
    some, other = (trial.rounds * trial.batch.completions for trial in (one, two))
    if some != other:
        found.append(("completions", some, other))
    elif axis.startswith("batch."):  # what else moves in the batch is what matches the compute
        found = [item for item in found if not item[0].startswith("batch.")]
    return [
        (name, left, right)
        for name, left, right in found
        if not _belongs(name, axis) and not (name == "batch.micro_batch" and None in (left, right))
    ]


def _differing(one: Trial, two: Trial) -> list[tuple[str, Any, Any]]:
    """Settings and cards, by dotted name, in which two trials differ."""
    cards = ((name, getattr(one, name).name, getattr(two, name).name) for name in CARDS)
    found = [card for card in cards if card[1] != card[2]]
    parts = [("grpo.", one.grpo, two.grpo)] if one.grpo != two.grpo else []
    if one.batch != two.batch:
        parts.append(("batch.", one.batch.model_dump(), two.batch.model_dump()))
    return found + [
        (prefix + name, left.get(name), right.get(name))
        for prefix, left, right in parts
        for name in {**left, **right}
        if left.get(name) != right.get(name)
    ]


def _belongs(name: str, axis: str) -> bool:
    """Whether a field is what the axis is about. A recipe is its settings."""
    return name == axis or (axis == "recipe" and name.startswith(("grpo.", "batch.")))


# -- families -------------------------------------------------------------------------------------


def _families(
    claims: Sequence[Claim], made: Mapping[str, list[Unit]], resolved: _Resolved
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
            f"claim{'s'[: len(ids) != 1]} {', '.join(ids)}",
        )
        for name, ids in lonely.items()
    ]


def family(model: ModelCard) -> str:
    """The lineage of a model: the first word of its family (`qwen` of `qwen2.5-math`), or its name
    where the card states none."""
    word = re.match(r"[a-z]+", model.family.lower())
    return word.group() if word else model.name
