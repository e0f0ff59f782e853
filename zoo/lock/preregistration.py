"""Claims in a lock: *sealed* where nothing that they judge had run when they were first recorded,
else *exploratory*; one that was sealed and says something else now is *changed*, and one that was
sealed for another number of rounds, of trials that ran, is *extended*.

A row of the lock is the claim as said, whether it is sealed, `was` (what was sealed under its id),
`rounds` (for how many, where that differs) where it is not sealed as it stands, and `withdrawn`
where the manifest no longer has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from zoo.claims.comparisons import units
from zoo.manifest.claim_schema import Claim
from zoo.trials import identity
from zoo.trials.trial import Trial

Row = dict[str, Any]
Word = Literal["new", "sealed", "changed", "extended", "exploratory", "withdrawn"]


def rows(
    claims: Sequence[Claim],
    before: Iterable[Row],
    locked: Iterable[Row],
    trials: Iterable[Trial],
    ran: Callable[[str], bool],
) -> list[Row]:
    """The claims' rows of a lock that is written now.

    Args:
        before: the claims' rows of the previous lock.
        locked: its trials' rows; a claim about what ran under another id is not sealed either.
        trials: all trials of the plan.
        ran: whether the trial of an id has a run folder.
    """
    known = {row["claim"]["id"]: row for row in before}
    if not (claims or known):
        return []
    locked, trials = list(locked), list(trials)
    horizon = max((row.get("rounds") or 0 for row in locked), default=0)
    rounds = max((trial.rounds for trial in trials), default=0)
    told = [(row["cell"], row["id"]) for row in locked] + [(t.cell, t.id) for t in trials]
    cells = {identity.canonical(cell): cell for cell, _ in told}
    seen = {identity.canonical(cell) for cell, id_ in told if ran(id_)}
    found: list[Row] = []
    for claim in claims:
        said = claim.model_dump(mode="json", exclude_defaults=True, by_alias=True)
        old = known.pop(claim.id, None)
        was = _sealed(old) if old is not None else None
        if old is not None and old["claim"] == said and was != said:
            found.append({key: value for key, value in old.items() if key != "withdrawn"})
            continue
        other = _sealed_for(old, horizon, rounds) if old is not None else {}
        open_ = seen.isdisjoint(_judged(claim, list(cells.values()))) if seen else True
        row: Row = {"claim": said, "sealed": open_ or (was == said and not other)}
        found.append(row if row["sealed"] or was is None else row | {"was": was} | other)
    if seen:  # a sealed claim that was taken out is told, not forgotten
        gone = [row for row in known.values() if _sealed(row)]
        found += [row | {"withdrawn": True} | _sealed_for(row, horizon, rounds) for row in gone]
    return found


def _sealed_for(old: Row, horizon: int, rounds: int) -> Row:
    """The number of rounds that a claim was sealed for, where it is not `rounds`. `horizon`: of
    the previous lock; 0 = not known."""
    sealed_for = old.get("rounds", horizon)
    return {"rounds": sealed_for} if sealed_for not in (0, rounds) else {}


def _sealed(row: Row) -> Row | None:
    """What was sealed under the id of a row, if anything."""
    return row["claim"] if row["sealed"] else row.get("was")


def _judged(claim: Claim, cells: list[dict[str, Any]]) -> set[str]:
    """The cells that a claim's verdicts rest on."""
    return {identity.canonical(cell) for unit in units(claim, cells) for cell in unit.cells}


def words(now: Iterable[Row], before: Iterable[Row]) -> dict[str, Word]:
    """Claim id -> how it stands, of rows that would be written over those of the previous lock;
    `new` = sealed by the next sweep."""
    sealed = [row["claim"] for row in before if row["sealed"] or row.get("was") == row["claim"]]
    return {row["claim"]["id"]: _word(row, sealed) for row in now}


def _word(row: Row, sealed: list[Row]) -> Word:
    if row.get("withdrawn"):
        return "withdrawn"
    if row["sealed"]:
        return "sealed" if row["claim"] in sealed else "new"
    if "was" not in row:
        return "exploratory"
    return "extended" if row["was"] == row["claim"] else "changed"
