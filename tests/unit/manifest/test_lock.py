"""The lock tells an edit from a drift, and seals claims before the first trial runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog, DataCard, ModelCard
from zoo.errors import StateError
from zoo.manifest import Trial, expand, load, lock
from zoo.manifest.names import Unpinned

Write = Callable[..., Path]
CLAIM = (
    "{id: gains, says: It gains., kind: gain, metric: eval/pocket-easy/acc/t0, "
    "expect: {higher_by: 0}}"
)


class Content(Unpinned):
    """A resolver that knows everything by one word."""

    def __init__(self, model: str = "m", problems: str = "p") -> None:
        self.words = (model, problems)

    def model(self, card: ModelCard) -> str:
        return self.words[0]

    def problems(self, card: DataCard) -> str:
        return self.words[1]


def trials(path: Path, resolver: Content | None = None, *sets: str) -> list[Trial]:
    """The trials of a manifest with some content behind its cards."""
    return expand(load(path, sets), Catalog(), resolver or Content())


def locked(folder: Path, path: Path, resolver: Content | None = None, **how: bool) -> lock.Lock:
    """Write the lock of a manifest into `folder`; returns it as read."""
    manifest, before = load(path), lock.read(folder)
    begun = how.get("begun", False)
    text = lock.text(trials(path, resolver), manifest.experiment.claims, before, begun=begun)
    (folder / lock.NAME).write_text(text)
    found = lock.read(folder)
    assert found is not None
    return found


def test_without_a_lock_everything_is_new(write: Write, tmp_path: Path) -> None:
    assert lock.read(tmp_path) is None
    found = lock.compare(None, trials(write()))
    assert (found.locked, len(found.new), found.changed, found.gone) == (False, 1, (), ())


def test_the_same_plan_differs_in_nothing(write: Write, tmp_path: Path) -> None:
    path = write(seeds="[0, 1]")
    found = lock.compare(locked(tmp_path, path), trials(path))
    assert (found.locked, found.new, found.changed, found.gone) == (True, (), (), ())


def test_a_lock_holds_a_line_a_trial_with_what_was_hashed(write: Write, tmp_path: Path) -> None:
    path = write(seeds="[0, 1]")
    locked(tmp_path, path)
    rows = [json.loads(line) for line in (tmp_path / lock.NAME).read_text().splitlines()]
    assert [row["id"] for row in rows] == [trial.id for trial in trials(path)]
    assert rows[0]["identity"]["data"] == "p"
    assert rows[0]["benchmarks"] == {"pocket-easy": "p"}


def test_an_edit_of_the_manifest_is_no_drift(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write())
    (change,) = lock.compare(before, trials(write(grpo="{beta: 0.1}"))).changed
    assert (change.kind, str(change)) == ("edited", "grpo.beta 0.0 -> 0.1")
    (change,) = lock.compare(before, trials(write(), None, "grpo.beta=0.2")).changed
    assert change.kind == "edited"


def test_content_that_moved_under_an_unchanged_cell_is_drift(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write())
    found = lock.compare(before, trials(write(), Content(problems="q")))
    (change,) = found.of_kind("drift")
    assert change.fields == (("data", "p", "q"),)
    assert change.old_id == before.trials[0]["id"]


def test_pinning_what_was_unpinned_is_no_drift(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write(), Content(problems="unpinned"))
    (change,) = lock.compare(before, trials(write())).changed
    assert change.kind == "pinned"


def test_cells_that_come_and_go_are_told_apart_from_changes(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write(seeds="[0, 1]"))
    found = lock.compare(before, trials(write(seeds="[1, 2]")))
    assert [trial.seed for trial in found.new] == [2]
    assert [row["seed"] for row in found.gone] == [0]
    assert found.changed == ()


def test_an_axis_that_says_what_held_before_changes_nothing(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write())
    grid = "{model: pocket-llama, reward: correctness, data: pocket-easy, grpo.beta: [0]}"
    found = lock.compare(before, trials(write(grid=grid)))
    assert (found.new, found.changed, found.gone) == ((), (), ())


def test_claims_are_sealed_until_a_trial_ran(write: Write, tmp_path: Path) -> None:
    first = locked(tmp_path, write(claims=f"[{CLAIM}]"))
    assert [(row["claim"]["id"], row["sealed"]) for row in first.claims] == [("gains", True)]
    other = CLAIM.replace("gains", "later")
    second = locked(tmp_path, write(claims=f"[{CLAIM}, {other}]"), begun=True)
    assert [row["sealed"] for row in second.claims] == [True, False]
    stricter = CLAIM.replace("higher_by: 0", "higher_by: 9")
    third = locked(tmp_path, write(claims=f"[{stricter}]"), begun=True)
    assert [row["sealed"] for row in third.claims] == [False]


def test_a_sealed_claim_that_was_taken_out_is_kept_as_withdrawn(
    write: Write, tmp_path: Path
) -> None:
    locked(tmp_path, write(claims=f"[{CLAIM}]"))
    found = locked(tmp_path, write(), begun=True)
    assert [(row["sealed"], row["withdrawn"]) for row in found.claims] == [(True, True)]


@pytest.mark.parametrize("text", ["{", '{"id": 1}\n', "[1]\n", '"id"\n'])
def test_a_lock_that_cannot_be_read_stops_everything(tmp_path: Path, text: str) -> None:
    (tmp_path / lock.NAME).write_text(text)
    with pytest.raises(StateError, match=r"cannot be read .*; restore it, or move it away"):
        lock.read(tmp_path)
