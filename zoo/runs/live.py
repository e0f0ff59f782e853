"""Which rows of a trial's journals count: the only reader of launches and lineages.

A *launch* is a process that worked on a trial (`attempt` in a row: its number). A *lineage* is a
policy: training that began at round 0, continued by one launch or several. Live rows are those of
one lineage: the recorded one where the trial finished, else the newest; and evaluations of the base
model by others, where it has none. Where a later launch continued from an earlier round, rows of
the dead one after that round are superseded; of several rows of a round the last counts. Rows
without `lineage` are of form 1 (zoo 0.1.0), where every launch began again. Reads only journals.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.grader_version import GRADER_VERSION
from zoo.json_text import Fields, as_mapping
from zoo.store import journal
from zoo.store.record import Record
from zoo.store.run_store import read_json

Row = dict[str, Any]
_MEASURED = Fields("attempt", "lineage", "round", "key", "grader")
LAUNCH = "launch.json"
"""Which launch owns a trial's folder: its token, number and lineage. Written under the lock."""


@dataclass(frozen=True, slots=True)
class LiveRows:
    """The rows of a trial that count."""

    lineage: int
    """0 = training never began."""
    rounds: dict[int, Row]
    """Round -> its row of `metrics.jsonl`, ascending."""
    evals: tuple[Row, ...]
    """Rows of `evals.jsonl`, in their order; a later row of one measurement replaces an earlier."""
    replaced_by: int = 0
    """The last launch that replaced rounds of an earlier one of this lineage; 0 = none did."""

    @property
    def reached(self) -> int:
        """The last round that ended."""
        return max(self.rounds, default=0)


def read(folder: Path | str, found: Record | None) -> LiveRows:
    """The live rows of a trial's folder. `found`: its record.

    Raises:
        StateError: a journal that cannot be read.
    """
    rows, evals = (journal.read(f"{folder}/{name}.jsonl") for name in ("metrics", "evals"))
    return of_rows(rows, evals, found)


def up_to(rows: LiveRows, rounds: int) -> LiveRows:
    """The same without what lies beyond a horizon."""
    if rows.reached <= rounds:
        return rows
    kept = {round_: row for round_, row in rows.rounds.items() if round_ <= rounds}
    return replace(rows, rounds=kept, evals=tuple(r for r in rows.evals if r["round"] <= rounds))


def measured(folder: Path | str, found: Record) -> tuple[Row, ...]:
    """The live rows of `evals.jsonl` of training that has an outcome.

    Where the rows alone show that all of them count, and are by the current grader, only these keys
    are read (`attempt`, `lineage`, `round`, `key`, `grader`); else all, and `metrics.jsonl`.

    Raises:
        StateError: a journal that cannot be read.
    """
    evals = journal.read(f"{folder}/evals.jsonl", _MEASURED)
    if _of_recorded_launch(evals, found):
        return tuple(evals)
    return read(folder, found).evals


def _of_recorded_launch(evals: list[Row], found: Record) -> bool:
    """Whether all of them are by the current grader and of the recorded lineage, one at least of
    its end and none beyond, and by the recorded launch or a later one: then nothing trained that
    lineage on."""
    lineage, attempt, end = found.lineage, found.attempt, False
    for row in evals:
        if lineage_of(row) != lineage or row["attempt"] < attempt:
            return False
        if row.get("grader") != GRADER_VERSION:
            return False
        if row["round"] > found.round:  # of an extension, whose launches may have died
            return False
        end = end or row["round"] >= found.round
    return end and found.finished()


def of_rows(rows: list[Row], evals: list[Row], found: Record | None) -> LiveRows:
    """The live ones of all rows of both journals."""
    lineage = _lineage([*rows, *evals], found)
    rounds = live_rounds(rows, lineage)
    live_evals = tuple(_live_evals(evals, lineage, rounds))
    return LiveRows(lineage, rounds, live_evals, _replaced_by(rows, lineage))


def latest_launch(folder: Path | str) -> dict[str, Any]:
    """The last launch that owned a trial's folder: `token`, `attempt`,
    `lineage`; empty where there was none or where it cannot be read."""
    try:
        found = read_json(f"{folder}/{LAUNCH}")
    except (OSError, ValueError):
        return {}
    return as_mapping(found) or {}


def was_launched(folder: Path | str) -> bool:
    """Whether anything ever worked on a trial."""
    return any(os.path.exists(f"{folder}/{name}") for name in (LAUNCH, "trial.json"))


def superseded(folder: Path | str, found: Record) -> bool:
    """Whether a launch began after the one that left an unfinished record, and left none."""
    if found.finished():
        return False
    rows = journal.read(f"{folder}/metrics.jsonl")
    launches = [row["attempt"] for row in rows] + [latest_launch(folder).get("attempt", 0)]
    return max(launches) > found.attempt


def lineage_of(row: Row) -> int:
    """The lineage that a row is of."""
    return row["lineage"] if "lineage" in row else row["attempt"]


def newest(rows: list[Row], found: Record | None) -> tuple[int, int]:
    """The last launch and the last lineage that left a trace; (0, 0) without any."""
    launches = [row["attempt"] for row in rows] + ([found.attempt] if found else [])
    lineages = [lineage_of(row) for row in rows] + ([found.lineage] if found else [])
    return max(launches, default=0), max(lineages, default=0)


def _lineage(rows: list[Row], found: Record | None) -> int:
    if found is None or not found.finished():
        return newest(rows, found)[1]
    reached = {lineage_of(row) for row in rows if row["round"] >= found.round}
    return found.lineage if found.lineage in reached or not reached else max(reached)


def live_rounds(rows: list[Row], lineage: int) -> dict[int, Row]:
    """Round -> the row of `metrics.jsonl` that counts."""
    rounds: dict[int, Row] = {row["round"]: row for row in rows if row["round"] == 0}
    launch = 0
    for row in rows:
        if lineage_of(row) != lineage:
            continue
        if row["attempt"] > launch:  # it went on from here: what lies beyond is superseded
            launch = row["attempt"]
            rounds = {r: old for r, old in rounds.items() if r < row["round"]}
        rounds[row["round"]] = row
    return dict(sorted(rounds.items()))


def _replaced_by(rows: list[Row], lineage: int) -> int:
    """The last launch that trained rounds again which an earlier one had reached."""
    last, reached, launch = 0, -1, 0
    for row in rows:
        if lineage_of(row) == lineage:
            if row["attempt"] > launch and row["round"] <= reached:
                last = row["attempt"]
            launch, reached = row["attempt"], row["round"]
    return last


def _live_evals(evals: list[Row], lineage: int, rounds: dict[int, Row]) -> list[Row]:
    """Evaluations of the policy of the live rounds, and of the base model: those of its own
    lineage, and where it has none those of others."""
    newest_launch = max((row["attempt"] for row in rounds.values()), default=0)
    own = {_measurement(row) for row in evals if lineage_of(row) == lineage}

    def lives(row: Row) -> bool:
        if row["round"] == 0:
            return lineage_of(row) == lineage or _measurement(row) not in own
        trained = rounds.get(row["round"])
        by = trained["attempt"] if trained else newest_launch
        return lineage_of(row) == lineage and row["attempt"] >= by

    return [row for row in evals if lives(row)]


def _measurement(row: Row) -> tuple[Any, ...]:
    """The key of an evaluation within a trial."""
    names = ("round", "benchmark", "decoding", "problems", "each", "key")
    return tuple(row.get(name) for name in names)
