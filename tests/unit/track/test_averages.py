"""One number a round and metric, and averages over benchmarks, of simulated trials."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest

from tests.support import simulated
from zoo.manifest.metrics import metrics_of
from zoo.orchestrate.launch import write_task
from zoo.report.collect import collect
from zoo.report.render import csv_text
from zoo.track import journal, mirrored, outcome
from zoo.track.averages import averages, numbers
from zoo.track.outcome import Outcome, completions
from zoo.train.entry import run

SCHEDULES = """\
  watch: {benchmarks: [pocket-easy], problems: 4, every: 1, decodings: [t1.0]}
  often: {benchmarks: [pocket-easy, pocket-hard], problems: 5, samples: 4, at: [0, last]}
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> simulated.Sweep:
    """A trial measured on two benchmarks: 8 problems once, 5 problems four times, 4 to watch."""
    made = simulated.make(
        tmp_path_factory.mktemp("averages"),
        models="pocket-qwen2",
        rewards="correctness",
        benchmarks="pocket-easy, pocket-hard",
        more=SCHEDULES,
    )
    (task,) = made.tasks()
    assert run(write_task(task)) == 0
    return made


@pytest.fixture
def found(sweep: simulated.Sweep) -> Outcome:
    return outcome.load(sweep.trials[0], sweep.store)


def indexed(sweep: simulated.Sweep, round_: int, each: int) -> Iterator[dict[str, Any]]:
    """Lines of the index."""
    path = sweep.store.train(sweep.trials[0].id) / "evals.jsonl"
    yield from (r for r in journal.read(path) if (r["round"], r["each"]) == (round_, each))


def test_evaluations_that_differ_in_samples_alone_are_two(found: Outcome) -> None:
    assert found.state == "done"
    at_end = [m for m in found.measured if m.round == 3 and m.decoding == "t1.0"]
    assert sorted((m.benchmark, m.problems, m.each) for m in at_end) == [
        ("pocket-easy", 4, 1),
        ("pocket-easy", 5, 4),
        ("pocket-easy", 8, 1),
        ("pocket-hard", 5, 4),
        ("pocket-hard", 8, 1),
    ]


def test_the_most_responses_give_a_shared_name_its_number(
    sweep: simulated.Sweep, found: Outcome
) -> None:
    known = numbers(found.measured)
    (row,) = [r for r in indexed(sweep, 3, 4) if r["benchmark"] == "pocket-easy" and r["n"] == 20]
    number = known[3, "eval/pocket-easy/acc/t1.0"]
    assert (number.value, number.n) == (row["values"]["acc"], 20)
    assert known[2, "eval/pocket-easy/acc/t1.0"].n == 4
    assert known[3, "eval/pocket-easy/acc/t0"].n == 8


def test_an_average_is_the_plain_mean_of_its_parts_and_counts_all_their_responses(
    found: Outcome,
) -> None:
    known, metrics = numbers(found.measured), metrics_of([found.trial])
    made = averages(known, metrics)
    for name in ("eval/avg2/pass4/t1.0", "eval/avg2/acc/t0", "eval/avg2/mean_length/t1.0"):
        parts = [known[3, part] for part in metrics[name].parts]
        assert made[3, name].value == pytest.approx(fmean(part.value for part in parts))
        assert made[3, name].n == sum(part.n for part in parts)
    assert {round_ for round_, _ in made} == {0, 3}  # the watch has one benchmark


def test_results_csv_has_every_final_metric_that_was_announced(
    sweep: simulated.Sweep, found: Outcome
) -> None:
    results = collect(sweep.manifest.experiment, sweep.trials, sweep.store)
    read = list(csv.DictReader(io.StringIO(csv_text(results))))
    keys = [(int(row["round"]), row["metric"]) for row in read]
    assert len(set(keys)) == len(keys)
    metrics = metrics_of(sweep.trials)
    wanted = {m.name for m in metrics.values() if m.final and m.name.startswith("eval/")}
    lacking = wanted - {name for round_, name in keys if round_ == 3}
    # a length may have no case, and simulated answers are not audited
    assert not [name for name in lacking if "terminated" not in name and "audit" not in name]
    (row,) = [r for r in read if r["metric"] == "eval/avg2/acc/t1.0" and r["round"] == "3"]
    assert row["n"] == "40"
    made = averages(numbers(found.measured), metrics)
    assert float(row["value"]) == pytest.approx(made[3, "eval/avg2/acc/t1.0"].value)


def test_mlflow_gets_the_same_numbers(found: Outcome) -> None:
    points = {(p.step, p.name): p.value for p in mirrored.points(found)}
    known = numbers(found.measured)
    for key, number in (known | averages(known, metrics_of([found.trial]))).items():
        if key != (1, "eval/pocket-easy/acc/t1.0"):
            assert points[key] == number.value


def test_an_average_is_not_sent_before_the_larger_measurement_that_is_still_to_come(
    found: Outcome,
) -> None:
    few = tuple(m for m in found.measured if m.each == 1)
    names = {p.name for p in mirrored.points(replace(found, measured=few)) if p.step == 3}
    assert "eval/avg2/acc/t1.0" not in names
    assert "eval/avg2/acc/t0" in names


def test_completions_are_the_first_of_each_problem(sweep: simulated.Sweep, found: Outcome) -> None:
    (often,) = [m for m in found.measured if m.asked == ("pocket-easy", "t1.0", 5, 4) and m.round]
    told = completions(sweep.store, often, 3)
    assert len({c.id for c in told}) == len(told) == 3
    assert all(c.verdict != "not graded" for c in told)


def test_the_view_shows_averages_first(sweep: simulated.Sweep) -> None:
    view = mirrored.view(tuple(sweep.trials))
    assert view.index("eval/avg2/acc/t1.0") < view.index("eval/pocket-easy/acc/t1.0")
