"""One number a round and metric, averages and final numbers, of simulated trials."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.support import simulated
from zoo.catalog import Catalog
from zoo.data import LocalResolver
from zoo.findings.collect import collect
from zoo.launching.task import write_task
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.report.page import csv_text
from zoo.runs import outcome
from zoo.runs.finals import all_numbers, averages, finals, numbers
from zoo.runs.outcome import Outcome, completions, values_of
from zoo.store import journal
from zoo.track import payload
from zoo.track.shared_view import view_state
from zoo.train.entry import run
from zoo.trials.metrics import Series, metrics_of

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


def test_a_name_has_the_numbers_of_one_set_of_problems_and_samples(
    sweep: simulated.Sweep, found: Outcome
) -> None:
    known = numbers(found.trial.evaluations, found.measured)

    def sizes(name: str) -> dict[int, int | None]:
        return {round_: number.n for (round_, of), number in known.items() if of == name}

    assert sizes("eval/pocket-easy/acc/t1.0") == {0: 8, 3: 8}
    assert sizes("watch/pocket-easy/acc/t1.0") == {0: 4, 1: 4, 2: 4, 3: 4}
    assert sizes("often/pocket-easy/acc/t1.0") == {0: 20, 3: 20}
    assert sizes("often/pocket-easy/acc/t0") == {0: 5, 3: 5}
    (row,) = [r for r in indexed(sweep, 3, 4) if r["benchmark"] == "pocket-easy"]
    number = known[3, "often/pocket-easy/acc/t1.0"]
    assert number.value == values_of(row)["acc"]


def test_an_average_is_the_plain_mean_of_its_parts_and_counts_all_their_responses(
    found: Outcome,
) -> None:
    known, metrics = numbers(found.trial.evaluations, found.measured), metrics_of([found.trial])
    made = averages(known, metrics.values())
    for name in ("often/avg2/pass4/t1.0", "eval/avg2/acc/t0", "eval/avg2/mean_length/t1.0"):
        parts = [known[3, part] for part in metrics[name].parts]
        assert made[3, name].value == pytest.approx(fmean(part.value for part in parts))
        assert made[3, name].n == sum(part.n or 0 for part in parts)
    assert {round_ for round_, _ in made} == {0, 3}  # the watch has one benchmark


def test_results_csv_has_every_final_metric_that_was_announced(
    sweep: simulated.Sweep, found: Outcome
) -> None:
    results = collect(sweep.manifest.experiment, sweep.trials, sweep.store)
    read = list(csv.DictReader(io.StringIO(csv_text(results))))
    keys = [(int(row["round"]), row["metric"]) for row in read]
    assert len(set(keys)) == len(keys)
    metrics = metrics_of(sweep.trials)
    wanted = {m.name for m in metrics.values() if m.final and m.evaluations}
    lacking = wanted - {row["metric"] for row in read if row["role"] == "final"}
    # a length may have no case, and simulated answers are not audited
    lengths = ("terminated", "right_length", "wrong_length", "audit")
    assert not [name for name in lacking if not any(word in name for word in lengths)]
    (row,) = [r for r in read if r["metric"] == "eval/avg2/acc/t1.0" and r["round"] == "3"]
    assert row["n"] == "16"
    made = finals(found.trial, all_numbers(found.trial, found.measured))
    assert float(row["value"]) == pytest.approx(made["eval/avg2/acc/t1.0"].value)


def test_mlflow_gets_the_same_numbers(found: Outcome) -> None:
    points = {(p.step, p.name): p.value for p in payload.points(found)}
    known = all_numbers(found.trial, found.measured)
    assert {key: points[key] for key in known} == {key: n.value for key, n in known.items()}
    more = {name for _, name in points.keys() - known.keys()}
    assert {name for name in more if name.startswith("train/")} == set(found.rounds[3])
    assert {name.partition("/")[0] for name in more} == {"train", "final", "system", "time"}


def test_an_average_is_not_sent_before_all_of_its_parts_are_measured(found: Outcome) -> None:
    few = tuple(m for m in found.measured if (m.benchmark, m.decoding) != ("pocket-hard", "t1.0"))
    names = {p.name for p in payload.points(replace(found, measured=few)) if p.step == 3}
    assert "eval/avg2/acc/t1.0" not in names
    assert "eval/avg2/acc/t0" in names


def test_a_watch_and_a_full_of_the_same_problems_give_one_final_number(tmp_path: Path) -> None:
    """Eight problems, once for the watch and four times for what is compared."""
    watch = "  watch: {benchmarks: [pocket-easy], problems: 8, samples: 1, every: 1}\n"
    made = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness", more=watch)
    path = tmp_path / "tiny.yaml"
    path.write_text(path.read_text().replace("  full: {", "  full: {samples: 4, "))
    manifest = load(path)
    trials = expand(manifest, Catalog(), LocalResolver())
    made = replace(made, manifest=manifest, trials=trials)
    (task,) = made.tasks()
    assert run(write_task(task)) == 0
    found = outcome.load(trials[0], made.store)
    results = collect(manifest.experiment, trials, made.store)
    e = next(e for e in results.headline if e.decoding_name == "t1.0")
    side = results.contrast(results.outcomes[0], e).after
    assert side is not None
    read = list(csv.DictReader(io.StringIO(csv_text(results))))
    (row,) = [r for r in read if (r["metric"], r["role"]) == ("eval/pocket-easy/acc/t1.0", "final")]
    sent = {(p.name, p.step): p.value for p in payload.points(found)}
    (metric,) = [m for m in metrics_of(trials).values() if m.name == "eval/pocket-easy/acc/t1.0"]
    assert metric.final == Series((0, 3), (32,))
    assert (float(row["value"]), row["n"]) == (side.values["acc"], "32")
    assert side.n == 32
    assert sent["eval/pocket-easy/acc/t1.0", 3] == side.values["acc"]


def test_what_the_manifest_no_longer_asks_for_has_no_name(
    sweep: simulated.Sweep, found: Outcome
) -> None:
    few = tuple(e for e in found.trial.evaluations if e.series == "watch")
    (watch,) = [e.model_copy(update={"series": "eval"}) for e in few]
    known = numbers([watch], found.measured)
    assert {n.n for (_, name), n in known.items() if name == "eval/pocket-easy/acc/t1.0"} == {4}
    other = watch.model_copy(
        update={"decoding": watch.decoding.model_copy(update={"top_p": 0.5}), "digest": "d"}
    )
    assert numbers([other], found.measured) == {}  # the same names, drawn otherwise
    old = [replace(m, key="") for m in found.measured]
    assert numbers([other], old).keys() == known.keys()
    unpinned = other.model_copy(update={"digest": "unpinned"})
    assert numbers([unpinned], found.measured).keys() == known.keys()


def test_completions_are_the_first_of_each_problem(sweep: simulated.Sweep, found: Outcome) -> None:
    (often,) = [m for m in found.measured if m.asked == ("pocket-easy", "t1.0", 5, 4) and m.round]
    told = completions(sweep.store, often, 3)
    assert len({c.id for c in told}) == len(told) == 3
    assert all(c.verdict != "not graded" for c in told)


def test_the_view_shows_averages_first(sweep: simulated.Sweep) -> None:
    columns = view_state(sweep.trials)["selectedColumns"]
    average, easy = "metrics.`final/avg2 t1.0`", "metrics.`final/pocket-easy t1.0`"
    assert columns.index(average) < columns.index(easy)
