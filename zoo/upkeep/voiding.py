"""`zoo void`: sets trials aside, with the reason, or takes that back.

The trial stays as it is; `zoo.store.void` has what is written, and the readers of results leave its
numbers out. Says which other sweeps have the trial, as it is void there too, and which sealed
claims get no verdict any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from zoo.errors import Fault, InputError, StateError, listed
from zoo.lock import lock
from zoo.planning.options import PlanOptions
from zoo.planning.select import some_trials
from zoo.planning.study import Study, load_study
from zoo.store import record, void
from zoo.store.run_store import claim
from zoo.store.void import Void
from zoo.trials.trial import Trial

LONGEST_WHY = 500
"""Characters of a reason."""


def run(name: str, words: Sequence[str], options: PlanOptions, why: str | None) -> list[str]:
    """Set trials of a sweep aside, or take that back; returns what was done, in lines.

    Args:
        words: which trials, as `zoo.planning.select.some_trials` takes them.
        why: the reason; None = take it back.

    Raises:
        InputError: no such trials, or not in a state for it; then nothing is written.
        StateError: one of them runs now.
    """
    study = load_study(name, options, started=True)
    chosen = some_trials(study.chosen, study.names, words, "trial", study.name)
    before = study.seals
    lines = _undo(study, chosen) if why is None else _set_aside(study, chosen, _reason(why))
    for sweep, ids in _shared(study, chosen).items():
        also = "void in" if why is not None else "counted again in"
        lines.append(f"also {also} sweep {sweep}: {listed(ids, 4)}")
    lines += _claims(before, study.seals)
    lines.append(
        f"`zoo report {study.called}` and `zoo compare {study.called}` leave void trials out; "
        f"`zoo sync {study.called}` tags them in MLflow"
    )
    return lines


def _reason(why: str) -> str:
    told = " ".join(why.split())
    if not told or not told.isprintable():
        raise InputError(Fault("--why", "no reason", "a sentence that the report shows"))
    if len(told) > LONGEST_WHY:
        found = f"{len(told):,} characters"
        raise InputError(Fault("--why", found, f"at most {LONGEST_WHY}"))
    return told


def _set_aside(study: Study, chosen: Iterable[Trial], why: str) -> list[str]:
    now, plans, faults = time.time(), [], []
    for trial in chosen:
        folder, name = study.store.train(trial.id), study.names[trial.id]
        if not study.store.ran(trial.id):
            hint = "`exclude` in the manifest takes a cell out before it runs"
            faults.append(Fault(name, "never ran, so there is nothing to set aside", hint=hint))
            continue
        found = record.read(folder)
        lineage = found.lineage if found is not None and found.finished() else 0
        if (held := void.of_lineage(void.read(folder), lineage)) is not None:
            faults.append(Fault(name, f"is void already: {held.why}"))
        plans.append((trial, folder, Void(why, now, lineage)))
    if faults:
        raise InputError(faults)
    lines = []
    for trial, folder, row in plans:
        with claim(folder, wait=False) as mine:
            if not mine:
                raise StateError(
                    f"{study.names[trial.id]} runs now; `zoo stop {study.called}` first"
                )
            void.add(folder, row)
        lines.append(f"x {study.names[trial.id]}  void: {row.why}")
    return lines


def _undo(study: Study, chosen: Iterable[Trial]) -> list[str]:
    plans, faults = [], []
    for trial in chosen:
        folder, name = study.store.train(trial.id), study.names[trial.id]
        rows = void.read(folder)
        found = record.read(folder)
        row = void.of_lineage(rows, found.lineage if found is not None else 0)
        if row is None and void.standing(rows):
            hint = "what it was trained to since then counts; the report lists both"
            faults.append(Fault(name, "was trained again after it was set aside", hint=hint))
        elif row is None:
            faults.append(Fault(name, "is not void"))
        else:
            plans.append((name, folder, row))
    if faults:
        raise InputError(faults)
    for _, folder, row in plans:
        void.undo(folder, row, time.time())
    return [f"= {name}  counts again (was void: {row.why})" for name, _, row in plans]


def _shared(study: Study, chosen: Iterable[Trial]) -> dict[str, list[str]]:
    """Other sweep -> ids of these trials that it started with."""
    wanted = {trial.id.rpartition("-")[2]: trial.id for trial in chosen}
    found: dict[str, list[str]] = {}
    for path in sorted(study.folder.parent.glob(f"*/{lock.NAME}")):
        if path.parent == study.folder:
            continue
        with suppress(InputError):  # of a lock that cannot be read its own sweep says so
            other = lock.read(path.parent)
            hashes = {row["id"].rpartition("-")[2] for row in other.trials} if other else set()
            if both := [id_ for hash_, id_ in wanted.items() if hash_ in hashes]:
                found[path.parent.name] = both
    return found


def _claims(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What that does to claims."""
    gone = [id_ for id_, word in now.items() if word == "voided" != before.get(id_)]
    back = [id_ for id_, word in before.items() if word == "voided" != now.get(id_)]
    lines = [f"sealed claims that get no verdict with it: {listed(gone, 12)}"] if gone else []
    return lines + ([f"claims that are judged again: {listed(back, 12)}"] if back else [])
