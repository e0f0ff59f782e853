"""Claims in a lock: *sealed* where nothing that they judge had run when they were first recorded,
else *exploratory*; one that was sealed and was edited since is *changed*. Seeds and cells
are sealed with a claim: one that got more of them after the first results is *extended*, unless
the manifest had declared these looks, and one that lost some is *changed*. One of trials that ran
is *extended*, too, where the number of rounds changed, and *changed* where a cell has other
settings (recipe, model, data, reward) than it ran with. Apart from the lock, one is *voided* where
a person set trials of it aside (`zoo.store.void`).

A row of the lock is the claim as written, whether it is sealed, its `seeds` (a list, or the
declared looks), `cells` (short digests of those that it judges) and `settings` (cell -> digest of
what its trials are), `was` (what was sealed under its id, where that is something else),
`seeds_now`, `cells_now` and `settings_now` where the manifest has others than were sealed, `rounds`
(those that it was sealed for) where the plan has others, and `withdrawn` where it no longer has the
claim. Locks of before cells or settings were sealed lack them; those of the lock's own trials stand
for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from zoo import json_text
from zoo.claims.comparisons import units
from zoo.manifest.claim_schema import Claim
from zoo.manifest.seed_looks import SeedLooks
from zoo.trials import identity
from zoo.trials.grid import Cell
from zoo.trials.trial import Trial

Row = dict[str, Any]
Word = Literal["new", "sealed", "extended", "changed", "voided", "exploratory", "withdrawn"]
Sealed = list[int] | list[str] | dict[str, Any]


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
    then = CellsById((row["cell"], row["id"]) for row in locked)
    now = CellsById((trial.cell, trial.id) for trial in trials)
    sealed_settings = _Settings((row["cell"], row["line"]) for row in locked)
    settings = _Settings((trial.cell, trial.identity) for trial in trials)
    cells = then.by_name | now.by_name
    seen = then.of(ran) | now.of(ran)
    renamed = then.renamed(now)
    found: list[Row] = []
    for claim in claims:
        said = claim.model_dump(mode="json", exclude_defaults=True, by_alias=True)
        old = known.pop(claim.id, None)
        open_ = seen.isdisjoint(_judged(claim, cells)) if seen else True
        if old is not None and "cells_now" in old:
            open_ = False  # it had others when one of them had run
        row: Row = {"claim": said, "sealed": open_}
        if old is not None and old["claim"] == said:
            row = {key: old[key] for key in ("claim", "sealed", "was") if key in old}
        elif old is not None and not open_ and (was := _sealed(old)) is not None:
            row |= {"sealed": True} if was == said else {"was": was}
        row["seeds"] = seeds if open_ or old is None else old.get("seeds", before_seeds)
        if row["seeds"] != seeds:
            row["seeds_now"] = seeds
        row |= _cells(claim, None if open_ else old, then, now, renamed)
        row |= _settings(row["cells"], None if open_ else old, sealed_settings, settings, renamed)
        if old is not None and not open_ and _sealed(row) is not None:
            row |= _sealed_for(old, horizon, rounds)
        found.append(row)
    if seen:  # a sealed claim that was taken out is told, not forgotten
        gone = [row for row in known.values() if _sealed(row)]
        found += [row | {"withdrawn": True} | _sealed_for(row, horizon, rounds) for row in gone]
    return found


class CellsById:
    """The cells of a lock or a plan, by a short name that follows from their content."""

    def __init__(self, told: Iterable[tuple[Cell, str]]) -> None:
        self.by_name: dict[str, Cell] = {}
        self._names: dict[str, str] = {}  # trial id -> name of its cell
        for cell, id_ in told:
            name = _name(cell)
            self.by_name.setdefault(name, cell)
            self._names[id_] = name

    def of(self, chosen: Callable[[str], bool]) -> set[str]:
        """The cells that have a trial among those chosen by id."""
        return {name for id_, name in self._names.items() if chosen(id_)}

    def renamed(self, now: CellsById) -> dict[str, str]:
        """Cell -> its present name, where the same trials are in a cell of other content: as with
        an axis that says what held before."""
        both = self._names.keys() & now._names.keys()
        return {self._names[id_]: now._names[id_] for id_ in both}


def _name(cell: Cell) -> str:
    return identity.digest(cell, 8)


def _cells(
    claim: Claim, old: Row | None, then: CellsById, now: CellsById, renamed: dict[str, str]
) -> Row:
    """The cells that a claim was sealed with, and those that it has where these are others.

    Args:
        old: its row of the previous lock, where one of its trials ran since then.
    """
    present = sorted(_judged(claim, now.by_name))
    if old is None:
        return {"cells": present}
    sealed = old["cells"] if "cells" in old else _judged(claim, then.by_name)
    sealed = sorted(renamed.get(name, name) for name in sealed)
    return {"cells": sealed} | ({} if sealed == present else {"cells_now": present})


class _Settings:
    """What the trials of each cell are but for their seeds, as a short digest; computed when asked
    for."""

    def __init__(self, told: Iterable[tuple[Cell, Row | bytes]]) -> None:
        self._told: dict[str, list[Row | bytes]] = {}
        for cell, identity_or_line in told:
            self._told.setdefault(_name(cell), []).append(identity_or_line)
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str | None:
        """The digest of a cell, None where it is not there."""
        if name in self._told and name not in self._known:
            found = [
                json_text.parse(one)["identity"] if isinstance(one, bytes) else one
                for one in self._told[name]
            ]
            parts = ({key: one[key] for key in one if key != "seed"} for one in found)
            same = {identity.canonical(part) for part in parts}
            self._known[name] = identity.digest(sorted(same), 8)
        return self._known.get(name)


def _settings(
    cells: Sequence[str],
    old: Row | None,
    sealed: _Settings,
    now: _Settings,
    renamed: dict[str, str],
) -> Row:
    """The settings that a claim's cells were sealed with, and those that differ from them now.

    Args:
        old: its row of the previous lock, where one of its trials ran since then.
    """
    present = {name: found for name in cells if (found := now.of(name)) is not None}
    if old is None:
        return {"settings": present}
    named = {new: name for name, new in renamed.items()}
    before: Row = old.get("settings") or {
        name: found for name in cells if (found := sealed.of(named.get(name, name))) is not None
    }
    before = {renamed.get(name, name): found for name, found in before.items()}
    moved = {n: found for n, found in present.items() if before.get(n, found) != found}
    return {"settings": before} | ({"settings_now": moved} if moved else {})


def _sealed_for(old: Row, horizon: int, rounds: int) -> Row:
    """The number of rounds that a claim was sealed for, where it is not `rounds`. `horizon`: of
    the previous lock; 0 = unknown."""
    sealed_for = old.get("rounds", horizon)
    return {"rounds": sealed_for} if sealed_for not in (0, rounds) else {}


def _sealed(row: Row) -> Row | None:
    """What was sealed under the id of a row, if anything."""
    return row["claim"] if row["sealed"] else row.get("was")


def _judged(claim: Claim, cells: dict[str, Cell]) -> set[str]:
    """Names of the cells that a claim's verdicts rest on."""
    return {_name(cell) for unit in units(claim, list(cells.values())) for cell in unit.cells}


def words(now: Iterable[Row], before: Iterable[Row]) -> dict[str, Word]:
    """Claim id -> its state, for rows that would replace those of the previous lock;
    `new` = sealed by the next sweep."""
    sealed = [row["claim"] for row in before if row["sealed"]]
    return {row["claim"]["id"]: _word(row, sealed) for row in now}


def with_voided(
    told: dict[str, Word],
    claims: Iterable[Claim],
    trials: Sequence[Trial],
    void: Callable[[str], bool],
) -> dict[str, Word]:
    """The same, where a claim that was sealed is `voided` if a trial that it judges was set aside
    since then. `void`: whether the trial of an id was."""
    sealed = [claim for claim in claims if told.get(claim.id) in ("sealed", "extended")]
    if not sealed:
        return told
    cells = CellsById((trial.cell, trial.id) for trial in trials)
    touched = cells.of(void)
    gone = [c.id for c in sealed if touched and touched & _judged(c, cells.by_name)]
    return {id_: "voided" if id_ in gone else word for id_, word in told.items()}


def _word(row: Row, sealed: list[Row]) -> Word:
    if row.get("withdrawn"):
        return "withdrawn"
    if row["sealed"]:
        moved = [name for name in ("seeds", "cells") if f"{name}_now" in row]
        if "settings_now" in row or not all(_adds(row[n], row[f"{n}_now"]) for n in moved):
            return "changed"
        if moved or "rounds" in row:
            return "extended"
        return "sealed" if row["claim"] in sealed else "new"
    return "changed" if "was" in row else "exploratory"


def _adds(sealed: Sealed, now: Sealed) -> bool:
    """Whether seeds, looks or cells were added to those that were sealed and none taken away."""
    return set(_listed(sealed)) <= set(_listed(now))


def _listed(sealed: Sealed) -> Sequence[int | str]:
    return list(range(sealed["most"])) if isinstance(sealed, dict) else sealed
