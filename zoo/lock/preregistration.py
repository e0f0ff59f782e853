"""Claims in a lock: *sealed* where nothing that they judge had run when they were first recorded,
else *exploratory*; one that was sealed and edited since is *changed*. The seeds are
sealed with a claim: one that got more of them after the first results is *extended*, unless the
manifest had declared these looks. So is one of trials that ran, where the number of rounds changed.

A row of the lock is the claim as written, whether it is sealed, its `seeds` (a list, or the
declared looks), `was` (what was sealed under its id, where that is something else), `seeds_now`
where the manifest has other seeds than were sealed, `rounds` (those that it was sealed for) where
the plan has others, and `withdrawn` where it no longer has the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from zoo.claims.comparisons import units
from zoo.manifest.claim_schema import Claim
from zoo.manifest.seed_looks import SeedLooks
from zoo.trials import identity
from zoo.trials.trial import Trial

Row = dict[str, Any]
Word = Literal["new", "sealed", "extended", "changed", "exploratory", "withdrawn"]
Seeds = list[int] | dict[str, Any]


def rows(
    claims: Sequence[Claim],
    before: Iterable[Row],
    locked: Iterable[Row],
    trials: Iterable[Trial],
    ran: Callable[[str], bool],
    looks: SeedLooks | None = None,
) -> list[Row]:
    """The claims' rows of a lock that is written now.

    Args:
        before: the claims' rows of the previous lock.
        locked: its trials' rows; a claim about what ran under another id is not sealed either.
        trials: all trials of the plan.
        ran: whether the trial of an id has a run folder.
        looks: as the manifest declares them.
    """
    known = {row["claim"]["id"]: row for row in before}
    if not (claims or known):
        return []
    locked, trials = tuple(locked), tuple(trials)
    seeds = looks.model_dump() if looks else sorted({trial.seed for trial in trials})
    before_seeds = sorted({row["seed"] for row in locked})
    horizon = max((row.get("rounds") or 0 for row in locked), default=0)
    rounds = max((trial.rounds for trial in trials), default=0)
    told = [(row["cell"], row["id"]) for row in locked] + [(t.cell, t.id) for t in trials]
    cells = {identity.canonical(cell): cell for cell, _ in told}
    seen = {identity.canonical(cell) for cell, id_ in told if ran(id_)}
    found: list[Row] = []
    for claim in claims:
        said = claim.model_dump(mode="json", exclude_defaults=True, by_alias=True)
        old = known.pop(claim.id, None)
        open_ = seen.isdisjoint(_judged(claim, list(cells.values()))) if seen else True
        row: Row = {"claim": said, "sealed": open_}
        if old is not None and old["claim"] == said:
            row = {key: old[key] for key in ("claim", "sealed", "was") if key in old}
        elif old is not None and not open_ and (was := _sealed(old)) is not None:
            row |= {"sealed": True} if was == said else {"was": was}
        row["seeds"] = seeds if open_ or old is None else old.get("seeds", before_seeds)
        if old is not None and not open_ and _sealed(row) is not None:
            row |= _sealed_for(old, horizon, rounds)
        found.append(row if row["seeds"] == seeds else row | {"seeds_now": seeds})
    if seen:  # a sealed claim that was taken out is told, not forgotten
        gone = [row for row in known.values() if _sealed(row)]
        found += [row | {"withdrawn": True} | _sealed_for(row, horizon, rounds) for row in gone]
    return found


def _sealed_for(old: Row, horizon: int, rounds: int) -> Row:
    """The number of rounds that a claim was sealed for, where it is not `rounds`. `horizon`: of
    the previous lock; 0 = unknown."""
    sealed_for = old.get("rounds", horizon)
    return {"rounds": sealed_for} if sealed_for not in (0, rounds) else {}


def _sealed(row: Row) -> Row | None:
    """What was sealed under the id of a row, if anything."""
    return row["claim"] if row["sealed"] else row.get("was")


def _judged(claim: Claim, cells: list[dict[str, Any]]) -> set[str]:
    """The cells that a claim's verdicts rest on."""
    return {identity.canonical(cell) for unit in units(claim, cells) for cell in unit.cells}


def words(now: Iterable[Row], before: Iterable[Row]) -> dict[str, Word]:
    """Claim id -> its state, for rows that would replace those of the previous lock;
    `new` = sealed by the next sweep."""
    sealed = [row["claim"] for row in before if row["sealed"]]
    return {row["claim"]["id"]: _word(row, sealed) for row in now}


def _word(row: Row, sealed: list[Row]) -> Word:
    if row.get("withdrawn"):
        return "withdrawn"
    if row["sealed"]:
        if "seeds_now" in row:
            return "extended" if _adds(row["seeds"], row["seeds_now"]) else "changed"
        if "rounds" in row:
            return "extended"
        return "sealed" if row["claim"] in sealed else "new"
    return "changed" if "was" in row else "exploratory"


def _adds(sealed: Seeds, now: Seeds) -> bool:
    """Whether seeds, or looks, were added to those that were sealed and none was taken away."""
    return set(_listed(sealed)) <= set(_listed(now))


def _listed(seeds: Seeds) -> list[int]:
    return seeds if isinstance(seeds, list) else list(range(seeds["most"]))
