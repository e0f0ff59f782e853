"""`zoo prune`: deletes what is not needed, says what that forecloses, and touches nothing else."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.support.cli import files, zoo
from zoo.store.run_store import claim, write_json
from zoo.upkeep import pruning

PROFILE = """\
schema: profile/1
name: keeper
executor: local
concurrency: 2
save_every: 1
keep: all
keep_extendable: true
"""
FIRST = "pocket-qwen2.correctness.pocket-easy"


@pytest.fixture
def kept(folder: Path) -> Path:
    """A finished sweep of four trials with their checkpoints."""
    (folder / "cards/profiles").mkdir(parents=True)
    (folder / "cards/profiles/keeper.yaml").write_text(PROFILE)
    assert zoo("sweep", "tiny", "--bare", "--on", "keeper").status == 0
    return folder


def first(folder: Path) -> Path:
    (found,) = (folder / "runs/train").glob(f"{FIRST}.*")
    return found


def results(folder: Path) -> dict[str, bytes]:
    """What is never deleted: records, journals, evaluations, completions."""
    names = ("*.json", "*.jsonl", "*.parquet", "*.txt")
    paths = (path for name in names for path in (folder / "runs").rglob(name))
    ours = ("state/", "checkpoints/", "launches/")
    return {str(p): p.read_bytes() for p in paths if not any(part in str(p) for part in ours)}


def age(path: Path) -> None:
    """Make a file as old as one of a process that died."""
    os.utime(path, (time.time() - 7200,) * 2)


def test_prune_without_a_terminal_shows_and_deletes_nothing(kept: Path) -> None:
    before = files(kept)
    told = zoo("prune")
    assert told.status == 0
    assert told.lines[0].startswith("checkpoints: ")
    assert "4 trials: checkpoints of finished trials" in told.lines[0]
    assert "  deleting forecloses: `zoo extend`" in told.text
    assert "(kept; --weights deletes them)" in told.text
    assert told.lines[-1] == "nothing was deleted; --yes deletes what is not kept"
    assert files(kept) == before


def test_prune_deletes_checkpoints_and_extend_says_why_it_cannot_go_on(kept: Path) -> None:
    before = results(kept)
    told = zoo("prune", "--yes")
    assert told.lines[-1].startswith("deleted checkpoints: ")
    assert not list((kept / "runs/train").glob("*/state"))
    assert len(list((kept / "runs/train").glob("*/checkpoints"))) == 4
    assert results(kept) == before
    extended = zoo("extend", "tiny", "--rounds", "5", "--bare")
    assert (extended.status, "its optimiser was not kept" in extended.error) == (2, True)
    assert "= 4 done" in zoo("status", "tiny").text


def test_prune_weights_leaves_results_and_later_commands_say_what_is_missing(kept: Path) -> None:
    before, compared = results(kept), zoo("compare", "tiny", "--json").text
    assert zoo("prune", "tiny", "--yes", "--weights").status == 0
    assert not list((kept / "runs/train").glob("*/checkpoints"))
    assert results(kept) == before
    assert zoo("compare", "tiny", "--json").text == compared
    assert zoo("report", "tiny").status == 0
    assert "= 4 done" in zoo("status", "tiny").text
    asked = zoo("plan", "tiny", "--set", "evaluate.full.at=[0, 2, last]")
    assert "weights not kept, needs training again" in asked.prose
    evaluated = zoo("eval", first(kept).name, "--on", "pocket-hard")
    assert (evaluated.status, "no weights of round 3" in evaluated.error) == (2, True)
    assert zoo("prune", "--weights").text == "nothing to delete\n"


def test_prune_keeps_what_is_named(kept: Path) -> None:
    told = zoo("prune", "--yes", "--keep", "checkpoints")
    assert "checkpoints of finished trials (kept)" in told.text
    assert told.lines[-1] == "nothing to delete"
    assert len(list((kept / "runs/train").glob("*/state"))) == 4


def test_prune_of_leftovers_takes_torn_files_dead_launches_and_damaged_checkpoints(
    kept: Path,
) -> None:
    trial = first(kept)
    gone = [
        trial / ".record.json.99.tmp",
        trial / "state/round-0001.corrupt",
        trial / "launches/dead",
        kept / "runs/sweeps/tiny/journal.jsonl.corrupt",
        kept / "runs/sweeps/tiny/ray",
        kept / "runs/cache/git/file.jsonl.part",
        kept / "runs/mlflow.db.broken-1",
    ]
    fresh = [trial / ".evals.json.99.tmp", trial / "launches/starts"]
    for path in (*gone, *fresh):
        path.parent.mkdir(parents=True, exist_ok=True)
        if "." in path.name and "corrupt" not in path.name:
            path.write_text("torn")
        else:
            path.mkdir()
            (path / "file").write_text("x")
    for path in gone:
        age(path)
    told = zoo("prune", "--yes", "--keep", "checkpoints")
    assert "leftovers: " in told.lines[0]
    assert "  deleting forecloses: nothing" in told.text
    assert [path for path in gone if path.exists()] == []
    assert all(path.exists() for path in fresh)


def test_prune_leaves_trials_alone_that_run_or_are_of_a_running_sweep(kept: Path) -> None:
    with claim(first(kept)):
        told = zoo("prune", "--yes")
    assert f"left alone: {first(kept).name}: runs now" in told.lines
    assert (first(kept) / "state").is_dir()
    assert len(list((kept / "runs/train").glob("*/state"))) == 1
    with claim(kept / "runs/sweeps/tiny"):
        told = zoo("prune", "--yes", "--weights")
    assert f"left alone: {first(kept).name}: sweep tiny runs" in told.lines
    assert len(list((kept / "runs/train").glob("*/checkpoints"))) == 4


def test_prune_leaves_unfinished_training_what_it_continues_from(kept: Path) -> None:
    (first(kept) / "record.json").unlink()
    zoo("prune", "--yes", "--weights")
    assert (first(kept) / "state").is_dir()
    assert (first(kept) / "checkpoints").is_dir()
    assert len(list((kept / "runs/train").glob("*/state"))) == 1


def test_prune_leaves_weights_that_a_due_evaluation_needs(kept: Path) -> None:
    path = kept / "experiments/tiny.yaml"
    path.write_text(path.read_text().replace("[pocket-easy], p", "[pocket-easy, pocket-hard], p"))
    assert "evaluation missing" in zoo("status", "tiny").text
    zoo("prune", "--yes", "--weights")
    assert len(list((kept / "runs/train").glob("*/checkpoints"))) == 4


def test_prune_leaves_all_of_a_sweep_whose_manifest_cannot_be_read(kept: Path) -> None:
    (kept / "experiments/tiny.yaml").write_text("schema: [")
    zoo("prune", "--yes", "--weights", "--orphans")
    assert len(list((kept / "runs/train").glob("*/checkpoints"))) == 4
    assert len(list((kept / "runs/train").glob("*/state"))) == 4


def test_prune_lists_orphans_and_deletes_their_weights_only_when_asked(kept: Path) -> None:
    orphan = kept / "runs/train/old.trial.s0-0123456789"
    shutil.copytree(first(kept), orphan)
    told = zoo("prune", "--yes", "--weights")
    assert "trials that no manifest names (kept; --orphans deletes them)" in told.text
    assert (orphan / "state").is_dir()
    assert (orphan / "checkpoints").is_dir()
    record = (orphan / "record.json").read_bytes()
    assert zoo("prune", "--yes", "--weights", "--orphans").status == 0
    assert not (orphan / "checkpoints").exists()
    assert (orphan / "record.json").read_bytes() == record
    assert (orphan / "metrics.jsonl").is_file()


def test_prune_names_other_sweeps_with_these_trials(kept: Path) -> None:
    text = (kept / "experiments/tiny.yaml").read_text().replace("name: tiny", "name: other")
    (kept / "experiments/other.yaml").write_text(text)
    zoo("sweep", "other", "--bare")
    assert "some of these trials are of other sweeps, too: other" in zoo("prune", "tiny").lines


def test_prune_that_broke_off_is_ended_by_the_next(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(path: Path) -> None:
        if path.exists():
            raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(pruning, "_remove", dies)
        with pytest.raises(RuntimeError):
            zoo("prune", "--yes")
    assert len(list((kept / "runs/train").glob("*/.state.pruned"))) == 1
    assert len(list((kept / "runs/train").glob("*/state"))) == 3
    assert "= 4 done" in zoo("status", "tiny").text
    assert zoo("prune", "--yes").status == 0
    assert not [path for path in (kept / "runs").rglob("*") if "pruned" in path.name]


def test_prune_of_training_that_went_on_beyond_its_record_is_left_alone(kept: Path) -> None:
    with (first(kept) / "metrics.jsonl").open("a") as stream:
        stream.write('{"attempt": 2, "lineage": 2, "round": 1, "time": 1.0, "metrics": {}}\n')
    zoo("prune", "--yes")
    assert (first(kept) / "state").is_dir()


def test_prune_of_an_unknown_sweep_suggests_the_nearest_name(kept: Path) -> None:
    told = zoo("prune", "tinny", "--yes")
    assert told.status == 2
    assert told.error == "sweep: no sweep 'tinny' has started here; did you mean 'tiny'?"
    assert len(list((kept / "runs/train").glob("*/state"))) == 4


def test_prune_of_an_empty_store_says_that_there_is_nothing(folder: Path) -> None:
    told = zoo("prune", "--yes")
    assert (told.status, told.text) == (0, "nothing to delete\n")
    assert not (folder / "runs").exists()


def test_prune_leaves_a_live_launch_of_this_machine(kept: Path) -> None:
    from zoo.launching.processes import ProcessStamp

    launch = first(kept) / "launches/live"
    ProcessStamp.of("token", os.getpid()).write(launch)
    write_json(launch / "more.json", {})
    zoo("prune", "--yes")
    assert launch.is_dir()
