"""The lock of a sweep: what its plan resolved to when it last started, a line a trial, then a line
a claim.

`plan.lock.jsonl` pins revisions, digests and ids. Comparing it with a plan tells four things apart:
**edited** (the manifest or `--set` says something else), **pinned** (what was unpinned is known
now), **drift** (the manifest says the same, and a card, revision or digest moved under it), and
cells that came or went. Only a sweep that starts writes it; claims that are in it before the first
trial ran are *sealed*, later ones are *exploratory*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.errors import StateError
from zoo.manifest import identity
from zoo.manifest.claims import Claim
from zoo.manifest.trial import Trial

NAME = "plan.lock.jsonl"
Kind = Literal["edited", "pinned", "drift"]
Row = dict[str, Any]
Difference = tuple[str, Any, Any]  # dotted name, before, now


@dataclass(frozen=True, slots=True)
class Change:
    """A cell and seed whose id is another than in the lock."""

    trial: Trial
    old_id: str
    kind: Kind
    fields: tuple[Difference, ...]

    def __str__(self) -> str:
        shown = [f"{name} {short(old)} -> {short(new)}" for name, old, new in self.fields[:4]]
        more = f" and {len(self.fields) - 4} more" if len(self.fields) > 4 else ""
        return ", ".join(shown) + more


@dataclass(frozen=True, slots=True)
class Comparison:
    """A plan beside the lock of its last start."""

    locked: bool
    """Whether there was a lock."""
    new: tuple[Trial, ...]
    changed: tuple[Change, ...]
    gone: tuple[Row, ...]
    longer: tuple[tuple[Trial, int], ...] = ()
    """Trials that keep their id, with the other number of rounds that they had."""

    def of_kind(self, kind: Kind) -> list[Change]:
        """The changes of one kind."""
        return [change for change in self.changed if change.kind == kind]


@dataclass(frozen=True, slots=True)
class Lock:
    """The lines of a lock."""

    trials: tuple[Row, ...]
    claims: tuple[Row, ...]


def read(folder: Path) -> Lock | None:
    """The lock in a sweep's folder, or None where it never started.

    Raises:
        StateError: a lock that cannot be read; nothing is guessed from it.
    """
    path = folder / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        rows = [json.loads(line) for line in text.splitlines()]
        trials = tuple(row for row in rows if "id" in row)
        claims = tuple(row for row in rows if "id" not in row)
        for row in trials:
            _ = row["cell"], row["seed"], row["identity"]
        for row in claims:
            _ = row["claim"]["id"], row["sealed"]
        return Lock(trials, claims)
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{path} cannot be read ({type(error).__name__}: {error}); restore it, or move it away "
            "to start the sweep anew (finished trials are kept)"
        ) from error


def text(
    trials: Sequence[Trial], claims: Sequence[Claim], previous: Lock | None, *, begun: bool
) -> str:
    """The lock's text. `begun`: whether a trial of the previous lock ran, so that claims that are
    new or changed come too late to be sealed."""
    rows = [_row(trial) for trial in trials]
    rows += _claim_rows(claims, previous, begun=begun)
    return "".join(json.dumps(row, sort_keys=True, allow_nan=False) + "\n" for row in rows)


def _row(trial: Trial) -> Row:
    return {
        "id": trial.id,
        "cell": trial.cell,
        "seed": trial.seed,
        "rounds": trial.rounds,
        "identity": trial.identity,
        "said": trial.said,
        "benchmarks": {e.benchmark.name: e.digest for e in trial.evaluations},
    }


def _claim_rows(claims: Sequence[Claim], previous: Lock | None, *, begun: bool) -> list[Row]:
    before = {row["claim"]["id"]: row for row in (previous.claims if previous else ())}
    rows: list[Row] = []
    for claim in claims:
        said = claim.model_dump(mode="json", exclude_defaults=True, by_alias=True)
        old = before.pop(claim.id, None)
        same = old is not None and old["claim"] == said
        sealed = bool(old["sealed"]) if old is not None and same else not begun
        rows.append({"claim": said, "sealed": sealed})
    if begun:  # a sealed claim that was taken out is told, not forgotten
        rows += [row | {"withdrawn": True} for row in before.values() if row["sealed"]]
    return rows


def compare(previous: Lock | None, trials: Iterable[Trial]) -> Comparison:
    """What moved between a lock and a plan. Trials are matched by id, then by cell and seed."""
    trials = list(trials)
    if previous is None:
        return Comparison(False, tuple(trials), (), ())
    left = {row["id"]: row for row in previous.trials}
    before = {id_: row.get("rounds") for id_, row in left.items()}
    fresh = [trial for trial in trials if left.pop(trial.id, None) is None]
    longer = tuple((t, old) for t in trials if (old := before.get(t.id)) not in (None, t.rounds))
    by_cell = {(identity.canonical(row["cell"]), row["seed"]): row for row in left.values()}
    new: list[Trial] = []
    changed: list[Change] = []
    for trial in fresh:
        row = by_cell.pop((identity.canonical(trial.cell), trial.seed), None)
        if row is None:
            new.append(trial)
        else:
            changed.append(_change(row, trial))
    return Comparison(True, tuple(new), tuple(changed), tuple(by_cell.values()), longer)


def _change(row: Row, trial: Trial) -> Change:
    fields = tuple(identity.differences(row["identity"], trial.identity))
    kind: Kind = "drift"
    if identity.canonical(row.get("said", {})) != identity.canonical(trial.said):
        kind = "edited"
    elif all(old == identity.UNPINNED for _, old, _ in fields):
        kind = "pinned"
    return Change(trial, row["id"], kind, fields)


def short(value: Any) -> str:
    """A value in a few words."""
    told = value if isinstance(value, str) else json.dumps(value)
    return told if len(told) <= 24 else told[:21] + "..."
