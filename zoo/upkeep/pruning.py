"""`zoo prune`: shows what can be deleted and what that forecloses, then deletes it.

A deletion renames first (`.NAME.pruned` beside it), under the lock of the trial or sweep; one that
broke off is found and ended by the next. What came into use since it was listed is left alone.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import Fault, InputError, listed, suggestion
from zoo.render.plan_costs import counted, size
from zoo.store.run_store import Store, claim, claimed
from zoo.upkeep import prunable
from zoo.upkeep.prunable import PRUNED, Kind, Known, Prunable

Say = Callable[[str], None]
SHOWN = 4
TITLES: dict[Kind, str] = {
    "leftovers": "dead launches, torn and damaged files, Ray's files, partial downloads",
    "checkpoints": "checkpoints of finished trials",
    "weights": "weights of finished trials",
}
FORECLOSES: dict[Kind, str] = {
    "leftovers": "nothing",
    "checkpoints": "`zoo extend`, and weights of rounds between the evaluated ones",
    "weights": "`zoo export`, `zoo eval` and further evaluations, without training again",
}


@dataclass(frozen=True)
class PruneOptions:
    """What is deleted."""

    keep: tuple[str, ...] = ()
    """Kinds that are not."""
    weights: bool = False
    """Also weights."""
    orphans: bool = False
    """Also checkpoints and weights of trials that no manifest names."""


@dataclass(frozen=True)
class PrunePlan:
    """What there is to delete, and what is left alone."""

    items: tuple[Prunable, ...]
    """All, also those that are not chosen."""
    chosen: tuple[Prunable, ...]
    busy: tuple[str, ...]
    """Trials that are left alone, with the reason."""
    shared: tuple[str, ...]
    """Other sweeps that have trials of these."""
    known: Known


def plan(
    names: Sequence[str], options: PruneOptions, has_jobs: Callable[[Path], bool]
) -> PrunePlan:
    """What can be deleted in the store, or of some sweeps.

    Raises:
        InputError: no such sweep.
    """
    store = Store()
    _must_be_there(names, store)
    found = prunable.known(store, has_jobs)
    items: list[Prunable] = []
    busy: list[str] = []
    shared: set[str] = set()
    for folder in prunable.trial_folders(store):
        own = found.sweeps.get(folder.name.rpartition("-")[2], set())
        if names and own.isdisjoint(names):
            continue
        parts = list(prunable.of_trial(folder, found))
        if parts and (why := _busy(folder, found)):
            busy.append(f"{folder.name}: {why}")
            continue
        items += parts
        shared |= own - set(names) if parts and names else set()
    sweeps = names or [path.name for path in (store.root / "sweeps").glob("*")]
    for folder in map(store.sweep, sweeps):
        if folder.is_dir() and not claimed(folder):
            items += prunable.of_sweep(folder)
    items += [] if names else prunable.of_store(store)
    kinds = [kind for kind in TITLES if kind != "weights" or options.weights]
    chosen = prunable.selected(items, set(kinds) - set(options.keep), orphans=options.orphans)
    return PrunePlan(tuple(items), tuple(chosen), tuple(busy), tuple(sorted(shared)), found)


def _must_be_there(names: Sequence[str], store: Store) -> None:
    there = prunable.sweep_names(store)
    faults = [
        Fault("sweep", f"no sweep '{name}' has started here", hint=suggestion(name, there))
        for name in names
        if name not in there
    ]
    if faults:
        raise InputError(faults)


def _busy(folder: Path, found: Known) -> str:
    if claimed(folder):
        return "runs now"
    return found.busy.get(folder.name.rpartition("-")[2], "")


def text(made: PrunePlan) -> Iterator[str]:
    """A block for each kind: how much, of what, and what its deletion forecloses."""
    for orphan in (False, True):
        for kind in TITLES:
            own = [one for one in made.items if (one.kind, one.orphan) == (kind, orphan)]
            if own:
                yield from _block(kind, own, made, orphan=orphan)
    for line in made.busy[:SHOWN]:
        yield f"left alone: {line}"
    if len(made.busy) > SHOWN:
        yield f"left alone: {len(made.busy) - SHOWN:,} more trials"
    if made.shared:
        yield f"some of these trials are of other sweeps, too: {listed(made.shared)}"


def _block(kind: Kind, own: list[Prunable], made: PrunePlan, *, orphan: bool) -> Iterator[str]:
    sizes = {one: one.bytes for one in own}
    what = "trial" if kind != "leftovers" else "file or folder"
    count = f"{len(own):,} files and folders" if what != "trial" and len(own) > 1 else ""
    whose = " that no manifest names" if orphan else ""
    keeps = "" if own[0] in made.chosen else _kept(kind, orphan=orphan)
    yield (
        f"{kind}: {size(sum(sizes.values()))}, {count or counted(len(own), what)}: "
        f"{TITLES[kind]}{whose}{keeps}"
    )
    largest = sorted(own, key=lambda one: -sizes[one])
    yield f"  {listed((_name(one) for one in largest), SHOWN)}"
    yield f"  deleting forecloses: {FORECLOSES[kind]}"


def _kept(kind: Kind, *, orphan: bool) -> str:
    flags = ["--weights"] * (kind == "weights") + ["--orphans"] * orphan
    return f" (kept; {' '.join(flags)} deletes them)" if flags else " (kept)"


def _name(one: Prunable) -> str:
    if one.kind == "leftovers":
        return f"{one.path.parent.name}/{one.path.name}"
    assert one.owner is not None
    return one.owner.name


def delete(made: PrunePlan, say: Say) -> None:
    """Delete what was chosen; a trial or sweep that a process works on by now is left alone."""
    done: Counter[Kind] = Counter()
    for one in made.chosen:
        before = one.bytes
        if _delete(one, made.known):
            done[one.kind] += before
        elif one.path.exists():
            say(f"left alone: {_name(one)} is in use by now")
    for kind, freed in done.items():
        say(f"deleted {kind}: {size(freed)}")


def _delete(one: Prunable, found: Known) -> bool:
    """Whether it was there, unused, and is gone now."""
    owner = one.owner
    with nullcontext(True) if owner is None else claim(owner, wait=False) as mine:
        if not mine or not one.path.exists():
            return False
        trial = owner is not None and owner.parent.name == "train"
        if owner is not None and trial and one not in prunable.of_trial(owner, found):
            return False
        aside = one.path
        if not aside.name.endswith(PRUNED):
            aside = one.path.with_name(f".{one.path.name.lstrip('.')}{PRUNED}")
            _remove(aside)
            one.path.rename(aside)
        _remove(aside)
        return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
