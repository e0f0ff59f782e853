"""What of a run store can be deleted, by kind; never a record, journal, evaluation or completion.

A trial that a process works on, or that a running sweep or one with jobs has, is left alone; so are
weights that a due evaluation needs and checkpoints that training continues from.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zoo.errors import InputError, StateError, ZooError
from zoo.launching import processes
from zoo.lock import lock
from zoo.orchestrate.sweep_journal import CORRUPT
from zoo.planning.study import load_study, sweeps_root
from zoo.runs import live
from zoo.runs.sweep_status import read_status
from zoo.store import journal, record
from zoo.store.run_store import Store, claimed

Kind = Literal["leftovers", "checkpoints", "weights"]
PRUNED = ".pruned"
"""Ending of what was renamed to be deleted; found again where that broke off."""
OLD_S = 3600.0
"""A temporary file that is so old is of a process that died."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """One file or folder that can be deleted."""

    kind: Kind
    path: Path
    owner: Path | None = None
    """The folder whose lock is held while it is deleted: a trial's or a sweep's."""
    orphan: bool = False
    """Whether it is of a trial that no manifest names."""

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(_size(path) for path in (self.path, *self.path.rglob("*")))


@dataclass
class Known:
    """The trials of all sweeps of a store, by the hash of their ids."""

    sweeps: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Hash -> sweeps that have it."""
    busy: dict[str, str] = field(default_factory=dict[str, str])
    """Hash -> why nothing of it is deleted."""
    needed: dict[str, dict[Kind, str]] = field(default_factory=dict[str, dict[Kind, str]])
    """Hash -> what of it a sweep still needs, and for what."""


def known(store: Store, has_jobs: Callable[[Path], bool]) -> Known:
    """Read the manifests and locks of all sweeps. `has_jobs`: whether a cluster has jobs of a
    sweep, by its folder."""
    found = Known()
    for name in sweep_names(store):
        running = claimed(store.sweep(name)) or has_jobs(store.sweep(name))
        try:
            study = load_study(name, started=True)
            statuses = read_status(study.trials, study.store, study.changes.changed).trials
        except ZooError:
            statuses = ()
        hashes = _locked(name) | {_hash(one.trial.id) for one in statuses}
        for hash_ in hashes:
            found.sweeps.setdefault(hash_, set()).add(name)
            if running:
                found.busy[hash_] = f"sweep {name} runs"
        for one in statuses:
            needs = found.needed.setdefault(_hash(one.trial.id), {})
            if one.state == "unmeasured":
                needs["weights"] = f"sweep {name} has an evaluation to compute"
            if one.state in ("extend", "unfinished", "failed"):
                needs["checkpoints"] = f"sweep {name} continues from it"
        if not statuses:  # what its manifest requires is not known
            for hash_ in hashes:
                why = f"the manifest of sweep {name} cannot be read"
                found.needed[hash_] = {"weights": why, "checkpoints": why}
    return found


def sweep_names(store: Store) -> list[str]:
    """Names of all sweeps that started."""
    started = {path.parent.name for path in (store.root / "sweeps").glob("*/driver.json")}
    return sorted(started | {path.parent.name for path in sweeps_root().glob(f"*/{lock.NAME}")})


def _locked(name: str) -> set[str]:
    with suppress(InputError):  # a lock that cannot be read; its sweep says so
        found = lock.read(sweeps_root() / name)
        return {_hash(row["id"]) for row in found.trials} if found else set()
    return set()


def of_trial(folder: Path, found: Known) -> Iterator[Prunable]:
    """What of a trial's folder can be deleted."""
    hash_ = _hash(folder.name)
    orphan, needed = hash_ not in found.sweeps, found.needed.get(hash_, {})
    for path in (*_torn(folder), *_dead_launches(folder), *_damaged(folder)):
        yield Prunable("leftovers", path, folder)
    if not _is_over(folder):
        return
    if (path := folder / "state").is_dir() and "checkpoints" not in needed:
        yield Prunable("checkpoints", path, folder, orphan)
    if (path := folder / "checkpoints").is_dir() and "weights" not in needed:
        yield Prunable("weights", path, folder, orphan)


def _is_over(folder: Path) -> bool:
    """Whether training came to an outcome, and nothing was trained beyond it since."""
    try:
        done = record.read(folder)
        if done is None or not done.finished():
            return False
        rows = journal.read(folder / "metrics.jsonl")
    except (StateError, OSError):
        return False
    lineages = [live.lineage_of(row) for row in rows]
    beyond = (row["round"] > done.round for row in rows if live.lineage_of(row) == done.lineage)
    return max(lineages, default=0) <= done.lineage and not any(beyond)


def of_sweep(folder: Path) -> Iterator[Prunable]:
    """What of a sweep's folder can be deleted while it does not run."""
    for path in (*_torn(folder), *sorted(folder.glob(f"*{CORRUPT}*")), folder / "ray"):
        if path.exists():
            yield Prunable("leftovers", path, folder)


def of_store(store: Store) -> Iterator[Prunable]:
    """What of a store's other folders can be deleted: what broke off, and is made anew."""
    for stage in ("samples", "scores", "behaviours"):
        for folder in _folders(store.root / stage):
            yield from (Prunable("leftovers", path) for path in _torn(folder))
    for path in sorted(store.root.glob("mlflow.db.broken-*")):
        yield Prunable("leftovers", path)
    for path in sorted(store.cache.rglob("*")):
        torn = path.name.endswith(".part") or _is_temporary(path)
        if _is_pruned(path) or (torn and _is_old(path)):
            yield Prunable("leftovers", path)


def trial_folders(store: Store) -> list[Path]:
    """Folders of all trials."""
    return _folders(store.root / "train")


def _folders(root: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted(Path(entry.path) for entry in os.scandir(root) if entry.is_dir())
    return []


def _torn(folder: Path) -> Iterator[Path]:
    """What an interrupted write or deletion left beside the files of a folder."""
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if _is_pruned(path) or (_is_temporary(path) and _is_old(path)):
            yield path


def _is_pruned(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(PRUNED)


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".tmp")


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > OLD_S
    except FileNotFoundError:
        return False


def _dead_launches(folder: Path) -> Iterator[Path]:
    """Folders of launches without a process; the trial's lock is held before one is deleted."""
    notes = processes.read_notes(folder)
    for path in sorted((folder / processes.LAUNCHES).glob("*")):
        note = notes.get(path)
        alive = note is not None and (note.leader_alive or note.launcher_alive)
        if not alive and (note is not None or _is_old(path)):
            yield path


def _damaged(folder: Path) -> Iterator[Path]:
    """Damaged checkpoints, and those whose save broke off."""
    for root in (folder / "state", *sorted((folder / "state").glob("L*"))):
        yield from sorted((*root.glob("round-*.corrupt"), *root.glob(f".*{PRUNED}")))
        yield from sorted(path for path in root.glob(".round-*.tmp") if _is_old(path))


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size if not path.is_dir() else 0
    return 0


def _hash(trial_id: str) -> str:
    return trial_id.rpartition("-")[2]


def selected(items: Iterable[Prunable], kinds: Iterable[str], *, orphans: bool) -> list[Prunable]:
    """Those of some kinds; of trials that no manifest names only on request."""
    chosen = set(kinds)
    return [one for one in items if one.kind in chosen and (orphans or not one.orphan)]
