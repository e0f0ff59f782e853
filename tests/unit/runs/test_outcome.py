from tests.support.made_up_sweep import make_sweep, write_trial
from zoo.runs import outcome
from zoo.runs.outcome import completions, load, measurements
from zoo.store import journal


def small(tmp_path, **changes):
    given = {"models": ("pocket-llama",), "rewards": ("correctness",), "data": ("pocket-easy",)}
    given |= {"benchmarks": ("pocket-easy",), "rounds": 4, "problems": 20}
    return make_sweep(tmp_path, **(given | changes))


def test_a_trial_that_never_ran_is_missing(tmp_path):
    sweep = small(tmp_path)
    found = load(sweep.trials[0], sweep.store)
    assert (found.state, found.lineage, found.reached) == ("missing", 0, 0)


def test_a_finished_trial_with_all_evaluations_is_done(tmp_path):
    sweep = small(tmp_path).run()
    found = load(sweep.trials[0], sweep.store)
    assert (found.state, found.lineage, found.reached) == ("done", 1, 4)
    assert list(found.rounds) == [0, 1, 2, 3, 4]
    assert not any(name.startswith("eval/") for m in found.rounds.values() for name in m)


def test_a_finished_training_without_an_evaluation_is_incomplete(tmp_path):
    sweep = small(tmp_path).run()
    index = sweep.store.train(sweep.trials[0].id) / "evals.jsonl"
    rows = journal.read(index)
    index.unlink()
    for row in rows[:-1]:
        journal.append(index, row)
    assert load(sweep.trials[0], sweep.store).state == "incomplete"


def test_of_several_lineages_the_newest_counts_but_the_base_model_is_shared(tmp_path):
    sweep = small(tmp_path)
    trial = sweep.trials[0]
    write_trial(sweep, trial, attempt=1, stop_after=3, state=None)
    write_trial(sweep, trial, attempt=2, stop_after=1, state=None)
    found = load(trial, sweep.store)
    assert (found.state, found.lineage, found.reached) == ("unfinished", 2, 1)
    assert {m.round for m in found.measured} == {0}


def test_a_record_of_an_earlier_attempt_does_not_speak_for_the_one_that_runs(tmp_path):
    sweep = small(tmp_path)
    trial = sweep.trials[0]
    write_trial(sweep, trial, attempt=1, stop_after=3, state="failed", failure_class="oom")
    assert load(trial, sweep.store).state == "failed"
    write_trial(sweep, trial, attempt=2, stop_after=1, state=None)
    assert load(trial, sweep.store).state == "unfinished"


def test_values_that_are_not_finite_numbers_are_left_out():
    row = {"attempt": 1, "round": 0, "benchmark": "b", "decoding": "t0", "problems": None}
    row |= {"samples": "s", "scores": "c", "n": 3}
    old = {"metrics": {"eval/b/acc/t0": 0.5, "eval/b/mean_terminated_length/t0": None}}
    assert measurements([row | old])[0].values == {"acc": 0.5}
    new = {"values": {"acc": 0.5, "mean_terminated_length": None}}
    assert measurements([row | new])[0].values == {"acc": 0.5}
    assert outcome.finite({"a": float("nan"), "b": float("inf"), "c": "x", "d": 1}) == {"d": 1.0}


def test_completions_come_in_order_with_their_verdicts_and_none_where_files_are_gone(tmp_path):
    sweep = small(tmp_path).run()
    measured = load(sweep.trials[0], sweep.store).measured[0]
    read = completions(sweep.store, measured, 3)
    assert [c.id for c in read] == ["p0000", "p0001", "p0002"]
    assert {c.verdict for c in read} <= {"correct", "wrong", "no_answer"}
    path = sweep.store.folder("samples", measured.sample_id) / "completions.parquet"
    path.unlink()
    assert completions(sweep.store, measured, 3) == []


def test_of_scores_of_the_same_samples_the_later_count_and_the_replaced_are_counted(tmp_path):
    sweep = small(tmp_path).run()
    (trial,) = sweep.trials
    index = sweep.store.train(trial.id) / "evals.jsonl"
    assert load(trial, sweep.store).regraded == 0
    row = journal.read(index)[-1]
    journal.append(index, row | {"scores": "again", "grader": "newer"})
    found = load(trial, sweep.store)
    assert found.regraded == 1
    (last,) = [m for m in found.measured if m.score_id == "again"]
    assert (last.sample_id, last.grader, found.state) == (row["samples"], "newer", "done")
    assert len(found.measured) == len(load(trial, sweep.store).measured)


def test_benchmarks_that_share_samples_replace_no_scores_of_each_other(tmp_path):
    sweep = small(tmp_path).run()
    (trial,) = sweep.trials
    index = sweep.store.train(trial.id) / "evals.jsonl"
    row = journal.read(index)[-1]
    journal.append(index, row | {"benchmark": "other", "scores": "by another policy"})
    assert load(trial, sweep.store).regraded == 0


def test_lines_under_another_key_do_not_replace_each_other():
    row = {"attempt": 1, "round": 0, "benchmark": "b", "decoding": "t0", "problems": None}
    row |= {"samples": "s", "scores": "c", "n": 3}
    rows = [row | {"key": key, "values": {"acc": acc}} for key, acc in (("one", 0.1), ("two", 0.2))]
    found = measurements([*rows, rows[0] | {"values": {"acc": 0.3}, "seed_rule": "2"}])
    assert [(m.key, m.values["acc"], m.seed_rule) for m in found] == [
        ("one", 0.3, "2"),
        ("two", 0.2, ""),
    ]
