"""Figures of the page: effects of axes as a forest plot, curves with bands over seeds."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.made_up_sweep import Sweep, four_cells, write_trial
from tests.support.page import Page
from zoo.report.collect import Results, collect
from zoo.report.figures import across, arm_axis, figures, legend
from zoo.report.forest import forest
from zoo.report.page import html

BAND = re.compile(r"fill-opacity: 0\.18|opacity: 0\.18")
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


def test_forest_has_a_panel_an_axis_and_the_effects_of_compare(tmp_path: Path) -> None:
    found = results(sweep(tmp_path, extra=CLAIM).run())
    drawn = forest(found)
    assert drawn is not None
    assert [p.title for p in drawn.panels] == [
        "model, less pocket-qwen2",
        "reward, less correctness",
    ]
    assert "eval/pocket-easy/acc/t0, in points" in drawn.note
    assert "95 % intervals over training seeds" in drawn.note
    for effect, panel in zip(found.answer.effects, drawn.panels, strict=True):
        assert effect.effect is not None
        assert effect.interval is not None
        low, high = effect.interval
        sign = "+" * (effect.effect > 0)
        words = Page(panel.svg).text
        assert f"{sign}{effect.effect:.1f} ({low:.1f} to {high:.1f}), 12 trials" in words
        assert effect.value in words


def test_forest_of_one_seed_has_points_and_says_that_there_are_no_intervals(tmp_path: Path) -> None:
    drawn = forest(results(sweep(tmp_path, seeds=(0,)).run()))
    assert drawn is not None
    assert "There is one trial a cell, so that there are no intervals." in drawn.note
    assert " to " not in Page(drawn.panels[0].svg).text


def test_there_is_no_forest_before_there_are_numbers(tmp_path: Path) -> None:
    found = results(sweep(tmp_path))
    assert forest(found) is None
    assert "Figure 1" not in Page(html(found)).text


def test_curves_of_several_seeds_are_compared_arms_with_bands_and_models_as_panels(
    tmp_path: Path,
) -> None:
    found = results(sweep(tmp_path, extra=CLAIM).run())
    assert arm_axis(found) == "reward"
    assert [key.arm for key in legend(found)] == ["correctness", "box-strict"]
    reward = figures(found)[0]
    assert [panel.title for panel in reward.panels] == [
        "pocket-qwen2 · pocket-easy",
        "pocket-llama · pocket-easy",
    ]
    assert across(found) == 2
    assert all(len(BAND.findall(panel.svg)) == 2 for panel in reward.panels)
    assert "bands: from the lowest seed to the highest" in reward.note
    text = Page(html(found)).text
    assert re.findall(r"Figure \d\. (?:Final|Reward|Accuracy|Response)", text) == [
        "Figure 1. Final",
        "Figure 2. Reward",
        "Figure 3. Accuracy",
        "Figure 4. Response",
    ]


def test_curves_of_single_seeds_tell_models_apart_and_have_no_band(tmp_path: Path) -> None:
    found = results(sweep(tmp_path, seeds=(0,), extra=CLAIM).run())
    assert arm_axis(found) == "model"
    reward = figures(found)[0]
    assert [panel.title for panel in reward.panels] == [
        "pocket-easy · correctness",
        "pocket-easy · box-strict",
    ]
    assert not any(BAND.search(panel.svg) for panel in reward.panels)
    assert "bands" not in reward.note


def test_a_trial_that_broke_off_is_a_line_of_its_own_and_not_in_the_band(tmp_path: Path) -> None:
    whole, broken = sweep(tmp_path / "a"), sweep(tmp_path / "b")
    whole.run()
    first, *others = broken.trials
    broken.run(others)
    write_trial(broken, first, stop_after=2, state="failed", failure_class="oom")
    one, other = (figures(results(made))[0].panels[0].svg for made in (whole, broken))
    assert len(BAND.findall(one)) == len(BAND.findall(other)) == 2
    assert "0.45" not in one
    assert "0.45" in other
