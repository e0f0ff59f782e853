"""The run store: layout of its folders, atomic writes, and locks.

    runs/train/ID/{trial.json, launch.json, metrics.jsonl, evals.jsonl, log.txt, rollouts/,
                   base_completions.parquet, checkpoints/, state/, launches/, record.json,
                   regraded.json, void.json}
    runs/samples/ID/{sample.json, completions.parquet, record.json}
    runs/scores/ID/{score.json, scores.parquet, record.json}
    runs/behaviours/ID/{behaviours.json, labels.parquet, record.json}
    runs/sweeps/NAME/, runs/evals/NAME/log.txt, runs/mlflow.db

A stage folder is written by the process that holds its lock; the kernel releases the lock with the
process. A trial is identified by the hash at the end of its id; its folder keeps its first name.
Files are written atomically (temporary file, sync, rename). `record.json` comes last: a stage is
done when it exists and its status is `done`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeGuard

from zoo import json_text

Stage = Literal["train", "samples", "scores", "behaviours"]
ROOT_VARIABLE = "ZOO_RUNS"


class Store:
    """Paths of one run store, by default `./runs` or where `ZOO_RUNS` points."""

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = Path(os.path.realpath(root or os.environ.get(ROOT_VARIABLE) or "runs"))

    def folder(self, stage: Stage, id_: str) -> Path:
        """Folder of a stage; not created by this call."""
        return self.root / stage / id_

    def train(self, trial_id: str) -> Path:
        """Folder of a trial's training: that of its hash where there is one, whatever its slug."""
        return Path(self.train_path(trial_id))

    def train_path(self, trial_id: str) -> str:
        """`train` as text: a `Path` for each of many trials takes longer than finding it."""
        names = self._born.get(trial_id.rpartition("-")[2], ())
        return f"{self._trains}/{_preferred(self._trains, names) or trial_id}"

    def ran(self, trial_id: str) -> bool:
        """Whether a trial had a folder at this store's first listing."""
        return trial_id.rpartition("-")[2] in self._born

    @cached_property
    def _trains(self) -> str:
        return f"{self.root}/train"

    @cached_property
    def _born(self) -> dict[str, list[str]]:
        """Hash -> names of the folders that were born with it."""
        found: dict[str, list[str]] = {}
        with suppress(FileNotFoundError):
            for name in os.listdir(self._trains):
                found.setdefault(name.rpartition("-")[2], []).append(name)
        return found

    def rollouts(self, trial_id: str, round_: int, branch: str = "") -> Path:
        """Completions of a round of training, with their verdicts and rewards. `branch`: folder of
        the lineage, see `zoo.store.record`."""
        return self.train(trial_id) / "rollouts" / branch / f"round-{round_:04d}.parquet"

    def checkpoint(self, trial_id: str, round_: int, branch: str = "") -> Path:
        """Folder of the weights after a round."""
        return self.train(trial_id) / "checkpoints" / branch / f"round-{round_:04d}"

    def completions(self, sample_id: str) -> Path:
        """Responses to a benchmark."""
        return self.folder("samples", sample_id) / "completions.parquet"

    def verdicts(self, score_id: str) -> Path:
        """Verdicts on responses, in their order."""
        return self.folder("scores", score_id) / "scores.parquet"

    def sweep(self, name: str) -> Path:
        """Folder of a sweep's machine state."""
        return self.root / "sweeps" / name

    @property
    def cache(self) -> Path:
        """What can be had again: digests, files that were fetched; see `zoo.data`."""
        return self.root / "cache"

    @property
    def mlflow_uri(self) -> str:
        """The MLflow store next to the runs, unless `MLFLOW_TRACKING_URI` names another."""
        return os.environ.get("MLFLOW_TRACKING_URI") or self.own_mlflow_uri

    @property
    def own_mlflow_uri(self) -> str:
        """The MLflow store next to the runs, `mlflow.db`, as a URI of SQLAlchemy.

        SQLAlchemy decodes `%xx`, and `?` begins its options. MLflow creates the folders of the path
        after `sqlite:///` without decoding it; with the name of the driver it does not.
        """
        path = str(self.root / "mlflow.db")
        quoted = path.translate({ord(c): f"%{ord(c):02X}" for c in "%?#"})
        return f"sqlite:///{path}" if quoted == path else f"sqlite+pysqlite:///{quoted}"


def _preferred(root: str, names: Sequence[str]) -> str | None:
    """Of several folders of one hash the one that is done, else the older; they are never merged
    nor renamed."""
    if len(names) < 2:
        return names[0] if names else None

    def order(name: str) -> tuple[bool, float, str]:
        try:
            found: dict[str, Any] = read_json(f"{root}/{name}/record.json") or {}
        except ValueError:
            found = {}
        return found.get("state") not in ("done", "stopped"), _began(Path(root, name)), name

    return min(names, key=order)


def _began(folder: Path) -> float:
    """When the first round of a trial ended, or its folder changed last, since the epoch."""
    try:
        with (folder / "metrics.jsonl").open(encoding="utf-8") as stream:
            return float(json.loads(stream.readline())["time"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.stat().st_mtime


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Path for an atomic write: a temporary file in the same folder, which replaces the file at the
    end. A disk error names the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where
        with suppress(OSError):
            beside.unlink()
        raise


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file atomically."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        if durable:
            os.fsync(stream.fileno())


def write_json(path: Path, data: Any, *, durable: bool = True) -> None:
    """`write_text` of a JSON value; NaN and infinities are refused (turn them into None first)."""
    write_text(path, json.dumps(data, indent=1, allow_nan=False) + "\n", durable=durable)


def read_json(path: Path | str) -> Any | None:
    """The JSON value of a file, or None where there is no such file."""
    raw = read_bytes(path)
    return None if raw is None else json_text.parse(raw)


def read_bytes(path: Path | str) -> bytes | None:
    """The content of a file, or None if there is none."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:  # faster than a stream, where many files are read
        return os.read(number, os.fstat(number).st_size)
    finally:
        os.close(number)


FULL = {errno.ENOSPC, errno.EDQUOT}


def is_full(error: BaseException) -> TypeGuard[OSError]:
    """Whether a disk has no room, or its user no quota."""
    return isinstance(error, OSError) and error.errno in FULL


def full_text(error: OSError, folder: Path) -> str:
    """The message for a full disk: the file, or else the folder that it was to be written in."""
    place = error.filename2 or error.filename or folder
    return f"{place}: cannot be written ({os.strerror(error.errno or 0)}); make room"


_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid


@contextmanager
def claim(folder: Path, *, wait: bool = True, poll_s: float = 0.2) -> Iterator[bool]:
    """Take a stage folder's lock; without `wait`, yields False at once if another process has it.

    The lock belongs to the open file (`F_OFD_SETLK`): it goes with the process, so no stale lock
    outlives a crash. Two claims in one process exclude each other as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as stream:
        while True:
            try:
                fcntl.fcntl(stream, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, *[0] * 4))
                break
            except BlockingIOError:
                if not wait:
                    yield False
                    return
                time.sleep(poll_s)
        yield True


def claimed(folder: Path) -> bool:
    """Whether a process holds a stage folder's lock. Only queries the kernel, so that it blocks no
    one and works on read-only disks."""
    try:
        with (folder / ".lock").open("rb") as stream:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, *[0] * 4)
            found = fcntl.fcntl(stream, fcntl.F_OFD_GETLK, asked)
    except FileNotFoundError:
        return False
    return struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK
