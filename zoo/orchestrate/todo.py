"""What is left to do, and why: the state of every trial as its run folder tells it.

`+` new, or trained with an evaluation missing whose weights are kept; `~` stale (the cell ran under
another id: something that bears on its result changed), or finished and standing as it is, though
the current grader gives other rewards, or more rounds or an evaluation are asked for that only
training again would bring (`zoo sweep --retrain`); `=` done, or stopped for a reason that is an
outcome; `>` unfinished (interrupted or killed; continues from its newest checkpoint, without one at
round 0); `!` failed, tried once more by the next sweep, in the same way. Light: reads records,
journals and manifests of checkpoints, imports nothing heavy, writes nothing, and does not know who
runs the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zoo.grader_version import GRADER_VERSION
from zoo.manifest.lock import Change
from zoo.manifest.trial import Trial
from zoo.track import checkpoints, live, record, regraded
from zoo.track.checkpoints import Checkpoint
from zoo.track.evaluations import Due, split_missing
from zoo.track.record import Record
from zoo.track.regraded import NOTHING, Standing
from zoo.track.store import Store

NEVER_RAN = "never ran"
AGAIN = "needs training again"
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
    """Where it stands against the current grader."""
    again: bool = False
    """Finished, and only training again would bring all that is asked of it."""
    retrain: bool = False
    """Whether it is to be trained again, as somebody asked."""
    stopped: bool = False
    """Training ended early for a reason that is an outcome."""
    due: tuple[Due, ...] = ()
    """What a sweep would measure of it from kept weights, without training."""
    reward: float | None = None
    """Mean reward of the last round, where a trial is done and its record has it."""
    saved: Checkpoint | None = None
    """Where training that came to no end continues; None = at round 0. By sizes alone."""

    @property
    def stands(self) -> bool:
        """Whether nothing is left to do but training again: reported, not run by itself."""
        return self.again and self.symbol == "~"

    @property
    def runs(self) -> bool:
        """Whether a sweep would run the trial."""
        return self.retrain or (self.symbol != "=" and not self.stands)

    @property
    def trains(self) -> bool:
        """Whether a sweep would train it, and not only measure it."""
        return self.retrain or (self.runs and not self.due)


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


def look(
    trials: Iterable[Trial],
    store: Store,
    changes: Iterable[Change] = (),
    *,
    retrain: bool = False,
) -> Todo:
    """Where every trial stands.

    Args:
        changes: cells whose id is another than in the lock.
        retrain: count trials that only training again would change among those to run.

    Raises:
        StateError: a record or journal that cannot be read; nothing is guessed from it.
    """
    moved = {change.trial.id: change for change in changes}
    store = Store(store.root)  # which folders there are is looked up now
    found = []
    for trial in trials:
        if store.ran(trial.id):
            item = look_at(trial, store)
            found.append(replace(item, retrain=True) if retrain and item.again else item)
        elif (change := moved.get(trial.id)) and store.ran(change.old_id):
            found.append(Item(trial, "~", f"stale: {change}"))
        else:
            found.append(Item(trial, "+", NEVER_RAN))
    return Todo(tuple(found))


def look_again(before: Todo, store: Store, *, retrain: bool = False) -> Todo:
    """As `look`, at what was left alone: what is done stays done.

    Raises:
        StateError: a record or journal that cannot be read.
    """
    items = iter(look([item.trial for item in before.left], store, retrain=retrain).items)
    return Todo(tuple(next(items) if item.runs else item for item in before.items))


def look_at(trial: Trial, store: Store) -> Item:
    """Where one trial stands."""
    folder = store.train(trial.id)
    found = record.read(folder)
    if found is None or live.superseded(folder, found):
        return _unrecorded(trial, folder, found)
    if found.state == "failed":
        saved = checkpoints.newest(checkpoints.root_of(folder, found.lineage), trial.rounds)
        after = f", continues after round {saved.round}" if saved else ""
        why = f"failed at round {found.round}/{trial.rounds}{after} [{found.failure_class}]"
        return Item(trial, "!", why, found.message, found.failure_class, saved=saved)
    if found.state == "preempted":
        why = f"interrupted at round {found.round}/{trial.rounds}"
        return _continued(trial, folder, found.lineage, why)
    return _finished(trial, store, folder, found)


def _finished(trial: Trial, store: Store, folder: Path, found: Record) -> Item:
    """A trial whose training came to an outcome: what is still to measure, and what of what the
    manifest asks it cannot give."""
    index = live.measured(folder, found)
    standing = regraded.standing(trial, folder, found, index)
    kept, lost = split_missing(trial, store, found, index)
    short = found.state == "done" and not found.done(trial.rounds)
    again = standing.stale_from is not None or short or bool(lost)
    if kept:
        why = f"evaluation missing: {_named(kept)}"
        return Item(trial, "+", why, standing=standing, again=again, due=tuple(kept))
    if standing.stale_from is not None:
        why = f"rewards change from round {standing.stale_from} under grader {GRADER_VERSION}"
        return Item(trial, "~", why, standing=standing, again=True)
    reward = found.metrics.get("train/reward") if found.form > 1 else None
    if found.state == "stopped":
        why = f"stopped at round {found.round}/{trial.rounds} ({found.stop_reason})"
        item = Item(trial, "=", why, found.message, standing=standing, stopped=True)
        return replace(item, reward=reward)
    if short:
        have = f"has {found.round} of {trial.rounds} rounds and no optimiser to go on"
        why = f"{have}, {_again(found)}"
        return Item(trial, "~", why, standing=standing, again=True)
    if lost:
        why = f"{_named(lost)}: weights not kept, {_again(found)}"
        return Item(trial, "~", why, standing=standing, again=True)
    return Item(trial, "=", f"{found.round} rounds", standing=standing, reward=reward)


def _named(due: list[Due]) -> str:
    evaluation, round_ = due[0]
    more = f" and {len(due) - 1} more" if len(due) > 1 else ""
    return f"{evaluation.benchmark.name}/{evaluation.decoding_name} at round {round_}{more}"


def _again(found: Record) -> str:
    """What training again would cost, from what it took before."""
    gpus, hours = found.about.get("gpus"), found.seconds / 3600
    cost = hours * (gpus or 1)
    number = f"{cost:,.0f}" if cost >= 10 else f"{cost:.2g}" if cost >= 0.01 else "under 0.01"
    return f"{AGAIN}: {number} {'GPU-' if gpus else ''}hours"


def _unrecorded(trial: Trial, folder: Path, found: Record | None) -> Item:
    """A trial whose last launch left no record: never started, or killed (or running now)."""
    if not live.was_launched(folder):
        return Item(trial, "+", NEVER_RAN)
    rows = live.read(folder, found)
    rounds = rows.rounds
    if not rounds:
        return Item(trial, ">", "began, no round ended; starts again")
    why = f"no record after round {max(rounds)}/{trial.rounds}"
    return _continued(trial, folder, rows.lineage, why)


def _continued(trial: Trial, folder: Path, lineage: int, why: str) -> Item:
    """A trial whose training came to no end, and where it continues."""
    saved = checkpoints.newest(checkpoints.root_of(folder, lineage), trial.rounds)
    return Item(trial, ">", why + _continues(saved), saved=saved)


def _continues(saved: Checkpoint | None) -> str:
    return "; starts again" if saved is None else f"; continues after round {saved.round}"
