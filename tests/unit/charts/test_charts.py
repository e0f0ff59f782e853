"""Figures of the report: effects of axes and interactions as forest plots, curves with bands."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.support.made_up_sweep import Sweep, four_cells, write_trial
from tests.support.page import Page
from zoo.charts.curves import compared_axis, curve_figures
from zoo.charts.figures import as_csv, figures, write_figures
from zoo.charts.forest import effects_figure, interactions_figure
from zoo.figures.layout import Figure
from zoo.findings.collect import Results, collect
from zoo.findings.format import MINUS
from zoo.findings.interactions import interactions_of
from zoo.report.page import html, write

CLAIM = """\
claims:
  - id: box
    says: A strict box costs accuracy.
    compare: {reward: [box-strict, correctness]}
    metric: eval/pocket-easy/acc/t0
    expect: {lower_by: 0}
"""


def sweep(folder: Path, seeds: tuple[int, ...] = (0, 1, 2), extra: str = "") -> Sweep:
    return four_cells(folder, seeds, extra)


def results(made: Sweep) -> Results:
    return collect(made.experiment, made.trials, made.store)


def words(figure: Figure) -> str:
    """All texts of a figure's panels."""
    items = (item for row in figure.rows for panel in row for item in panel.scene.items)
    return " ".join(item.text for item in items if hasattr(item, "text"))


def areas(figure: Figure) -> list[int]:
    """How many bands each panel has."""
    return [
        sum(hasattr(item, "points") and not hasattr(item, "width") for item in panel.scene.items)
        for row in figure.rows
        for panel in row
    ]


def titles(figure: Figure) -> list[list[str]]:
    return [[panel.title for panel in row] for row in figure.rows]


def rows_of(figure: Figure) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(figure.table))))


def test_forest_has_a_panel_an_axis_and_the_effects_of_compare(tmp_path: Path) -> None:
    found = results(sweep(tmp_path, extra=CLAIM).run())
    drawn = effects_figure(found)
    assert drawn is not None
    assert titles(drawn) == [["model, less pocket-qwen2", "reward, less correctness"]]
    assert "eval/pocket-easy/acc/t0, in points" in drawn.caption
    assert "95 % intervals over training seeds" in drawn.caption
    for effect in found.answer.effects:
        assert effect.effect is not None
        assert effect.interval is not None
        low, high = effect.interval
        sign = "+" * (effect.effect > 0)
        told = f"{sign}{effect.effect:.1f} ({low:.1f} to {high:.1f}), 12 trials"
        assert told.replace("-", MINUS) in words(drawn)
        assert effect.value in words(drawn)


def test_forest_of_one_seed_has_points_and_says_that_there_are_no_intervals(tmp_path: Path) -> None:
    drawn = effects_figure(results(sweep(tmp_path, seeds=(0,)).run()))
    assert drawn is not None
    assert "One trial a cell, so no intervals." in drawn.caption
    assert " to " not in words(drawn)


def test_there_is_no_figure_before_there_are_numbers(tmp_path: Path) -> None:
    found = results(sweep(tmp_path))
    assert figures(found) == []
    assert "Figure 1" not in Page(html(found)).text


def test_interaction_effects_are_those_of_the_cells_and_differ_by_their_difference(
    tmp_path: Path,
) -> None:
    found = results(sweep(tmp_path, extra=CLAIM).run())
    made = [one for one in interactions_of(found) if one.axis == "reward"]
    assert [(one.within, one.level) for one in made] == [
        ("model", "pocket-qwen2"),
        ("model", "pocket-llama"),
    ]
    mean = {(c.cell["model"], c.cell["reward"]): c.mean for c in found.answer.cells}
    for one in made:
        strict, plain = (mean[one.level, reward] for reward in ("box-strict", "correctness"))
        assert one.effect == pytest.approx(strict - plain)
        assert one.interval is not None
        assert one.interval[0] < one.effect < one.interval[1]
    first, second = made
    assert first.difference is None
    assert second.difference == pytest.approx(second.effect - first.effect)
    assert second.difference_interval is not None
    wide = second.difference_interval[1] - second.difference_interval[0]
    assert wide > second.interval[1] - second.interval[0]


def test_interactions_figure_shows_the_compared_axis_within_each_level(tmp_path: Path) -> None:
    found = results(sweep(tmp_path, extra=CLAIM).run())
    drawn = interactions_figure(found, interactions_of(found))
    assert drawn is not None
    assert titles(drawn) == [["box-strict less correctness, within model"]]
    assert "pocket-qwen2" in words(drawn)
    assert "pocket-llama" in words(drawn)
    assert {row["axis"] for row in rows_of(drawn)} == {"model", "reward"}


def test_curves_of_several_seeds_are_compared_arms_with_bands_and_models_as_panels(
    tmp_path: Path,
) -> None:
    found = results(sweep(tmp_path, extra=CLAIM).run())
    assert compared_axis(found) == "reward"
    accuracy, training = curve_figures(found)
    assert [key.name for key in accuracy.keys] == ["correctness", "box-strict"]
    assert titles(accuracy) == [
        ["pocket-qwen2: accuracy", "pocket-llama: accuracy"],
        ["pocket-qwen2: response length", "pocket-llama: response length"],
        ["pocket-qwen2: boxed answers", "pocket-llama: boxed answers"],
    ]
    assert areas(accuracy) == [2] * 6
    assert "bands reach from the lowest seed to the highest" in accuracy.caption
    assert [row[0].title for row in training.rows] == [
        "pocket-qwen2: reward",
        "pocket-qwen2: clipped",
        "pocket-qwen2: entropy",
    ]


def test_drawn_accuracy_is_the_mean_over_seeds_of_one_metric_for_all_arms(tmp_path: Path) -> None:
    found = results(sweep(tmp_path, extra=CLAIM).run())
    rows = rows_of(curve_figures(found)[0])
    (metric,) = {row["metric"] for row in rows if "/acc" in row["metric"]}
    last = [row for row in rows if row["metric"] == metric and row["reward"] == "box-strict"]
    row = max((r for r in last if "qwen2" in r["panel"]), key=lambda r: int(r["round"]))
    values = [
        r.series[metric][int(row["round"])]
        for r in found.answer.numbers.results
        if r.trial.cell["model"] == "pocket-qwen2" and r.trial.cell["reward"] == "box-strict"
    ]
    assert float(row["mean"]) == pytest.approx(sum(values) / 3)
    assert float(row["lowest_seed"]) == min(values)
    assert float(row["highest_seed"]) == max(values)


def test_curves_of_single_seeds_have_no_band(tmp_path: Path) -> None:
    found = results(sweep(tmp_path, seeds=(0,), extra=CLAIM).run())
    accuracy = curve_figures(found)[0]
    assert set(areas(accuracy)) == {0}
    assert "bands" not in accuracy.caption


def test_a_trial_that_broke_off_is_a_line_of_its_own_and_not_in_the_band(tmp_path: Path) -> None:
    whole, broken = sweep(tmp_path / "a"), sweep(tmp_path / "b")
    whole.run()
    first, *others = broken.trials
    broken.run(others)
    write_trial(broken, first, stop_after=2, state="failed", failure_class="oom")
    one, other = (curve_figures(results(made))[-1] for made in (whole, broken))
    assert areas(one) == areas(other)
    assert "end in a cross" not in one.caption
    assert "end in a cross" in other.caption
    trials = {(row["panel"], row["reward"], row["trials"]) for row in rows_of(other)}
    assert {n for panel, arm, n in trials if "qwen2" in panel and arm == "correctness"} == {"2"}
    assert {n for panel, arm, n in trials if "llama" in panel} == {"3"}


def test_every_figure_is_numbered_in_the_page_and_has_its_files(tmp_path: Path) -> None:
    found = results(sweep(tmp_path / "a", extra=CLAIM).run())
    page = write(found, tmp_path / "out")
    drawn = figures(found)
    text = Page(page.read_text()).text
    numbers = [text.index(f"Figure {one.number}. {one.figure.title}.") for one in drawn]
    assert numbers == sorted(numbers)
    assert len(drawn) == 4
    folder = tmp_path / "out" / "report" / "figures"
    stems = [f"figure-{i}-{one.figure.name}" for i, one in enumerate(drawn, 1)]
    endings = ("csv", "pdf", "svg")
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        f"{stem}.{ending}" for stem in stems for ending in endings
    )
    write_figures(drawn[:1], tmp_path / "out")
    assert {p.name for p in folder.iterdir()} == {f"{stems[0]}.{ending}" for ending in endings}
