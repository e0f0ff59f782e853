"""The lock of a sweep: what its plan resolved to when it last started, a line a trial, then a line
a claim.

`plan.lock.jsonl` pins revisions, digests and ids. Comparing it with a plan gives four kinds of
change: fields that are **edited** (the manifest or `--set` changed), **pinned** (a value that was
not pinned now is) or **drift** (a card, revision or digest moved, and no edit of the manifest
explains it), and cells that were added or removed. Every `zoo sweep` writes it, even with nothing
left to run; `zoo.lock.preregistration` computes the state of its claims.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zoo import json_text
from zoo.errors import Fault, InputError
from zoo.lock import attribution, preregistration
from zoo.manifest.claim_schema import Claim
from zoo.manifest.seed_looks import SeedLooks
from zoo.trials import identity
from zoo.trials.trial import Trial

NAME = "plan.lock.jsonl"
_TRIAL = json_text.Fields("rounds", required=("id", "cell", "seed"), unread=("identity",))
Kind = Literal["edited", "pinned", "drift"]
Row = dict[str, Any]
Difference = tuple[str, Any, Any]  # dotted name, before, now


@dataclass(frozen=True, slots=True)
class Change:
    """A cell and seed whose id is another than in the lock."""

    trial: Trial
    old_id: str
    kinds: dict[Kind, tuple[Difference, ...]]
    """Why fields differ -> these fields; of several reasons the gravest comes first."""

    @property
    def kind(self) -> Kind:
        """The gravest reason."""
        return next(iter(self.kinds))

    @property
    def fields(self) -> tuple[Difference, ...]:
        """All fields that differ."""
        return tuple(field for fields in self.kinds.values() for field in fields)

    def __str__(self) -> str:
        return _told(self.fields)


@dataclass(frozen=True, slots=True)
class LockChanges:
    """A plan compared with the lock of its last start."""

    locked: bool
    """Whether there was a lock."""
    new: tuple[Trial, ...]
    changed: tuple[Change, ...]
    gone: tuple[Row, ...]
    longer: tuple[tuple[Trial, int], ...] = ()
    """Trials that keep their id, with the other number of rounds that they had."""

    def of_kind(self, kind: Kind) -> list[Change]:
        """The changes that have fields of one kind, with these alone."""
        return [
            replace(change, kinds={kind: change.kinds[kind]})
            for change in self.changed
            if kind in change.kinds
        ]


@dataclass(frozen=True, slots=True)
class Lock:
    """The lines of a lock."""

    trials: tuple[Row, ...]
    """`id`, `cell`, `seed`, `rounds` and the `line` itself: the rest is read only of what moved."""
    claims: tuple[Row, ...]

    def reached(self, looks: SeedLooks) -> int:
        """The look, from 1, that the last start reached; 1 where other seeds were sealed."""
        if all(row.get("seeds") != looks.model_dump() for row in self.claims):
            return 1
        return looks.covering(len({row["seed"] for row in self.trials}))


def read(folder: Path) -> Lock | None:
    """The lock in a sweep's folder, or None where it never started.

    Raises:
        InputError: a lock that cannot be read; nothing is guessed from it.
    """
    path = folder / NAME
    try:
        trials: list[Row] = []
        claims: list[Row] = []
        for line in path.read_bytes().splitlines():
            row = _TRIAL.parse(line)
            if "id" in row:
                _ = row["identity"]
                head = {name: row[name] for name in ("id", "cell", "seed")}
                trials.append(head | {"rounds": row.get("rounds"), "line": line})
            else:
                _ = row["claim"]["id"], row["sealed"]
                claims.append(row)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, f"cannot be read ({_why(error)})") from error
    if not trials:
        raise _unreadable(path, "has no trial in it")
    return Lock(tuple(trials), tuple(claims))


def _unreadable(path: Path, found: str) -> InputError:
    hint = "restore it, or move it away to start the sweep anew (finished trials are kept)"
    return InputError(Fault(str(path), found, "the lock of the sweep's last start", hint))


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    words: dict[type[Exception], str] = {
        UnicodeDecodeError: "no UTF-8",
        KeyError: f"no {error} in a line",
    }
    return words.get(type(error), "a line that is no JSON object of a lock")


def text(
    trials: Sequence[Trial],
    claims: Sequence[Claim],
    previous: Lock | None,
    ran: Callable[[str], bool],
    looks: SeedLooks | None = None,
) -> str:
    """The lock's text. `ran`: whether the trial of an id has a run folder; claims about such trials
    are too late to be sealed. `looks`: as the manifest declares them."""
    rows = [_row(trial) for trial in trials]
    rows += claim_rows(trials, claims, previous, ran, looks)
    return "".join(json.dumps(row, sort_keys=True, allow_nan=False) + "\n" for row in rows)


def claim_rows(
    trials: Sequence[Trial],
    claims: Sequence[Claim],
    previous: Lock | None,
    ran: Callable[[str], bool],
    looks: SeedLooks | None = None,
) -> list[Row]:
    """The claims' rows of the lock that a sweep would write now. A rehearsal has none: its trials
    decide nothing."""
    if any(trial.rehearsal for trial in trials):
        return []
    locked = previous or Lock((), ())
    return preregistration.rows(claims, locked.claims, locked.trials, trials, ran, looks)


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


def compare(previous: Lock | None, trials: Iterable[Trial]) -> LockChanges:
    """What moved between a lock and a plan. Trials are matched by id, then by cell and seed."""
    trials = list(trials)
    if previous is None:
        return LockChanges(False, tuple(trials), (), ())
    left = {row["id"]: row for row in previous.trials}
    before = {id_: row["rounds"] for id_, row in left.items()}
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
    return LockChanges(True, tuple(new), tuple(changed), tuple(by_cell.values()), longer)


def _change(head: Row, trial: Trial) -> Change:
    row = json_text.parse(head["line"])
    followed = attribution.followed(row.get("said", {}), trial.said, rehearsal=trial.rehearsal)
    kinds: dict[Kind, list[Difference]] = {"drift": [], "edited": [], "pinned": []}
    for name, old, new in identity.differences(row["identity"], trial.identity):
        kind: Kind = "pinned" if old == identity.UNPINNED else "drift"
        if attribution.follows(name, followed, one_sided=old is None or new is None):
            kind = "edited"
        kinds[kind].append((name, old, new))
    return Change(trial, row["id"], {kind: tuple(found) for kind, found in kinds.items() if found})


def _told(fields: Sequence[Difference]) -> str:
    """The first four of some fields, with their values."""
    shown = [f"{name} {short(old)} -> {short(new)}" for name, old, new in fields[:4]]
    more = f" and {len(fields) - 4} more" if len(fields) > 4 else ""
    return ", ".join(shown) + more


def short(value: Any) -> str:
    """A value in a few words."""
    told = value if isinstance(value, str) else json.dumps(value)
    return told if len(told) <= 24 else told[:21] + "..."
