"""What a line of the manifest does to a trial: it stops or marks it, now and later."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.errors import InputError
from zoo.findings.collect import collect, rows
from zoo.findings.view import failures, state_words, stopped, summary
from zoo.judging.values import values_of
from zoo.launching import launch
from zoo.launching.task import Task, write_task
from zoo.report.terminal import table
from zoo.runs.outcome import load
from zoo.runs.sweep_status import TrialStatus, trial_status
from zoo.store import journal, record
from zoo.store.record import Record
from zoo.train.entry import run
from zoo.trials.metrics import metrics_of

WATCH = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 1, decodings: [t1.0]}\n"
ACC = "eval/pocket-easy/acc/t1.0"


def wire(text: str) -> str:
    return f"tripwires: [{{{text}}}]\n"


STOP = "metric: train/reward, below: 2, for: 3, then: stop"  # crossed at round 3, by any trial


def make(
    tmp_path: Path, more: str = wire(STOP), **settings: object
) -> tuple[Task, simulated.Sweep]:
    given = {"models": "pocket-llama", "rewards": "correctness", "rounds": 6} | settings
    sweep = simulated.make(tmp_path, more=more, **given)
    (task,) = sweep.tasks()
    return task, sweep


def saving(task: Task) -> Task:
    return replace(task, profile=task.profile.model_copy(update={"save_every": 1}))


def recorded(task: Task) -> Record:
    found = record.read(task.folder)
    assert found is not None
    return found


def status(sweep: simulated.Sweep, *, retrain: bool = False) -> TrialStatus:
    return trial_status(sweep.trials[0], sweep.store, retrain=retrain)


def measured(task: Task) -> list[tuple[int, str]]:
    index = journal.read(task.folder / "evals.jsonl")
    return sorted((row["round"], row["decoding"]) for row in index)


def final_rows(sweep: simulated.Sweep) -> set[int]:
    results = collect(sweep.manifest.experiment, sweep.trials, sweep.store)
    table = list(rows(results))
    name, role, round_ = (table[0].index(word) for word in ("metric", "role", "round"))
    return {row[round_] for row in table[1:] if row[role] == "final" and row[name] == ACC}


def test_stop_ends_training_after_so_many_rounds_and_measures_its_final_state(
    tmp_path: Path,
) -> None:
    task, sweep = make(tmp_path)
    assert run(write_task(task)) == 0
    found = recorded(task)
    assert (found.state, found.stop_reason, found.round) == ("stopped", "tripwire:train/reward", 3)
    assert found.final_round == 3
    assert found.message == "train/reward below 2 for 3 rounds, at round 3"
    assert [row["round"] for row in journal.read(task.folder / "metrics.jsonl")] == [0, 1, 2, 3]
    assert measured(task) == [(0, "t0"), (0, "t1.0"), (3, "t0"), (3, "t1.0")]
    assert sweep.store.checkpoint(task.trial.id, 3).is_dir()
    assert not (task.folder / "state").exists()
    told = status(sweep)
    assert (told.symbol, told.runs, told.retrainable) == ("=", False, False)
    assert told.why == "stopped at round 3/6 (tripwire:train/reward)"


@pytest.mark.parametrize(
    ("line", "round_"),
    [
        ("train/kl_base_policy, above: 0.1", 6),
        ("train/completions/mean_wrong_length, above: 0", 1),
        ("train/grade/groups/mixed/leveleasy, below: 2", 1),
        ("train/sampling/importance_sampling_ratio/frac_clipped, above: 0.001", 1),
    ],
)
def test_line_on_a_metric_of_the_round_stops_training(
    tmp_path: Path, line: str, round_: int
) -> None:
    watch = WATCH.replace("every: 1", "every: 3")
    task, _ = make(tmp_path, watch + wire(f"metric: {line}, then: stop"), rounds=9)
    assert run(write_task(task)) == 0
    assert (recorded(task).state, recorded(task).round) == ("stopped", round_)


def test_line_on_kl_to_the_base_without_watch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no round logs 'train/kl_base_policy'"):
        make(tmp_path, wire("metric: train/kl_base_policy, above: 1, then: stop"))


def test_stopped_trial_is_read_at_its_last_round_everywhere(tmp_path: Path) -> None:
    task, sweep = make(tmp_path)
    assert run(write_task(task)) == 0
    outcome, metrics = load(task.trial, sweep.store), metrics_of(sweep.trials)
    values = values_of(outcome, metrics)
    assert (values.ended, values.collapsed) == (True, True)
    assert values.final[ACC] == 100 * values.series[ACC][3]
    assert final_rows(sweep) == {3}
    results = collect(sweep.manifest.experiment, sweep.trials, sweep.store)
    contrast = results.contrast(outcome, results.headline[0])
    assert contrast.after is not None
    assert {m.round for m in contrast.after.sources} == {3}
    assert "stopped at round 3 of 6 (train/reward below 2 for 3 rounds)" in table(results)
    assert "; without the 1 that collapsed there is none." in summary(results)[0]
    (told,) = stopped(results)
    assert told["why"] == "stopped at round 3 of 6: train/reward below 2 for 3 rounds"
    assert told["label"].endswith("seed 0")
    assert failures(results) == []  # nothing is left to do


def test_stop_measures_once_what_is_due_at_that_round_anyway(tmp_path: Path) -> None:
    task, _ = make(tmp_path, WATCH + wire(STOP), problems=4)
    assert run(write_task(task)) == 0
    index = journal.read(task.folder / "evals.jsonl")
    keys = [(row["round"], row["key"]) for row in index]
    assert len(set(keys)) == len(keys)
    assert {row["round"] for row in index} == {0, 1, 2, 3}


def test_line_on_an_evaluation_stops_where_it_is_measured(tmp_path: Path) -> None:
    line = "metric: watch/pocket-easy/acc/t1.0, below: 1, for: 2, then: stop"
    task, sweep = make(tmp_path, WATCH + wire(line))
    assert run(write_task(task)) == 0
    assert (recorded(task).round, final_rows(sweep)) == (2, {2})
    index = journal.read(task.folder / "evals.jsonl")
    keys = [(row["round"], row["key"]) for row in index]
    assert len(set(keys)) == len(keys)


def test_line_crossed_at_the_last_round_leaves_the_trial_done_and_marked(tmp_path: Path) -> None:
    task, sweep = make(tmp_path, rounds=3)
    assert run(write_task(task)) == 0
    assert (recorded(task).state, recorded(task).stop_reason) == ("done", None)
    assert status(sweep).why == "3 rounds, crossed train/reward below 2 for 3 rounds, at round 3"


def test_rounds_beyond_a_line_survive_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, _ = make(tmp_path)
    monkeypatch.setenv("ZOO_SIMULATE", "fail:3")
    assert run(write_task(saving(task))) == 1
    monkeypatch.delenv("ZOO_SIMULATE")
    assert run(write_task(saving(task))) == 0
    found = recorded(task)
    assert (found.state, found.round, found.about["resumed_from"]) == ("stopped", 3, 2)


def test_rounds_of_a_dead_lineage_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, _ = make(tmp_path)
    monkeypatch.setenv("ZOO_SIMULATE", "fail:3")
    assert run(write_task(saving(task))) == 1
    monkeypatch.delenv("ZOO_SIMULATE")
    shutil.rmtree(task.folder / "state")
    assert run(write_task(task)) == 0
    assert (recorded(task).lineage, recorded(task).round) == (2, 3)


def test_stop_whose_line_was_loosened_is_stale_and_trained_again_if_asked(tmp_path: Path) -> None:
    task, _ = make(tmp_path)
    assert run(write_task(task)) == 0
    looser, sweep = make(tmp_path, wire(STOP.replace("for: 3", "for: 7")))
    assert looser.trial.id == task.trial.id
    told = status(sweep)
    assert (told.symbol, told.runs, told.retrainable) == ("~", False, True)
    assert told.why.startswith(
        "stopped at round 3/6 (tripwire:train/reward), which no line stops any more, needs training"
    )
    assert status(sweep, retrain=True).runs
    assert status(make(tmp_path, wire(STOP.replace("stop", "mark")))[1]).symbol == "~"
    assert status(make(tmp_path, "")[1]).symbol == "~"
    assert run(write_task(replace(looser, retrain=True))) == 0
    assert (recorded(looser).state, recorded(looser).round) == ("done", 6)


def test_finished_trial_that_crosses_a_new_line_is_marked_and_left_as_it_is(tmp_path: Path) -> None:
    task, _ = make(tmp_path, "")
    assert run(write_task(task)) == 0
    before = {p: p.read_bytes() for p in sorted(task.folder.rglob("*")) if p.is_file()}
    _, sweep = make(tmp_path)
    told = status(sweep)
    assert (told.symbol, told.runs) == ("=", False)
    assert told.why == "6 rounds, crossed train/reward below 2 for 3 rounds, at round 3"
    outcome = load(sweep.trials[0], sweep.store)
    assert state_words(outcome) == "done; crossed train/reward below 2 for 3 rounds, at round 3"
    assert values_of(outcome, metrics_of(sweep.trials)).collapsed
    assert final_rows(sweep) == {6}
    assert {p: p.read_bytes() for p in sorted(task.folder.rglob("*")) if p.is_file()} == before


def test_diverged_trial_counts_with_its_newest_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, sweep = make(tmp_path, "")
    monkeypatch.setenv("ZOO_SIMULATE", "diverge:4")
    ended = launch.run(saving(task), lambda: None)
    assert ended.state == "stopped"
    found = recorded(task)
    assert (found.stop_reason, found.round, found.final_round) == ("diverged", 3, 3)
    assert sweep.store.checkpoint(task.trial.id, 3).is_dir()
    assert measured(task)[2:] == [(3, "t0"), (3, "t1.0")]
    assert (status(sweep).symbol, final_rows(sweep)) == ("=", {3})


def test_diverged_trial_that_kept_no_checkpoint_counts_as_accuracy_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, sweep = make(tmp_path, "")
    monkeypatch.setenv("ZOO_SIMULATE", "diverge:1")
    assert run(write_task(task)) == 0
    assert recorded(task).final_round is None
    values = values_of(load(task.trial, sweep.store), metrics_of(sweep.trials))
    assert (values.final[ACC], values.collapsed) == (0.0, True)
    assert "eval/pocket-easy/mean_length/t1.0" not in values.final
    base = 100 * values.series[ACC][0]
    results = collect(sweep.manifest.experiment, sweep.trials, sweep.store)
    (told,) = [line for line in summary(results) if "temperature" in line]
    assert f"changed by \N{MINUS SIGN}{base:.1f} points in 1 of 1 trials; without the 1" in told


def test_weights_of_a_launch_that_died_before_its_record_are_replaced(
    tmp_path: Path,
) -> None:
    task, sweep = make(tmp_path)
    left = sweep.store.checkpoint(task.trial.id, 3) / "left"
    left.parent.mkdir(parents=True)
    left.write_text("of a launch that was killed after it kept them")
    assert run(write_task(task)) == 0
    assert recorded(task).state == "stopped"
    assert not left.exists()
