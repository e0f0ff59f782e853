"""What is left to do, and why: the state of every trial as its run folder tells it.

`+` new, or trained with an evaluation missing; `~` stale (the cell ran under another id: something
that bears on its result changed; or it finished and the present grader gives other rewards, then it
stands until somebody moves its folder away); `=` done; `>` unfinished (stopped or killed, starts
again at round 0); `!` failed, tried once more by the next sweep. Light: reads records and journals,
imports nothing heavy, writes nothing, and does not know who runs the work.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zoo.manifest.lock import Change
from zoo.manifest.trial import Trial
from zoo.track import journal, record, regraded
from zoo.track.evaluations import missing_evaluations
from zoo.track.record import Record
from zoo.track.regraded import NOTHING, Standing
from zoo.track.store import Store

NEVER_RAN = "never ran"
Symbol = Literal["+", "=", ">", "!", "~"]
WORDS: dict[Symbol, str] = {
    "+": "new",
    "~": "stale",
    "=": "done",
    ">": "unfinished",
    "!": "failed",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One trial, where it stands, and why it will run or not."""

    trial: Trial
    symbol: Symbol
    why: str
    message: str = ""
    """What a failed trial left as its reason; may have many lines."""
    failure: str | None = None
    """Its failure class."""
    standing: Standing = NOTHING
    """Where it stands against the present grader."""

    @property
    def stands(self) -> bool:
        """Whether it is stale by the grader alone: told, and not run again by itself."""
        return self.symbol == "~" and self.standing.stale_from is not None

    @property
    def runs(self) -> bool:
        """Whether a sweep would run the trial."""
        return self.symbol != "=" and not self.stands


@dataclass(frozen=True, slots=True)
class Todo:
    """All trials of a plan, in its order."""

    items: tuple[Item, ...]

    @property
    def left(self) -> list[Item]:
        """Trials that a sweep would run."""
        return [item for item in self.items if item.runs]

    @property
    def counts(self) -> dict[str, int]:
        """Word of each symbol -> number of trials; every word is named, also at zero."""
        found = Counter(item.symbol for item in self.items)
        return {word: found[symbol] for symbol, word in WORDS.items()}


def look(trials: Iterable[Trial], store: Store, changes: Iterable[Change] = ()) -> Todo:
    """Where every trial stands. `changes`: cells whose id is another than in the lock.

    Raises:
        StateError: a record or journal that cannot be read; nothing is guessed from it.
    """
    moved = {change.trial.id: change for change in changes}
    there = folders(store)  # asked once: most trials of a large plan have none
    found = []
    for trial in trials:
        item = look_at(trial, store) if trial.id in there else Item(trial, "+", NEVER_RAN)
        change = moved.get(trial.id)
        if change and item.symbol == "+" and trial.id not in there and change.old_id in there:
            item = replace(item, symbol="~", why=f"stale: {change}")
        found.append(item)
    return Todo(tuple(found))


def folders(store: Store) -> set[str]:
    """Ids of all trials that have a folder."""
    try:
        return set(os.listdir(store.train("")))
    except FileNotFoundError:
        return set()


def look_at(trial: Trial, store: Store) -> Item:
    """Where one trial stands."""
    folder = store.train(trial.id)
    found = record.read(folder)
    index = journal.read(folder / "evals.jsonl")
    standing = regraded.standing(trial, folder, found, index)
    item = replace(_look_at(trial, folder, found, index), standing=standing)
    if item.symbol == "=" and standing.stale_from is not None:
        why = f"rewards change from round {standing.stale_from} under grader {regraded.present()}"
        item = replace(item, symbol="~", why=why)
    return item


def _look_at(trial: Trial, folder: Path, found: Record | None, index: list[dict[str, Any]]) -> Item:
    if found is None:
        return _unrecorded(trial, folder)
    if found.state == "failed":
        why = f"failed at round {found.round}/{trial.rounds} [{found.failure_class}]"
        return Item(trial, "!", why, found.message, found.failure_class)
    if found.state == "preempted":
        return Item(trial, ">", f"stopped at round {found.round}/{trial.rounds}; starts again")
    if not found.done(trial.rounds):
        return Item(trial, ">", f"ended at round {found.round} of {trial.rounds}; starts again")
    missing = missing_evaluations(trial, index)
    if missing:
        evaluation, round_ = missing[0]
        name = f"{evaluation.benchmark.name}/{evaluation.decoding_name}"
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Item(trial, "+", f"evaluation missing: {name} at round {round_}{more}")
    return Item(trial, "=", f"{found.round} rounds")


def _unrecorded(trial: Trial, folder: Path) -> Item:
    """A trial without a record: never started, or ended without a word (or running now)."""
    if not (folder / "trial.json").exists():
        return Item(trial, "+", NEVER_RAN)
    rounds = journal.by_round(journal.read(folder / "metrics.jsonl"))
    if not rounds:
        return Item(trial, ">", "began, no round ended; starts again")
    return Item(trial, ">", f"no record after round {max(rounds)}/{trial.rounds}; starts again")
