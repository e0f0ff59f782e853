"""The status of a sweep: the state of every trial, from its run folder, and what is left.

`+` new, or trained with an evaluation missing whose weights are kept; `~` stale (the cell ran under
another id: something that affects its result changed), or finished and not rerun, though the
current grader gives other rewards, the tripwire that stopped it was loosened, or more rounds or
an evaluation are required that only training again would provide (`zoo sweep --retrain`); `=` done,
or stopped for a reason that is an outcome; `>` unfinished (interrupted or killed; continues from
its newest checkpoint, without one at round 0), or done with fewer rounds and to be extended; `!`
failed, retried once by the next sweep, in the same way; `x` void: a person set it aside
(`zoo.store.void`), so it is not run. Light: reads records, journals and
manifests of checkpoints, imports nothing heavy, writes nothing, and is independent of the
executor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from zoo.grader_version import GRADER_VERSION
from zoo.lock.lock import Change
from zoo.runs import checkpoints, extension, grader_drift, live, tripwires
from zoo.runs.checkpoints import Checkpoint
from zoo.runs.due import Due, split_missing
from zoo.runs.extension import Obstacle
from zoo.runs.grader_drift import NOTHING, Standing
from zoo.store import record, void
from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.store.void import Void
from zoo.trials.trial import Trial

NEVER_RAN = "never ran"
AGAIN = "needs training again"
SHOWN = 4  # names or rounds of missing evaluations in a reason
Symbol = Literal["+", "=", ">", "!", "~", "x"]
TrialState = Literal[
    "new",
    "unmeasured",
    "moved",
    "outdated",
    "retrain",
    "extend",
    "unfinished",
    "failed",
    "stopped",
    "done",
    "void",
]
"""`unmeasured`: trained, and evaluations are missing whose weights are kept; `moved`: the cell ran
under another id; `outdated`: finished, and only training again would provide what is required;
`retrain`: the same, and requested; `extend`: done with fewer rounds, and continues because that was
requested or has begun; `stopped`: ended early for a reason that is an
outcome."""
SYMBOLS: dict[TrialState, Symbol] = {
    "new": "+",
    "unmeasured": "+",
    "moved": "~",
    "outdated": "~",
    "retrain": "~",
    "extend": ">",
    "unfinished": ">",
    "failed": "!",
    "stopped": "=",
    "done": "=",
    "void": "x",
}
WORDS: dict[Symbol, str] = {
    "+": "new",
    "~": "stale",
    "=": "done",
    ">": "unfinished",
    "!": "failed",
    "x": "void",
}


@dataclass(frozen=True, slots=True)
class TrialStatus:
    """One trial: its state, and why a sweep will run it or not."""

    trial: Trial
    state: TrialState
    why: str
    message: str = ""
    """The reason of a failed or stopped trial; may have many lines."""
    failure: str | None = None
    """Its failure class."""
    standing: Standing = NOTHING
    """The changes by the current grader."""
    due: tuple[Due, ...] = ()
    """The evaluations of an `unmeasured` trial that a sweep would compute from stored weights."""
    retrainable: bool = False
    """Finished, and only training again would provide all that is required."""
    reward: float | None = None
    """Mean reward of the last round, where a trial is done and its record has it."""
    saved: Checkpoint | None = None
    """The checkpoint from which unfinished training or training for fewer rounds continues; None =
    round 0. Checked by sizes only."""
    obstacle: Obstacle | None = None
    """Why a trial that is done with fewer rounds cannot be extended."""

    @property
    def symbol(self) -> Symbol:
        """The state in one character."""
        return SYMBOLS[self.state]

    @property
    def stands(self) -> bool:
        """Whether it is finished, and only training again is left to do."""
        return self.state in ("outdated", "retrain")

    @property
    def extendable(self) -> bool:
        """Whether it is done with fewer rounds and could continue on request."""
        return self.state == "outdated" and self.saved is not None

    @property
    def runs(self) -> bool:
        """Whether a sweep would run the trial."""
        return self.state not in ("outdated", "stopped", "done", "void")

    @property
    def trains(self) -> bool:
        """Whether a sweep would train it, not only evaluate it."""
        return self.runs and self.state != "unmeasured"


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """All trials of a plan, in its order."""

    trials: tuple[TrialStatus, ...]

    @property
    def left(self) -> list[TrialStatus]:
        """Trials that a sweep would run."""
        return [status for status in self.trials if status.runs]

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials by status; every status is present, also at zero."""
        found = Counter(status.symbol for status in self.trials)
        return {word: found[symbol] for symbol, word in WORDS.items()}

    @property
    def totals(self) -> dict[str, int]:
        """Number of trials by status, of all, and of those to run."""
        return self.counts | {"trials": len(self.trials), "to_run": len(self.left)}


def read_status(
    trials: Iterable[Trial],
    store: Store,
    changes: Iterable[Change] = (),
    *,
    retrain: bool = False,
    extend: bool = False,
) -> SweepStatus:
    """The status of every trial.

    Args:
        changes: cells whose id is another than in the lock.
        retrain: count trials that only training again would change among those to run.
        extend: count trials that are done with fewer rounds and can go on among those to run.

    Raises:
        StateError: a record or journal that cannot be read; nothing is guessed from it.
    """
    moved = {change.trial.id: change for change in changes}
    store = Store(store.root)  # which folders there are is looked up now
    found: list[TrialStatus] = []
    for trial in trials:
        if store.ran(trial.id):
            found.append(trial_status(trial, store, retrain=retrain, extend=extend))
        elif (change := moved.get(trial.id)) and store.ran(change.old_id):
            found.append(TrialStatus(trial, "moved", f"changed: {change}"))
        else:
            found.append(TrialStatus(trial, "new", NEVER_RAN))
    return SweepStatus(tuple(found))


def read_again(
    before: SweepStatus, store: Store, *, retrain: bool = False, extend: bool = False
) -> SweepStatus:
    """As `read_status`, only for trials that were not done: done trials stay done.

    Raises:
        StateError: a record or journal that cannot be read.
    """
    left = [status.trial for status in before.left]
    again = iter(read_status(left, store, retrain=retrain, extend=extend).trials)
    return SweepStatus(tuple(next(again) if old.runs else old for old in before.trials))


def trial_status(
    trial: Trial, store: Store, *, retrain: bool = False, extend: bool = False
) -> TrialStatus:
    """The status of one trial; `retrain`, `extend`: whether finished trials are trained again on
    request, or those with fewer rounds continued.

    Raises:
        StateError: a record or journal that cannot be read.
    """
    folder = store.train_path(trial.id)
    found = record.as_of(folder, record.read_outcome(folder), trial.rounds)
    if (rows := void.read(folder)) and (status := _void(trial, found, rows, retrain=retrain)):
        return status
    if found is None or live.superseded(folder, found):
        return _unrecorded(trial, folder, found)
    if found.state == "failed":
        saved = checkpoints.newest(checkpoints.root_of(folder, found.lineage), trial.rounds)
        after = f", continues after round {saved.round}" if saved else ""
        why = f"failed at round {found.round}/{trial.rounds}{after} [{found.failure_class}]"
        return TrialStatus(trial, "failed", why, found.message, found.failure_class, saved=saved)
    if found.state == "preempted" or found.cut:
        word = "stopped by the budget" if found.cut else "interrupted"
        why = f"{word} at round {found.round}/{trial.rounds}"
        return _continued(trial, folder, found.lineage, why)
    status = _finished(trial, store, folder, found, extend=extend)
    return replace(status, state="retrain") if retrain and status.retrainable else status


def _void(
    trial: Trial, found: Record | None, rows: tuple[Void, ...], *, retrain: bool
) -> TrialStatus | None:
    """A trial that a person set aside; None where what it has now counts. Only what has ended is
    trained again: other training would go on from the checkpoint of what was set aside."""
    ended = found is not None and found.finished()
    row = void.of_lineage(rows, found.lineage if found is not None and ended else 0)
    if row is None:
        return None
    state = "retrain" if retrain and ended else "void"
    return TrialStatus(trial, state, f"void: {row.why}", retrainable=ended)


def _finished(
    trial: Trial, store: Store, folder: str, found: Record, *, extend: bool
) -> TrialStatus:
    """A trial whose training has an outcome: the evaluations still to compute, and what the
    manifest requires that it cannot provide."""
    index = live.measured(folder, found)
    standing = grader_drift.standing(trial, folder, found, index)
    kept, lost = split_missing(trial, store, found, index)
    short = found.state == "done" and not found.done(trial.rounds)
    crossed = tripwires.crossed_in(trial, folder, found)
    loosened = tripwires.loosened(found, crossed)
    status = partial(
        TrialStatus,
        trial,
        standing=standing,
        retrainable=standing.stale_from is not None or short or bool(lost) or loosened,
    )
    longer = extension.find(trial, folder, found, lost) if short else None
    if isinstance(longer, Checkpoint) and (extend or longer.round > found.round):
        why = f"{found.round} rounds done, goes on to {trial.rounds} after round {longer.round}"
        return status(state="extend", why=why, saved=longer)
    if kept:
        why = f"evaluation missing: {_named(kept)}"
        return status(state="unmeasured", why=why, due=tuple(kept))
    if standing.stale_from is not None:
        why = f"rewards change from round {standing.stale_from} under grader {GRADER_VERSION}"
        return status(state="outdated", why=why)
    reward = found.metrics.get("train/reward") if found.form > 1 else None
    if found.state == "stopped":
        why = f"stopped at round {found.round}/{trial.rounds} ({found.stop_reason})"
        if loosened:
            why = f"{why}, which no line stops any more, {_again(found)}"
            return status(state="outdated", why=why)
        return status(state="stopped", why=why, message=found.message, reward=reward)
    if isinstance(longer, Checkpoint):
        why = f"has {found.round} of {trial.rounds} rounds, can go on (`zoo extend`)"
        return status(state="outdated", why=why, saved=longer)
    if longer is not None:
        why = f"has {found.round} of {trial.rounds} rounds, {longer.why}, {_again(found)}"
        return status(state="outdated", why=why, obstacle=longer)
    if lost:
        why = f"{_named(lost)}: weights not kept, {_again(found)}"
        return status(state="outdated", why=why)
    marked = "".join(f", crossed {one}" for one in crossed)
    return status(state="done", why=f"{found.round} rounds{marked}", reward=reward)


def _named(due: list[Due]) -> str:
    """`math500/t0, aime24/t0 at rounds 0, 20`; long lists are shortened."""
    names = list(dict.fromkeys(f"{e.benchmark.name}/{e.decoding_name}" for e, _ in due))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    first, *rest = sorted({round_ for _, round_ in due})
    rounds = ", ".join(map(str, [first, *rest])) if len(rest) < SHOWN else f"{first} to {rest[-1]}"
    return f"{', '.join(names[:SHOWN])}{more} at round{'s' if rest else ''} {rounds}"


def _again(found: Record) -> str:
    """The cost of training again, from its earlier cost."""
    gpus, hours = found.about.get("gpus"), found.seconds / 3600
    cost = hours * (gpus or 1)
    number = f"{cost:,.0f}" if cost >= 10 else f"{cost:.2g}" if cost >= 0.01 else "under 0.01"
    return f"{AGAIN}: {number} {'GPU-' if gpus else ''}hours"


def _unrecorded(trial: Trial, folder: str, found: Record | None) -> TrialStatus:
    """A trial whose last launch left no record: never started, or killed (or running now)."""
    if not live.was_launched(folder):
        return TrialStatus(trial, "new", NEVER_RAN)
    rows = live.read(folder, found)
    rounds = rows.rounds
    if not rounds:
        return TrialStatus(trial, "unfinished", "began, no round ended; starts again")
    why = f"no record after round {max(rounds)}/{trial.rounds}"
    return _continued(trial, folder, rows.lineage, why)


def _continued(trial: Trial, folder: str, lineage: int, why: str) -> TrialStatus:
    """A trial whose training came to no end, and where it continues."""
    saved = checkpoints.newest(checkpoints.root_of(folder, lineage), trial.rounds)
    return TrialStatus(trial, "unfinished", why + _continues(saved), saved=saved)


def _continues(saved: Checkpoint | None) -> str:
    return "; starts again" if saved is None else f"; continues after round {saved.round}"
