"""Checkpoints as files: whole or not at all, verified, and kept as long as asked."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from zoo.errors import TrialError
from zoo.runs import checkpoints
from zoo.runs.checkpoints import STEPS, Checkpoint

WEIGHTS, OPTIMISER = "model.safetensors", "optimizer.pt"


def write(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"weights" * 100)
    (folder / "shards").mkdir()
    (folder / "shards" / OPTIMISER).write_bytes(b"moments" * 200)


def save(root: Path, *rounds: int) -> None:
    for round_ in rounds:
        checkpoints.save(root, round_, write, {"round": round_})


def whole(root: Path) -> tuple[int | None, list[str]]:
    """Round of the newest whole checkpoint, and what was reported on the way."""
    said: list[str] = []
    found = checkpoints.newest_whole(root, 100, said.append)
    return found and found.round, said


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def flip(folder: Path) -> None:
    path = folder / WEIGHTS
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)


def truncate(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, 50)


def lose_shard(folder: Path) -> None:
    (folder / "shards" / OPTIMISER).unlink()


def lose_manifest(folder: Path) -> None:
    (folder / checkpoints.MANIFEST).unlink()


def tear_manifest(folder: Path) -> None:
    os.truncate(folder / checkpoints.MANIFEST, 40)


DAMAGES = {
    flip: f"{WEIGHTS} is not what was written (SHA-256 differs)",
    truncate: f"{WEIGHTS} has 50 bytes of 700",
    lose_shard: f"shards/{OPTIMISER} is gone",
    lose_manifest: "its manifest cannot be read",
    tear_manifest: "its manifest cannot be read",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoint_is_set_aside_and_the_one_before_it_is_used(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    save(tmp_path, 2, 4)
    damage(tmp_path / "round-0004")
    assert whole(tmp_path) == (2, [f"{tmp_path}/round-0004.corrupt: {DAMAGES[damage]}"])
    assert names(tmp_path) == ["round-0002", "round-0004.corrupt"]
    assert whole(tmp_path) == (2, [])  # and stays aside
    save(tmp_path, 4)
    assert whole(tmp_path) == (4, [])


def test_newest_by_sizes_passes_over_what_is_shorter_and_changes_nothing(tmp_path: Path) -> None:
    save(tmp_path, 2, 4)
    truncate(tmp_path / "round-0004")
    found = checkpoints.newest(tmp_path)
    assert found is not None
    assert found.round == 2
    assert names(tmp_path) == ["round-0002", "round-0004"]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path / "absent") is None
    assert whole(tmp_path / "absent") == (None, [])


def _save_in_child(root: Path, round_: int, fault: str) -> None:
    os.environ[checkpoints.FAULT_VARIABLE] = fault
    save(root, round_)


@pytest.mark.parametrize("step", STEPS)
def test_process_that_dies_at_any_step_of_a_save_leaves_a_whole_checkpoint(
    tmp_path: Path, step: str
) -> None:
    save(tmp_path, 2)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_save_in_child, args=(tmp_path, 4, f"{step}@4"))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    counts = STEPS.index(step) >= STEPS.index("renamed")
    assert whole(tmp_path) == (4 if counts else 2, [])
    assert names(tmp_path) == ["round-0002"] + ["round-0004"] * counts
    save(tmp_path, 4)  # the launch that continues comes there again
    assert whole(tmp_path) == (4, [])


def test_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        write(folder)
        raise ValueError("no such tensor")

    save(tmp_path, 2)
    with pytest.raises(ValueError, match="no such tensor"):
        checkpoints.save(tmp_path, 4, broken, {})
    assert names(tmp_path) == ["round-0002"]


def test_save_without_room_is_refused_before_it_begins(tmp_path: Path) -> None:
    needs = shutil.disk_usage(tmp_path).free * 2.0
    with pytest.raises(TrialError, match=r"no room for a checkpoint of .* GiB") as caught:
        checkpoints.save(tmp_path, 4, write, {}, needs=needs)
    assert caught.value.failure_class == "disk"
    assert str(tmp_path) in str(caught.value)
    assert names(tmp_path) == []


def test_disk_that_fills_up_during_a_save_is_of_class_disk(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(TrialError, match="no room") as caught:
        checkpoints.save(tmp_path, 4, full, {})
    assert caught.value.failure_class == "disk"
    assert names(tmp_path) == []


class Kept(NamedTuple):
    keep: str
    running: list[int]
    """Rounds that stay while a trial runs that saved after rounds 1 to 6."""
    done: list[int]
    """... once it is done; all of them without an optimiser."""


@pytest.mark.parametrize(
    "case",
    [
        Kept("last", [5, 6], []),
        Kept("all", [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]),
        Kept("every:3", [3, 5, 6], [3, 6]),
    ],
)
@pytest.mark.parametrize("extendable", [False, True])
def test_retention_keeps_what_the_profile_says(
    tmp_path: Path, case: Kept, extendable: bool
) -> None:
    root = tmp_path / "state"
    for round_ in range(1, 7):
        checkpoints.prune(root, case.keep, most=1)
        save(root, round_)
    assert [int(name[-4:]) for name in names(root)] == case.running
    checkpoints.retire(root, case.keep, is_optimiser, extendable=extendable)
    left = sorted({*case.done, *([6] if extendable else [])})
    assert [int(name[-4:]) for name in names(root)] == left
    assert root.exists() == bool(left)
    assert whole(root) == (6 if extendable else None, [])
    for round_ in set(case.done) - ({6} if extendable else set()):
        files = names(root / f"round-{round_:04d}" / "shards")
        assert (files, (root / f"round-{round_:04d}" / WEIGHTS).exists()) == ([], True)
    assert checkpoints.weights_only(root) == sorted(
        set(case.done) - ({6} if extendable else set()), reverse=True
    )


def is_optimiser(name: str) -> bool:
    return name.endswith(".pt")


def test_manifest_holds_sizes_hashes_and_what_the_session_keeps(tmp_path: Path) -> None:
    save(tmp_path, 3)
    said: dict[str, Any] = json.loads((tmp_path / "round-0003/manifest.json").read_text())
    assert said["state"] == {"round": 3}
    assert {name: size for name, (size, _) in said["files"].items()} == {
        WEIGHTS: 700,
        f"shards/{OPTIMISER}": 1400,
    }
    found = checkpoints.newest(tmp_path)
    assert isinstance(found, Checkpoint)
    assert found.bytes == 2100
