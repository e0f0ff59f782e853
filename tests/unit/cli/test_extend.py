"""`zoo extend`: finished trials go on to more rounds in place; what forbids it is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.cli import files, zoo
from tests.support.same_trial import traces
from zoo.catalog import Catalog
from zoo.data import LocalResolver
from zoo.findings.collect import Results, collect
from zoo.manifest.load import read
from zoo.planning.expand import expand
from zoo.report.methods import round_notes
from zoo.runs import live, outcome
from zoo.runs.outcome import Outcome
from zoo.store import journal, record
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

PROFILE = """\
schema: profile/1
name: keeps
executor: local
keep_extendable: true
"""
MANIFEST = Path("experiments/tiny.yaml")
WATCH = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 1, decodings: [t1.0]}\n"


@pytest.fixture
def kept(folder: Path) -> Path:
    """A folder in which `tiny` ran for 3 rounds and kept its optimisers."""
    (folder / "cards/profiles").mkdir(parents=True)
    (folder / "cards/profiles/keeps.yaml").write_text(PROFILE)
    text = MANIFEST.read_text().replace("claims:", f"{WATCH}claims:")
    MANIFEST.write_text(text)
    assert zoo("sweep", "tiny", "--bare", "--on", "keeps").status == 0
    return folder


def extend(rounds: int, *words: str) -> str:
    told = zoo("extend", "tiny", "--rounds", str(rounds), "--bare", "--on", "keeps", *words)
    assert told.status == 0, told
    return told.text


def trials(rounds: int) -> list[Trial]:
    return expand(read(MANIFEST, (f"rounds={rounds}",)), Catalog(), LocalResolver())


def results(rounds: int) -> Results:
    experiment = read(MANIFEST, (f"rounds={rounds}",)).experiment
    return collect(experiment, trials(rounds), Store())


def loaded(rounds: int) -> list[Outcome]:
    return [outcome.load(trial, Store()) for trial in trials(rounds)]


def test_extended_trials_equal_undisturbed_ones_and_keep_their_ids(
    kept: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(path.name for path in Path("runs/train").iterdir())
    extend(6)
    assert sorted(path.name for path in Path("runs/train").iterdir()) == before
    extended, store = trials(6), Store(kept / "runs")
    calm = tmp_path_factory.mktemp("calm")
    monkeypatch.setenv("ZOO_RUNS", str(calm / "runs"))
    monkeypatch.setenv("ZOO_SWEEPS", str(calm / "sweeps"))
    assert zoo("sweep", str(MANIFEST), "--bare", "--set", "rounds=6").status == 0
    for trial in extended:
        once, again = traces(trial, Store()), traces(trial, store)
        at_end = {place for place in again["evaluations"] if place not in once["evaluations"]}
        assert {round_ for round_, _ in at_end} == {3}  # the horizon that it had before
        for place in at_end:
            del again["evaluations"][place]
        assert again == once


def test_what_fewer_rounds_came_to_is_kept_and_read_as_before(kept: Path) -> None:
    store, before = Store(), loaded(3)
    told = {o.trial.id: (o.folder / "record.json").read_bytes() for o in before}
    extend(6)
    for was, now in zip(before, loaded(3), strict=True):
        copy = now.folder / "record.L1.round-0003.json"
        assert copy.read_bytes() == told[now.trial.id]
        assert now.trained_to == 6
        assert (now.state, now.rounds, now.measured) == (was.state, was.rounds, was.measured)
        assert now.record == was.record
        assert store.checkpoint(now.trial.id, 3).is_dir()
        found = record.read(now.folder)
        assert found is not None
        assert (found.round, found.lineage, found.extends) == (6, 1, [3])
    assert zoo("status", str(MANIFEST), "--set", "rounds=3").text.count("  3 rounds  ") == 4
    assert {o.state for o in loaded(6)} == {"done"}


def test_extended_twice_keeps_both_earlier_records(kept: Path) -> None:
    extend(5)
    extend(8)
    for found in loaded(8):
        assert found.state == "done"
        assert found.record is not None
        assert found.record.extends == [3, 5]
    assert {o.record.round for o in loaded(4) if o.record} == {5}


def test_status_names_what_can_go_on_and_the_command(kept: Path) -> None:
    told = zoo("status", "tiny", "--set", "rounds=6")
    assert told.text.count("has 3 of 6 rounds, can go on (`zoo extend`)") == 4
    assert "can go on to 6 rounds: `zoo extend experiments/tiny.yaml --rounds 6`" in told.prose
    assert "trains it again" not in told.text
    extend(6)
    assert zoo("status", "tiny").text.count("6 rounds") == 4  # the name remembers


def test_a_part_that_is_extended_is_not_compared_with_the_rest(kept: Path) -> None:
    extend(6, "--only", "model=pocket-llama")
    states = {o.trial.model.name: o.state for o in loaded(6)}
    assert states == {"pocket-llama": "done", "pocket-qwen2": "incomplete"}
    rows = json.loads(zoo("compare", "tiny", "--json").text)
    assert "refuted" not in json.dumps(rows)
    assert "supported" not in json.dumps(rows)
    assert {o.state for o in loaded(3)} == {"done"}  # the round that they have in common
    (note,) = round_notes(results(6))
    assert note.startswith("Finished trials with fewer rounds than 6: 2, pocket-qwen2.")
    (note,) = round_notes(results(3))
    assert note.startswith("Trials that were trained further: 2, pocket-llama.")
    for found in loaded(3):
        assert max(found.rounds) == 3
        assert max(m.round for m in found.measured) == 3


@pytest.mark.parametrize("how", ["kill:5", "fail:5"])
def test_extension_that_breaks_off_loses_nothing_and_goes_on(
    kept: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    before = loaded(3)
    monkeypatch.setenv("ZOO_SIMULATE", f"{how}@pocket-llama.box")
    told = zoo("extend", "tiny", "--rounds", "6", "--bare", "--on", "keeps", "--save-every", "1")
    assert told.status == 1
    assert "`zoo extend experiments/tiny.yaml --rounds 6 --on keeps" in told.prose
    monkeypatch.delenv("ZOO_SIMULATE")
    assert [o.record for o in loaded(3)] == [o.record for o in before]
    status = zoo("status", "tiny").text
    assert status.count("3 rounds done, goes on to 6 after round 4") == 1
    assert zoo("sweep", "tiny", "--bare", "--on", "keeps").status == 0  # begun, so it goes on
    (found,) = [o for o in loaded(6) if o.trial.id.startswith("pocket-llama.box")]
    assert found.record is not None
    assert (found.state, found.record.about["resumed_from"]) == ("done", 4)
    assert (found.record.extends, found.record.lineage) == ([3], 1)


def test_extension_that_diverges_leaves_the_finished_rounds_done(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = files(Path("runs/train"))
    monkeypatch.setenv("ZOO_SIMULATE", "diverge:4@pocket-llama.box")
    zoo("extend", "tiny", "--rounds", "6", "--bare", "--on", "keeps")
    monkeypatch.delenv("ZOO_SIMULATE")
    assert {o.state for o in loaded(3)} == {"done"}
    states = {o.trial.id.rpartition(".pocket-easy")[0]: o.state for o in loaded(6)}
    assert states.pop("pocket-llama.box-strict") == "stopped"
    assert set(states.values()) == {"done"}
    gone = weights - files(Path("runs/train"))
    assert not [path for path in gone if "/state" not in path]


def test_measured_rows_of_an_extension_under_way_do_not_count_as_recorded(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "kill:6@pocket-llama.box")
    for _ in range(2):  # saved at 4, so that round 5 is measured twice
        zoo("extend", "tiny", "--rounds", "6", "--bare", "--on", "keeps", "--save-every", "4")
    (found,) = [o for o in loaded(3) if o.trial.id.startswith("pocket-llama.box")]
    newest = record.read(found.folder)
    assert newest is not None
    assert newest.round == 3
    places = [(row["round"], row["key"]) for row in live.measured(found.folder, newest)]
    assert len(places) == len(set(places))
    assert max(round_ for round_, _ in places) == 5


def test_sealed_claim_is_extended_and_stays_sealed_for_the_rounds_it_was_sealed_for(
    kept: Path,
) -> None:
    def standing(*words: str) -> str:
        (row,) = json.loads(zoo("compare", "tiny", *words, "--json").text)["claims"]
        return row["standing"]

    assert standing() == "sealed"
    assert "extended by seeds, cells or rounds" in zoo("plan", "tiny", "--set", "rounds=6").prose
    assert "extended by seeds, cells or rounds" in extend(6)
    assert standing() == "extended"
    assert standing("--set", "rounds=3") == "sealed"
    extend(7)  # and the lock remembers what it was sealed for
    assert (standing(), standing("--set", "rounds=3")) == ("extended", "sealed")
    assert standing("--set", "rounds=6") == "extended"


# -- what forbids it -------------------------------------------------------------------------------


def refused(*words: str) -> str:
    before = files(Path())
    told = zoo("extend", "tiny", *words)
    assert (told.status, told.text) == (2, ""), told
    assert files(Path()) == before
    return told.error


def test_trials_without_optimiser_are_refused_together_with_the_remedy(swept: Path) -> None:
    told = refused("--rounds", "6")
    assert told.count("its optimiser was not kept") == 1
    assert "pocket-qwen2.box-strict" in told
    assert "`keep_extendable: true` in the profile" in told
    assert "`zoo sweep --set rounds=6 --retrain`" in told


def test_schedule_that_depends_on_the_horizon_is_refused_by_its_name(folder: Path) -> None:
    text = MANIFEST.read_text().replace(
        "rounds: 3\n", "rounds: 3\ngrpo: {lr_scheduler_type: linear}\n"
    )
    MANIFEST.write_text(text)
    assert zoo("sweep", "tiny", "--bare").status == 0
    told = refused("--rounds", "6")
    assert (
        "`lr_scheduler_type: linear` depends on the number of rounds, which is in the trial's id"
        in told
    )
    assert told.count("depends on the number") == 1  # of all four trials


def test_damaged_checkpoint_is_refused_and_training_stands(kept: Path) -> None:
    (folder,) = Path("runs/train").glob("pocket-llama.box*")
    (folder / "state/round-0003/simulated.json").write_text("{}")
    told = refused("--rounds", "6", "--bare", "--on", "keeps")
    assert "pocket-llama.box-strict.pocket-easy: its optimiser was not kept" in told
    extend(6, "--only", "reward=correctness")


def test_checkpoint_whose_bytes_changed_fails_and_begins_nothing_anew(kept: Path) -> None:
    (folder,) = Path("runs/train").glob("pocket-llama.box*")
    state = folder / "state/round-0003/simulated.json"
    state.write_text(state.read_text().replace("1", "2"))
    told = zoo("extend", "tiny", "--rounds", "6", "--bare", "--on", "keeps")
    assert told.status == 1
    assert "1 trial could not continue; previous results are kept" in told.text
    found = record.read(folder)
    assert found is not None
    assert (found.state, found.round, found.lineage) == ("done", 3, 1)
    assert {row["lineage"] for row in journal.read(folder / "metrics.jsonl")} == {1}


def test_evaluation_that_was_never_measured_is_refused(kept: Path) -> None:
    told = refused("--rounds", "6", "--set", "evaluate.full.at=[0, 2, last]")
    assert "pocket-easy/t0 was not evaluated at round 2 and its weights are not kept" in told


def test_fewer_rounds_are_refused(kept: Path) -> None:
    assert "2 rounds, and the sweep last started with 3; expected at least 3" in refused(
        "--rounds", "2"
    )


def test_sweep_that_never_started_is_refused(folder: Path) -> None:
    told = refused("--rounds", "6")
    assert "never started" in told
    assert "--set rounds=6" in told


def test_other_stack_is_refused_unless_it_is_accepted(kept: Path) -> None:
    for manifest in Path("runs/train").glob("*/state/*/manifest.json"):
        data = json.loads(manifest.read_text())
        data["state"]["conditions"]["grader"] = "0"
        manifest.write_text(json.dumps(data))
    told = refused("--rounds", "6", "--on", "keeps")
    assert "written under other conditions: grader" in told
    extend(6, "--across-stacks")


def test_missing_journal_is_no_traceback(kept: Path) -> None:
    shutil.rmtree(next(Path("runs/train").glob("pocket-llama.box*")) / "state")
    assert "its optimiser was not kept" in refused("--rounds", "6", "--on", "keeps")
