import csv
import io

import pytest
from made_up_sweep import make_sweep

from zoo.report.collect import Side, collect, rows
from zoo.report.render import csv_text
from zoo.report.text import table
from zoo.track.outcome import Measured


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
    measured = Measured(0, "aime24", "t1.0", 30, 32, 960, {"acc": 0.25}, "", "", "1")
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
    assert list(read[0]) == head
    keys = [(r["trial"], r["round"], r["metric"]) for r in read]
    assert len(set(keys)) == len(keys)
    final = [r for r in read if r["round"] == "4" and r["metric"] == "eval/pocket-easy/acc/t0"]
    assert [r["n"] for r in final] == ["20"]
    assert any(r["metric"] == "train/reward" and r["n"] == "128" for r in read)


def test_watch_and_full_at_one_round_give_the_row_with_the_most_problems(tmp_path):
    sweep = make_sweep(
        tmp_path,
        models=("pocket-llama",),
        rewards=("correctness",),
        data=("pocket-easy",),
        rounds=5,
        problems=300,
    ).run()
    name = "eval/pocket-easy/acc/t1.0"
    found = [row for row in rows(results(sweep)) if row[-3] == name]
    assert [(row[-4], row[-1]) for row in found] == [(0, 300), (5, 300)]


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
