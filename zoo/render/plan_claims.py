"""The claims of a plan: detectable effects at these seeds, and which claims are sealed."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.claims import planned_power
from zoo.errors import listed
from zoo.lock.preregistration import Word
from zoo.planning.plan_report import Plan
from zoo.planning.study import Study
from zoo.render.plan_costs import counted

TOLD: dict[Word, str] = {
    "sealed": "sealed",
    "new": "`zoo sweep` seals",
    "changed": "changed after their trials ran, so exploratory",
    "extended": "extended by seeds, cells or rounds after their trials ran, so without verdict",
    "voided": "voided by trials set aside after they were sealed, so without verdict",
    "exploratory": "exploratory, as their trials ran before",
    "withdrawn": "sealed and withdrawn",
}


def title(outlook: Plan) -> str:
    """The section's title, with what all its numbers rest on."""
    common = ", ".join(filter(None, ("80 % power", planned_power.basis(outlook.powers))))
    return f"claims: what the seeds can detect ({common})"


def lines(outlook: Plan) -> Iterator[str]:
    """Each claim, the effect that the seeds can detect, and whether it is sealed."""
    yield from planned_power.lines(outlook.powers)
    if outlook.powers:
        n = len(outlook.powers)
        together = ", corrected together (Holm)" if n > 1 else ""
        yield f"{counted(n, 'verdict')}{together}"
    yield from _by_word(outlook.study)


def seal_notes(study: Study) -> Iterator[str]:
    """A line for each state of claims except sealed and to be sealed."""
    yield from (f"claims: {line}" for line in _by_word(study, "sealed", "new"))


def diff(study: Study) -> Iterator[str]:
    """A line for each claim that is not simply sealed by the first start."""
    usual = "sealed" if study.changes.locked else "new"
    for claim, word in study.seals.items():
        if word != usual:
            yield f"claim {claim}: {word}"


def _by_word(study: Study, *without: Word) -> Iterator[str]:
    for word, told in TOLD.items():
        found = [claim for claim, how in study.seals.items() if how == word]
        if found and word not in without:
            yield f"{told}: {listed(found, 12)}"
