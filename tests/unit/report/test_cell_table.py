"""The table by cell and the CSV files of the answer, from written run folders."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from statistics import fmean

import pytest

from tests.support.made_up_sweep import Sweep, four_cells, write_trial
from tests.support.page import Page
from zoo.findings.answer_csv import cell_rows, claim_rows
from zoo.findings.collect import Results, collect
from zoo.judging.effects import cell_means
from zoo.report.cell_table import cell_table
from zoo.report.page import Rows, csv_text, html
from zoo.report.study_tables import study_tables
from zoo.stats.contrasts import StudyCells

ACC = "eval/pocket-easy/acc/t1.0"
LENGTH = "eval/pocket-easy/mean_length/t0"
CLAIMS = f"""\
claims:
  - id: gains
    says: Every model gains.
    kind: gain
    for_each: [model]
    metric: {ACC}
    expect: {{higher_by: 1}}
  - id: longer
    says: A strict box makes answers longer.
    compare: {{reward: [box-strict, correctness]}}
    metric: {LENGTH}
    expect: {{higher_by: 0}}
"""


def sweep(folder: Path, seeds: tuple[int, ...] = (0, 1, 2), extra: str = CLAIMS) -> Sweep:
    return four_cells(folder, seeds, extra)


def results(made: Sweep) -> Results:
    standing = {claim.id: "sealed" for claim in made.experiment.claims}
    return collect(made.experiment, made.trials, made.store, standing)


def table(found: Results, rows: Rows) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(found, rows))))


def finals(found: Results, model: str, reward: str) -> list[float]:
    """Final accuracies of a cell as fractions, from the side of its trials."""
    sides = [
        found.contrast(o, next(e for e in found.headline if e.metric("acc") == ACC)).after
        for o in found.outcomes
        if (o.trial.cell["model"], o.trial.cell["reward"]) == (model, reward)
    ]
    return [side.values["acc"] for side in sides if side]


def test_cell_table_has_means_with_intervals_over_seeds_and_gains(tmp_path: Path) -> None:
    found = results(sweep(tmp_path).run())
    shown = cell_table(found)
    assert [row.trials for row in shown.rows] == ["3"] * 4
    assert [row.first for row in shown.rows] == [0, 3, 6, 9]
    titles = [(title, [what for what, _ in whats]) for title, whats in shown.columns]
    assert titles == [("pocket-easy", ["mean_length, greedy", "temperature 1", "greedy"])]
    cells = {(r.axes[0], r.axes[1]): r.numbers[1] for r in shown.rows}
    values = {pair: [100 * v for v in finals(found, *pair)] for pair in cells}
    study = StudyCells(values)
    for pair, number in cells.items():
        estimate = study.estimate({pair: 1.0})
        assert estimate is not None
        low, high = estimate.interval()
        assert number.mean == f"{fmean(values[pair]):.1f}"
        assert number.spread.startswith(f" ± {(high - low) / 2:.1f}")
        assert number.gain.startswith("gain +")
    read = Page(html(found))
    first = next(iter(cells.values()))
    assert f"{first.mean} {first.spread.strip()} {first.gain} {first.base}" in read.text
    ids = {attrs.get("id") for _, attrs in read.tags}
    links = {str(attrs["href"])[1:] for tag, attrs in read.tags if tag == "a"}
    assert {"trial-0", "trial-3", "trial-6", "trial-9"} <= links <= ids
    assert "One trial a cell" not in read.text


def test_second_interval_of_a_cell_is_over_problems_as_well(tmp_path: Path) -> None:
    made = sweep(tmp_path).run()
    found = results(made)
    numbers = found.answer.numbers
    (mean, *_) = cell_means(numbers, ACC, numbers.cells, problems=True)
    first, row = cell_table(found).rows[0].numbers[1], table(found, cell_rows)
    for text, interval in (
        (first.spread, mean.problems_interval),
        (first.gain, mean.gain_problems_interval),
    ):
        assert interval is not None
        assert text.endswith(f" (± {(interval[1] - interval[0]) / 2:.1f})")
    acc = next(one for one in row if one["metric"] == ACC)
    assert mean.problems_interval is not None
    assert 100 * float(acc["problems_low"]) == pytest.approx(mean.problems_interval[0])
    words = "over problems as well, of which those of the benchmark are taken as a sample"
    assert words in Page(html(found)).text
    paper = next(t for t in study_tables(found, ()) if t.name.endswith("acc-t1.0"))
    assert paper.rows[0][paper.head.index("problems low")] == mean.problems_interval[0]
    assert cell_table(found).rows[0].numbers[0].spread.count("±") == 1  # of lengths there is none
    for path in made.store.root.glob("scores/**/scores.parquet"):
        path.unlink()
    found = results(made)
    assert "(±" not in cell_table(found).rows[0].numbers[1].spread
    assert words not in Page(html(found)).text


def test_gain_of_a_cell_is_what_a_gain_claim_about_it_says(tmp_path: Path) -> None:
    one_each = CLAIMS.replace("for_each: [model]", "for_each: [model, reward]")
    found = results(sweep(tmp_path, extra=one_each).run())
    rows = [row for row in table(found, cell_rows) if row["metric"] == ACC]
    judged = [v for v in found.answer.claims if v.claim.id == "gains"]
    assert len(rows) == len(judged) == 4
    for row, verdict in zip(rows, judged, strict=True):
        low, high = verdict.judged.plain
        assert 100 * float(row["gain"]) == pytest.approx(verdict.effect)
        assert 100 * float(row["gain_low"]) == pytest.approx(low)
        assert 100 * float(row["gain_high"]) == pytest.approx(high)


def test_one_seed_a_cell_has_its_value_no_interval_and_a_note(tmp_path: Path) -> None:
    found = results(sweep(tmp_path, seeds=(0,)).run())
    shown = cell_table(found)
    assert shown.one_seed
    (value,) = finals(found, "pocket-qwen2", "correctness")
    number = shown.rows[0].numbers[1]
    assert (number.mean, number.spread) == (f"{100 * value:.1f}", "")
    assert "±" not in number.gain
    assert "With one trial a cell there is no interval" in Page(html(found)).text
    assert {row["low"] for row in table(found, cell_rows)} == {""}


def test_collapsed_and_unfinished_trials_are_counted_beside_the_mean(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    stopped, waiting, *others = made.trials
    made.run(others)
    write_trial(made, stopped, stop_after=2, state="stopped")
    found = results(made)
    row = cell_table(found).rows[0]
    assert row.trials == "2 of 3"
    assert row.collapsed == "1 of 2 collapsed (1 to 99 %)"
    assert row.numbers[1].mean == f"{100 * finals(found, 'pocket-qwen2', 'correctness')[0]:.1f}"
    text = Page(html(found)).text
    assert "2 of 3 1 of 2 collapsed (1 to 99 %)" in text
    assert waiting.id in text
    first = table(found, cell_rows)[0]
    assert (first["trials"], first["ended"], first["collapsed"], first["n"]) == ("3", "2", "1", "1")


def test_a_cell_without_a_number_says_why(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    for trial in made.trials[:3]:
        write_trial(made, trial, stop_after=2, state="stopped")
    shown = cell_table(results(made.run(made.trials[3:9])))
    assert shown.rows[0].numbers[1].note == "no number of a trial that did not collapse"
    assert shown.rows[3].numbers[1].note == "no number yet"
    assert shown.rows[3].trials == "0 of 3"


def test_claims_csv_has_a_row_for_each_verdict_in_fractions(tmp_path: Path) -> None:
    found = results(sweep(tmp_path).run())
    rows = table(found, claim_rows)
    assert [(row["id"], row["label"]) for row in rows] == [
        ("gains", "pocket-qwen2"),
        ("gains", "pocket-llama"),
        ("longer", ""),
    ]
    for row, verdict in zip(rows, found.answer.claims, strict=True):
        scale = 100 if verdict.unit == "points" else 1
        assert row["verdict"] == verdict.word
        assert scale * float(row["effect"]) == pytest.approx(verdict.effect)
        assert scale * float(row["high"]) == pytest.approx(verdict.judged.interval[1])
        assert row["standing"] == "sealed"
    assert [row["unit"] for row in rows] == ["fraction", "fraction", "tokens"]
    assert rows[0]["trials"] == "6"


def test_csv_files_of_a_study_without_claims_or_numbers_have_their_headers(tmp_path: Path) -> None:
    found = results(sweep(tmp_path, extra=""))
    assert table(found, claim_rows) == []
    assert {row["mean"] for row in table(found, cell_rows)} == {""}
