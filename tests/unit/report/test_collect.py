import csv
import io

import pytest

from tests.support.made_up_sweep import make_sweep
from zoo.findings.collect import Side, collect, rows
from zoo.report.page import csv_text
from zoo.report.terminal import table
from zoo.runs.outcome import MeasuredEvaluation
from zoo.store import journal


def results(sweep):
    return collect(sweep.experiment, sweep.trials, sweep.store)


def test_every_trial_is_in_the_results_whatever_became_of_it(mixed):
    found = results(mixed)
    assert [o.state for o in found.outcomes] == ["done", "failed", "unfinished", "missing"]
    assert found.counts == {"done": 1, "failed": 1, "unfinished": 1, "missing": 1}


def test_the_headline_is_the_full_schedule(mixed):
    names = [(e.benchmark.name, e.decoding_name, e.problems) for e in results(mixed).headline]
    benchmarks, decodings = ("pocket-easy", "pocket-hard"), ("t1.0", "t0")
    assert names == [(b, d, 20) for b in benchmarks for d in decodings]


def test_before_and_after_are_of_the_same_problems(mixed):
    found = results(mixed)
    done, failed, *_ = found.outcomes
    change = found.contrast(done, found.headline[0])
    assert change.before is not None
    assert change.after is not None
    assert change.before.n == change.after.n == change.after.scored == 20
    assert change.gain == pytest.approx(change.after.values["acc"] - change.before.values["acc"])
    broken = found.contrast(failed, found.headline[0])
    assert broken.before is not None
    assert broken.after is None
    assert broken.gain is None


def test_an_interval_counts_problems_and_not_responses_to_one():
    measured = MeasuredEvaluation(0, "aime24", "t1.0", 30, 32, 960, {"acc": 0.25}, "", "", "1")
    assert Side({"acc": 0.25}, n=960, scored=928, sources=(measured,)).problems == 29


def test_the_final_number_can_be_a_mean_over_the_last_evaluations(tmp_path):
    sweep = make_sweep(
        tmp_path,
        models=("pocket-llama",),
        rewards=("correctness",),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        rounds=10,
        problems=100,
        extra="final: mean-last-2\n",
    ).run()
    found = results(sweep)
    by_name = {e.decoding_name: found.contrast(found.outcomes[0], e) for e in found.headline}
    sampled = by_name["t1.0"].after
    assert sampled is not None
    assert [m.round for m in sampled.sources] == [5, 10]
    mean = sum(m.values["acc"] for m in sampled.sources) / 2
    assert sampled.values["acc"] == pytest.approx(mean)


def test_results_csv_is_tidy_and_has_one_value_a_trial_round_and_metric(mixed):
    read = list(csv.DictReader(io.StringIO(csv_text(results(mixed)))))
    head = ["trial", "model", "reward", "data", "seed", "round", "metric", "value", "n"]
    head.append("role")
    assert list(read[0]) == head
    keys = [(r["trial"], r["round"], r["metric"]) for r in read]
    assert len(set(keys)) == len(keys)
    final = [r for r in read if r["round"] == "4" and r["metric"] == "eval/pocket-easy/acc/t0"]
    assert [r["n"] for r in final] == ["20"]
    assert any(r["metric"] == "train/reward" and r["n"] == "128" for r in read)


def test_watch_and_full_of_other_sizes_are_two_series_and_roles_name_base_and_final(tmp_path):
    sweep = make_sweep(
        tmp_path,
        models=("pocket-llama",),
        rewards=("correctness",),
        data=("pocket-easy",),
        rounds=10,
        problems=300,
    ).run()
    found = list(rows(results(sweep)))

    def of(name):
        return [(row[-5], row[-2], row[-1]) for row in found if row[-4] == name]

    assert of("eval/pocket-easy/acc/t1.0") == [(0, 300, "base"), (10, 300, "final")]
    assert of("watch/pocket-easy/acc/t1.0") == [(0, 100, "base"), (5, 100, ""), (10, 100, "final")]
    assert of("eval/avg2/acc/t1.0") == [(0, 600, "base"), (10, 600, "final")]
    assert of("watch/avg2/acc/t1.0")[1] == (5, 200, "")
    assert [role for _, _, role in of("train/reward")] == [*[""] * 9, "final"]


def test_the_mean_over_the_rows_marked_final_is_the_reports_number(tmp_path):
    sweep = make_sweep(tmp_path, rounds=10, problems=100, extra="final: mean-last-2\n").run()
    found = results(sweep)
    for one in found.outcomes:
        for e in found.headline:
            name, side = e.metric("acc"), found.contrast(one, e).after
            marked = [
                row[-3]
                for row in rows(found)
                if (row[0], row[-4], row[-1]) == (one.trial.id, name, "final")
            ]
            assert side is not None
            assert len(marked) == len(side.sources) == (2 if e.decoding_name == "t1.0" else 1)
            assert sum(marked) / len(marked) == pytest.approx(side.values["acc"])


def test_a_final_number_is_not_made_of_fewer_rounds_than_the_plan_says(tmp_path):
    sweep = make_sweep(tmp_path, rounds=10, problems=100, extra="final: mean-last-2\n").run()
    trial = sweep.trials[0]
    index = sweep.store.train(trial.id) / "evals.jsonl"
    lines = journal.read(index)
    index.unlink()
    for line in lines:
        if (line["round"], line["benchmark"]) != (5, "pocket-easy"):
            journal.append(index, line)
    found = results(sweep)
    after = {e.metric("acc"): found.contrast(found.outcomes[0], e).after for e in found.headline}
    assert after["eval/pocket-easy/acc/t1.0"] is None
    assert after["eval/pocket-hard/acc/t1.0"] is not None


def test_the_text_table_has_a_row_a_trial_and_says_why_numbers_are_missing(mixed):
    text = table(results(mixed))
    assert text.count("pocket-qwen2") == 4  # two trials, two benchmarks
    assert "FAILED at round 2: oom" in text
    assert "UNFINISHED at round 1" in text
    assert "MISSING" in text
    assert text.endswith("4 trials: 1 done, 1 failed, 1 unfinished, 1 missing")
    assert max(map(len, text.splitlines())) < 140


def test_simulated_results_say_so_in_the_text_table(tmp_path):
    sweep = make_sweep(tmp_path, rounds=2, problems=10, extra="trainer: simulated\n")
    assert table(results(sweep)).startswith("SIMULATED")
