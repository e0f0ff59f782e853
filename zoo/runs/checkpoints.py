"""Checkpoints that training continues from: written atomically, verified before use, kept as the
profile requires.

The checkpoints of a lineage are in `state/[L2/]round-0004/`, separate from the weights kept for
evaluation. The trainer defines the content of a checkpoint; this module handles files. A save goes
through `STEPS`: files are written to a temporary folder, hashed and synced, `manifest.json` (sizes
and SHA-256) comes last, then the folder is renamed in. So a folder without a manifest is never
there, and a crash at any step leaves the checkpoint before it. A damaged one is renamed `.corrupt`
and never used.

`ZOO_FAULT=STEP` (or `STEP@ROUND`) kills the process after a step of a save, for tests.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import FailureClass, TrialError
from zoo.grader_version import GRADER_VERSION
from zoo.resources import geometry
from zoo.store.record import branch
from zoo.store.run_store import is_full, read_json, write_json
from zoo.store.stack import differences
from zoo.trials.trial import Trial

MANIFEST = "manifest.json"
FAULT_VARIABLE = "ZOO_FAULT"
STEPS = ("begun", "written", "hashed", "manifest", "renamed", "synced")
"""Steps of a save, in their order; the checkpoint counts from `renamed` on."""
ROOM = 1.05
"""Free space that a save requires, in sizes of the checkpoint."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint, as its manifest describes it."""

    folder: Path
    round: int
    """The last round that it has trained."""
    state: dict[str, Any]
    """The session's own state, stored with the trainer's files."""
    files: dict[str, tuple[int, str]]
    """Path below the folder -> bytes and SHA-256."""
    resumable: bool = True
    """Whether training can continue from it; False once its optimiser was removed."""

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(size for size, _ in self.files.values())

    def moved(self, conditions: Mapping[str, str]) -> list[str]:
        """Differences between `conditions` and those under which it was written."""
        return differences(self.state.get("conditions", {}), conditions)


def conditions(
    trial: Trial, profile: ComputeProfile, stack: Mapping[str, str], prompt: int | None = None
) -> dict[str, str]:
    """Conditions that must not change during training: stack, geometry, and the grader of its
    rewards. `prompt`: tokens of the longest prompt, where counted."""
    return {**stack, **geometry(trial, profile, prompt), "grader": GRADER_VERSION}


def root_of(folder: Path | str, lineage: int) -> Path:
    """Folder of a lineage's checkpoints, below a trial's folder."""
    return Path(folder) / "state" / branch(lineage)


def save(
    root: Path,
    round_: int,
    write: Callable[[Path], None],
    state: dict[str, Any],
    *,
    needs: float = 0.0,
    durable: bool = True,
) -> Checkpoint:
    """Save a checkpoint after `round_`.

    Args:
        root: folder of the lineage's checkpoints.
        write: writes the trainer's files into a folder.
        state: the session's state, as JSON.
        needs: its estimated size in bytes; None = unknown.

    Raises:
        TrialError: of class `disk`, where free space is too small.
    """
    root.mkdir(parents=True, exist_ok=True)
    _clear(root)
    _require_room(root, needs)
    folder = root / _name(round_)
    beside = root / f".{folder.name}.tmp"
    beside.mkdir()
    _step("begun", round_)
    try:
        write(beside)
        _step("written", round_)
        files = {str(path.relative_to(beside)): _hashed(path, durable) for path in _files(beside)}
        _step("hashed", round_)
        made = Checkpoint(folder, round_, state, files)
        write_json(beside / MANIFEST, _manifest(made), durable=durable)
        _sync_folder(beside, durable)
    except Exception as error:
        shutil.rmtree(beside, ignore_errors=True)
        if _is_full(root, needs, error):
            raise _no_room(root, needs) from error
        raise
    _step("manifest", round_)
    if folder.exists():  # of a launch that went beyond a damaged checkpoint
        shutil.rmtree(folder)
    beside.rename(folder)
    _step("renamed", round_)
    _sync_folder(root, durable)
    _step("synced", round_)
    return made


def newest(root: Path, below: int | None = None) -> Checkpoint | None:
    """The newest checkpoint that training can continue from, by manifests and sizes alone. Changes
    nothing. `below`: only rounds before this horizon."""
    whole = (c for c in _listed(root, below) if isinstance(c, Checkpoint) and not _faults(c))
    return next(whole, None)


def newest_whole(root: Path, below: int, report: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint before a horizon that passes its checksums. A damaged one is renamed
    `.corrupt` and reported (path and reason), and the one before it is tried."""
    _clear(root)
    for found in _listed(root, below):
        if isinstance(found, Path):
            fault = "its manifest cannot be read"
        else:
            fault = _faults(found, hashes=True)
        if not fault:
            assert isinstance(found, Checkpoint)
            return found
        folder = found if isinstance(found, Path) else found.folder
        report(f"{_set_aside(folder)}: {fault}")
    return None


def weights_only(root: Path) -> list[int]:
    """Rounds of which only weights are left, so that training cannot continue from them."""
    found = (_read(folder) for folder in _folders(root))
    return [c.round for c in found if c is not None and not c.resumable]


def prune(root: Path, keep: str, most: int = 2) -> None:
    """Remove checkpoints that a profile's `keep` does not cover: `last` keeps the newest two (the
    second one in case the first is damaged), `every:N` also those at multiples of N, `all`
    everything."""
    for folder in _folders(root)[most:]:
        if not _kept(folder, keep):
            shutil.rmtree(folder, ignore_errors=True)


def retire(root: Path, keep: str, optimiser: Callable[[str], bool], *, extendable: bool) -> None:
    """Remove checkpoints at the end of training, except those that `keep` covers beyond the newest
    two, as weights only; with `extendable` also the newest, complete.

    Args:
        optimiser: whether a file serves only to continue training.
    """
    folders = _folders(root)
    whole = folders[:1] if extendable else []
    for folder in folders:
        if folder in whole:
            continue
        if keep == "last" or not _kept(folder, keep):
            shutil.rmtree(folder, ignore_errors=True)
        elif (found := _read(folder)) is not None and found.resumable:
            _strip(found, optimiser)
    _clear(root)
    for empty in (root, root.parent):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()


HINT = "go back to that, accept it: --across-stacks, or remove the folder to begin again at round 0"


def refusal(found: Checkpoint, moved: list[str]) -> str:
    """Why training does not continue from a checkpoint unasked."""
    return f"{found.folder.parent} was written under other conditions: {', '.join(moved)}"


def _name(round_: int) -> str:
    return f"round-{round_:04d}"


def _folders(root: Path) -> list[Path]:
    """Folders of checkpoints, the newest first; damaged or incomplete ones are excluded."""
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return []
    found = [n for n in names if n.startswith("round-") and n.removeprefix("round-").isdecimal()]
    return sorted((root / name for name in found), key=lambda folder: -_round_of(folder))


def _round_of(folder: Path) -> int:
    return int(folder.name.removeprefix("round-"))


def _listed(root: Path, below: int | None) -> list[Checkpoint | Path]:
    """What training could continue from, the newest first; a path where the manifest is
    unreadable."""
    folders = (f for f in _folders(root) if below is None or _round_of(f) < below)
    found = ((folder, _read(folder)) for folder in folders)
    return [c or folder for folder, c in found if c is None or c.resumable]


def _read(folder: Path) -> Checkpoint | None:
    try:
        data = read_json(folder / MANIFEST)
        files = {name: (int(size), str(sha)) for name, (size, sha) in data["files"].items()}  # type: ignore[index]
        return Checkpoint(folder, data["round"], data["state"], files, data["resumable"])  # type: ignore[index]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _manifest(found: Checkpoint) -> dict[str, Any]:
    return {
        "form": 1,
        "round": found.round,
        "resumable": found.resumable,
        "state": found.state,
        "files": found.files,
    }


def _faults(found: Checkpoint, *, hashes: bool = False) -> str:
    """The fault of a checkpoint's files; empty if valid."""
    for name, (size, sha) in found.files.items():
        path = found.folder / name
        try:
            have = path.stat().st_size
            if have != size:
                return f"{name} has {have:,} bytes of {size:,}"
            if hashes and _sha256(path) != sha:
                return f"{name} is not what was written (SHA-256 differs)"
        except FileNotFoundError:
            return f"{name} is gone"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
    return ""


def _set_aside(folder: Path) -> Path:
    """Rename a damaged checkpoint; returns its new path."""
    aside = folder.with_name(f"{folder.name}.corrupt")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    return aside


def _strip(found: Checkpoint, optimiser: Callable[[str], bool]) -> None:
    """Leave only weights. The manifest is updated first, so that a crash leaves no false entry."""
    gone = [name for name in found.files if optimiser(name)]
    files = {name: file for name, file in found.files.items() if name not in gone}
    left = Checkpoint(found.folder, found.round, found.state, files, resumable=False)
    write_json(found.folder / MANIFEST, _manifest(left))
    for name in gone:
        (found.folder / name).unlink(missing_ok=True)


def _kept(folder: Path, keep: str) -> bool:
    word, _, every = keep.partition(":")
    return word == "all" or (word == "every" and _round_of(folder) % int(every) == 0)


def _clear(root: Path) -> None:
    """Remove the remains of an interrupted save."""
    for beside in root.glob(".round-*.tmp"):
        shutil.rmtree(beside, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _hashed(path: Path, durable: bool) -> tuple[int, str]:
    sha = _sha256(path)
    if durable:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    return path.stat().st_size, sha


def _sync_folder(folder: Path, durable: bool) -> None:
    if durable:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _require_room(root: Path, needs: float) -> None:
    if needs and shutil.disk_usage(root).free < ROOM * needs:
        raise _no_room(root, needs)


def _is_full(root: Path, needs: float, error: Exception) -> bool:
    """Whether a save failed because the disk is full; torch and safetensors have their own
    messages."""
    if is_full(error):
        return True
    return not isinstance(error, TrialError) and shutil.disk_usage(root).free < needs


def _no_room(root: Path, needs: float) -> TrialError:
    free = shutil.disk_usage(root).free
    size = f" of {needs / 2**30:.2f} GiB" if needs else ""
    return TrialError(
        FailureClass.DISK,
        f"{root}: no room for a checkpoint{size}, {free / 2**30:.2f} GiB are free; make room and "
        "run the sweep again: it continues from the checkpoint before this one",
    )


def _step(name: str, round_: int) -> None:
    """End the process where a test requests it."""
    if os.environ.get(FAULT_VARIABLE) in (name, f"{name}@{round_}"):
        os.kill(os.getpid(), signal.SIGKILL)
