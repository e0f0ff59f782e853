"""Warnings of a plan where benchmarks contain training problems, detected by content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.catalog import ProblemCard
from zoo.data.questions import SharedProblems
from zoo.lint.plan_warning import PlanWarning
from zoo.trials.trial import Trial


def overlap_warnings(
    trials: Sequence[Trial], overlaps: Sequence[SharedProblems]
) -> list[PlanWarning]:
    """A warning for each pair of sets that share problems."""
    found: list[PlanWarning] = []
    for overlap in overlaps:
        if overlap.problems:
            n = sum(trial.data.name == overlap.data.name for trial in trials)
            where = f"{n:,} trial{'s'[: n != 1]}"
            found.append(PlanWarning("leak-by-content", _text(overlap), where))
    return found


def _text(overlap: SharedProblems) -> str:
    shared, card = overlap.problems, overlap.benchmark
    are, them = ("is", "it") if shared == 1 else ("are", "them")
    return (
        f"{shared:,} of the {overlap.of:,} problems of {_place(card)} {are} in the training data "
        f"{_place(overlap.data)}, so accuracy on {them} measures memory; take {them} out of the "
        f"training data, as `filters: {{overlap: [{card.name}]}}` of a data card does, except "
        "where letter case, spacing or punctuation differ"
    )


def _place(card: ProblemCard) -> str:
    """The file of a local set, else the card."""
    return Path(card.local.path).name if card.local else card.name
