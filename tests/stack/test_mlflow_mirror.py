"""The MLflow mirror against a real MLflow on sqlite."""

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.support.made_up_sweep import make_sweep, write_trial
from zoo.errors import InputError
from zoo.findings.collect import collect
from zoo.findings.view import table_rows
from zoo.runs.outcome import values_of
from zoo.store import journal
from zoo.store.run_store import Store, claim, write_json
from zoo.track.backend import connect
from zoo.track.client import MlflowMirror
from zoo.track.ui import experiment_path, serve


@pytest.fixture
def sweep(tmp_path, empty_database, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "runs").mkdir()
    shutil.copy(empty_database, tmp_path / "runs" / "mlflow.db")
    return make_sweep(
        tmp_path,
        models=("pocket-llama",),
        rewards=("correctness", "box-strict"),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        rounds=3,
        problems=8,
    )


def mirror(sweep):
    return MlflowMirror(sweep.store, sweep.experiment, sweep.trials)


def push(sweep, ok=True, report=None):
    made = mirror(sweep)
    assert made.begin(), made.problem
    assert made.sync(), made.problem
    assert made.finish(ok, report), made.problem
    return made


def runs(sweep):
    """Trial id (or `sweep`) -> run, of the active runs."""
    client = connect(sweep.store, sweep.store.mlflow_uri)
    experiment = client.get_experiment_by_name(sweep.experiment.name)
    found = client.search_runs([experiment.experiment_id])
    keyed = {run.data.tags.get("zoo.trial", "sweep"): run for run in found}
    assert len(keyed) == len(found)
    return keyed


def counts(sweep):
    tables = ("metrics", "latest_metrics", "params", "tags", "runs")
    with closing(sqlite3.connect(sweep.store.root / "mlflow.db")) as database:
        return [database.execute(f"select count(*) from {t}").fetchone()[0] for t in tables]


def history(sweep, run, name):
    client = connect(sweep.store, sweep.store.mlflow_uri)
    return {m.step: m.value for m in client.get_metric_history(run.info.run_id, name)}


def test_what_is_pushed_twice_is_stored_once(sweep):
    sweep.run()
    push(sweep)
    once = counts(sweep)
    push(sweep)
    assert counts(sweep) == once
    found = runs(sweep)
    assert len(found) == 3
    for run in found.values():  # even where nobody remembers what was sent
        client = connect(sweep.store, sweep.store.mlflow_uri)
        client.set_tag(run.info.run_id, "zoo.mark", "forgotten")
    push(sweep)
    assert counts(sweep)[:3] == once[:3]


def test_finish_reads_no_trial_whose_last_state_was_sent(sweep):
    sweep.run()
    made = mirror(sweep)
    assert made.begin(), made.problem
    for trial in sweep.trials:
        file = sweep.store.train(trial.id) / "record.json"
        before = file.stat()
        file.write_text("?" * before.st_size)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert made.finish(True), made.problem
    assert {run.info.status for run in runs(sweep).values()} == {"FINISHED"}


def test_a_child_has_parent_axes_metrics_and_artifacts(sweep, tmp_path):
    sweep.run()
    report = tmp_path / "report.html"
    report.write_text("<p>report</p>")
    made = push(sweep, report=report)
    found = runs(sweep)
    parent, child = found["sweep"], found[sweep.trials[1].id]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.info.run_name == "pocket-llama.box-strict.pocket-easy"
    assert child.data.params["reward"] == "box-strict"
    assert child.data.tags["zoo.axis.reward"] == "box-strict"
    assert sorted(history(sweep, child, "train/reward")) == [1, 2, 3]
    assert sorted(history(sweep, child, "eval/pocket-easy/acc/t0")) == [0, 3]
    client = connect(sweep.store, sweep.store.mlflow_uri)
    kept = {file.path for file in client.list_artifacts(child.info.run_id)}
    assert kept == {"trial.json", "completions.json"}
    assert [f.path for f in client.list_artifacts(parent.info.run_id)] == ["report.html"]
    assert "Predicted before the run" in parent.data.tags["mlflow.note.content"]
    table = client.download_artifacts(child.info.run_id, "completions.json", str(tmp_path))
    with open(table) as stream:
        assert len(json.load(stream)["data"]) == 8
    path = experiment_path(sweep.store, made.uri, sweep.experiment.name)
    assert path.startswith("/#/experiments/")
    assert experiment_path(sweep.store, made.uri, "no-such-sweep") == ""


def test_statuses_follow_the_records(sweep):
    first, second = sweep.trials
    write_trial(sweep, first, stop_after=1, state="failed", failure_class="oom", message="boom")
    push(sweep, ok=False)
    found = runs(sweep)
    assert found[first.id].info.status == "FAILED"
    assert found[first.id].data.tags["zoo.failure_class"] == "oom"
    assert found[second.id].info.status == "SCHEDULED"
    assert found["sweep"].info.status == "FAILED"


def test_an_interrupted_sweep_leaves_nothing_running(sweep):
    first, second = sweep.trials
    made = mirror(sweep)
    assert made.begin(), made.problem
    write_trial(sweep, first, stop_after=1, state=None)
    write_trial(sweep, second, stop_after=1, state="preempted", failure_class="interrupted")
    assert made.sync(), made.problem
    assert runs(sweep)[first.id].info.status == "RUNNING"
    assert made.finish(None), made.problem
    assert {run.info.status for run in runs(sweep).values()} == {"KILLED"}


def test_runs_that_a_killed_driver_left_running_are_put_right_at_the_next_start(sweep):
    first, second = sweep.trials
    made = mirror(sweep)
    assert made.begin(), made.problem
    write_trial(sweep, first, stop_after=1, state=None)
    write_trial(sweep, second, stop_after=1, state=None)
    assert made.sync(), made.problem
    made.close()  # as where the driver is gone
    sweep.trials.remove(second)  # and the manifest has changed
    again = mirror(sweep)
    assert again.begin(), again.problem
    assert {t: r.info.status for t, r in runs(sweep).items()} == {
        "sweep": "RUNNING",
        first.id: "KILLED",
        second.id: "KILLED",
    }


def test_sync_beside_a_bare_sweep_leaves_its_trials_running(sweep):
    first, second = sweep.trials
    write_trial(sweep, first, stop_after=1, state=None)
    write_trial(sweep, second, stop_after=1, state=None)
    with claim(sweep.store.train(first.id)):
        made = mirror(sweep)
        assert made.sync(), made.problem
        made.close()
        assert {t: r.info.status for t, r in runs(sweep).items()} == {
            "sweep": "RUNNING",
            first.id: "RUNNING",
            second.id: "KILLED",
        }
    assert mirror(sweep).finish(None)
    assert {run.info.status for run in runs(sweep).values()} == {"KILLED"}


def test_a_live_trial_is_pushed_as_it_grows(sweep):
    trial = sweep.trials[0]
    made = mirror(sweep)
    assert made.begin(), made.problem
    run_id = runs(sweep)[trial.id].info.run_id
    write_trial(sweep, trial, stop_after=1, state=None)
    assert made.sync(), made.problem
    assert sorted(history(sweep, runs(sweep)[trial.id], "train/reward")) == [1]
    shutil.rmtree(sweep.store.train(trial.id))
    write_trial(sweep, trial)
    assert made.sync(), made.problem
    run = runs(sweep)[trial.id]
    assert run.info.run_id == run_id
    assert run.info.status == "FINISHED"
    assert sorted(history(sweep, run, "train/reward")) == [1, 2, 3]


def test_rounds_that_a_dead_launch_reached_are_in_no_curve_of_the_one_that_continued(sweep):
    trial = sweep.trials[0]
    write_trial(sweep, trial, stop_after=2, state=None)
    push(sweep, ok=False)
    before = runs(sweep)[trial.id]
    assert sorted(history(sweep, before, "train/reward")) == [1, 2]
    path = sweep.store.train(trial.id) / "metrics.jsonl"
    row = journal.read(path)[-1]
    said = {"attempt": 2, "lineage": 1, "time": row["time"] + 9}
    journal.append(path, row | said)  # it continued after round 1
    push(sweep, ok=False)
    after = runs(sweep)[trial.id]
    assert after.info.run_id != before.info.run_id
    client = connect(sweep.store, sweep.store.mlflow_uri)
    points = client.get_metric_history(after.info.run_id, "train/reward")
    assert [point.step for point in points] == [1, 2]
    assert client.get_run(before.info.run_id).info.lifecycle_stage == "deleted"


def test_a_second_attempt_gets_a_run_of_its_own_and_the_first_goes_to_the_trash(sweep):
    trial = sweep.trials[0]
    write_trial(sweep, trial, stop_after=2, state="failed", failure_class="error")
    push(sweep, ok=False)
    before = runs(sweep)[trial.id]
    made = mirror(sweep)
    assert made.begin(), made.problem
    (sweep.store.train(trial.id) / "record.json").unlink()
    write_trial(sweep, trial, attempt=2, stop_after=1, state=None)
    assert made.sync(), made.problem
    after = runs(sweep)[trial.id]
    assert after.info.run_id != before.info.run_id
    assert after.data.tags["zoo.attempt"] == "2"
    assert sorted(history(sweep, after, "train/reward")) == [1]
    client = connect(sweep.store, sweep.store.mlflow_uri)
    old = client.get_run(before.info.run_id)
    assert (old.info.lifecycle_stage, old.info.status) == ("deleted", "FAILED")
    assert old.data.tags["zoo.superseded_by"] == after.info.run_id


def test_a_trial_that_was_graded_again_gets_a_run_of_its_own_with_the_new_numbers(sweep):
    sweep.run()
    push(sweep)
    trial, name = sweep.trials[0], "eval/pocket-easy/acc/t0"
    before, other = (runs(sweep)[t.id] for t in sweep.trials)
    index = sweep.store.train(trial.id) / "evals.jsonl"
    (row,) = [r for r in journal.read(index) if (r["round"], r["decoding"]) == (3, "t0")]
    values = values_of(row) | {"acc": 0.0}  # less than before, so not merely the larger of two
    journal.append(index, row | {"scores": "again", "grader": "newer", "values": values})
    push(sweep)
    after = runs(sweep)[trial.id]
    assert (before.data.metrics[name] > 0, after.data.metrics[name]) == (True, 0.0)
    assert after.info.run_id != before.info.run_id
    assert runs(sweep)[sweep.trials[1].id].info.run_id == other.info.run_id
    assert after.info.status == "FINISHED"
    stored = counts(sweep)
    push(sweep)
    assert counts(sweep) == stored


def test_series_that_are_other_sets_now_get_a_run_of_their_own(sweep):
    sweep.run()
    push(sweep)
    trial, name = sweep.trials[0], "eval/pocket-easy/acc/t0"
    before = runs(sweep)[trial.id]
    moved = tuple(e.model_copy(update={"series": "watch"}) for e in trial.evaluations)
    sweep.trials[0] = trial.model_copy(update={"evaluations": moved})
    push(sweep)
    after = runs(sweep)[trial.id]
    assert after.info.run_id != before.info.run_id
    assert name in before.data.metrics
    assert name not in after.data.metrics
    assert "watch/pocket-easy/acc/t0" in after.data.metrics


def test_a_broken_journal_or_a_dead_mlflow_raises_nothing_and_stops_no_other_trial(sweep):
    first, second = sweep.trials
    sweep.run()
    (sweep.store.train(first.id) / "metrics.jsonl").write_text("{broken\n{}\n")
    made = mirror(sweep)
    assert not made.begin()
    assert made.problem is not None
    assert "metrics.jsonl:1" in made.problem
    assert runs(sweep)[second.id].info.status == "FINISHED"
    made.close()
    write_json(sweep.store.root / "file", {})
    dead = MlflowMirror(
        sweep.store, sweep.experiment, sweep.trials, "sqlite:////proc/nowhere/mlflow.db"
    )
    assert (dead.begin(), dead.sync(), dead.finish(True)) == (False, False, False)
    assert dead.problem


def test_the_store_is_in_wal_mode(sweep):
    with closing(sqlite3.connect(sweep.store.root / "mlflow.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_serving_needs_a_store_that_is_there(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match="no sweep has been recorded yet"):
        serve(Store(tmp_path), 5000)


def test_sweep_that_another_process_copies_is_left_to_it(sweep):
    sweep.run()
    first, second = mirror(sweep), mirror(sweep)
    assert first.begin(), first.problem
    assert not second.finish(True)
    assert "another process copies 'made-up' to MLflow" in second.problem
    assert first.finish(True), first.problem
    assert second.finish(True), second.problem
    assert len(runs(sweep)) == 3


def test_headline_table_of_mlflow_is_that_of_the_run_folders(sweep):
    sweep.run()
    push(sweep)
    results = collect(sweep.experiment, sweep.trials, sweep.store)
    found = runs(sweep)
    for row in table_rows(results):
        metrics = found[row.found.trial.id].data.metrics
        for evaluation, cell in zip(results.headline, row.cells, strict=True):
            name = f"final/{evaluation.benchmark.name} {evaluation.decoding_name}"
            shown = (metrics[name], metrics[f"{name} gain"], metrics[f"{name} mean_length"])
            wanted = (cell.after, cell.gain, cell.length.rpartition(" ")[2])
            gain = f"{shown[1]:+.1f}".replace("-", "\N{MINUS SIGN}")
            assert (f"{shown[0]:.1f}", gain, f"{shown[2]:.0f}") == wanted
    answer = results.answer
    for mean in answer.cells:
        same = [
            found[t.id].data.metrics["final/pocket-easy t1.0"]
            for t in sweep.trials
            if t.cell == mean.cell
        ]
        assert sum(same) / len(same) == pytest.approx(mean.mean, abs=1e-3)


def test_checkpoints_are_models_linked_to_runs_and_data_sets_and_made_once(sweep):
    sweep.run()
    push(sweep)
    client = connect(sweep.store, sweep.store.mlflow_uri)
    experiment = client.get_experiment_by_name(sweep.experiment.name)

    def models():
        found = client.search_logged_models([experiment.experiment_id])
        return {model.tags["zoo.checkpoint"]: model for model in found}

    made = models()
    roles = sorted(key.partition(":")[0] for key in made)
    assert roles == ["base", "final", "final"]
    assert {str(model.status) for model in made.values()} == {"READY"}
    for trial in sweep.trials:
        run = client.get_run(runs(sweep)[trial.id].info.run_id)
        (output,) = run.outputs.model_outputs
        final = client.get_logged_model(output.model_id)
        assert final.source_run_id == run.info.run_id
        assert final.params["reward"] == trial.reward.name
        assert len(run.inputs.model_inputs) == 1
        known = {(m.key, m.dataset_name): m.value for m in final.metrics}
        name = "final/pocket-easy t1.0"
        assert known[name, "pocket-easy"] == run.data.metrics[name]
        used = {(d.dataset.name, tag.value) for d in run.inputs.dataset_inputs for tag in d.tags}
        assert ("pocket-easy", "training") in used
    client.delete_tag(run.info.run_id, "zoo.mark")  # as where its answer was lost
    push(sweep)
    again = models()
    assert {key: model.model_id for key, model in again.items()} == {
        key: model.model_id for key, model in made.items()
    }
    run = client.get_run(run.info.run_id)
    assert (len(run.outputs.model_outputs), len(run.inputs.model_inputs)) == (1, 1)


def test_duration_of_a_run_is_the_time_that_was_worked_on_it(sweep):
    made = mirror(sweep)
    assert made.begin(), made.problem  # the runs are there long before the trials end
    sweep.run()
    assert made.finish(True), made.problem
    for trial in sweep.trials:
        info = runs(sweep)[trial.id].info
        assert info.end_time - info.start_time == round(1000 * 4.25 * trial.rounds)


def test_runs_of_an_earlier_version_get_what_they_lack_and_no_second_run(sweep):
    sweep.run()
    push(sweep)
    before = runs(sweep)
    client = connect(sweep.store, sweep.store.mlflow_uri)
    trial = sweep.trials[0]
    for tag in ("zoo.pages", "zoo.cell_label"):
        client.delete_tag(before[trial.id].info.run_id, tag)
    push(sweep)
    after = runs(sweep)[trial.id]
    assert after.info.run_id == before[trial.id].info.run_id
    assert after.data.to_dictionary() == before[trial.id].data.to_dictionary()
