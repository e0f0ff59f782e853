"""pass@k of base and trained models, for the k that can be relied on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.made_up_sweep import Sweep, make_sweep
from tests.support.page import Page
from zoo.charts.pass_at_k import PassCurve, pass_curves, pass_figures, relied_ks
from zoo.findings.collect import Results, collect
from zoo.report.page import html


def results(folder: Path, samples: int) -> Results:
    made: Sweep = make_sweep(
        folder,
        models=("pocket-qwen2",),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        seeds=(0, 1),
        rounds=4,
        problems=20,
        samples=samples,
    ).run()
    return collect(made.experiment, made.trials, made.store)


@pytest.mark.parametrize(
    ("samples", "ks"), [(2, (1,)), (4, (1, 2)), (6, (1, 2)), (8, (1, 2, 4)), (32, (1, 2, 4, 8, 16))]
)
def test_relied_k_is_at_most_half_of_the_responses(samples: int, ks: tuple[int, ...]) -> None:
    assert relied_ks(samples) == ks


def test_pass_at_k_of_base_and_arms_is_drawn_from_several_responses(tmp_path: Path) -> None:
    found = results(tmp_path, 8)
    curves = pass_curves(found)
    assert [(c.arm, c.ks, c.trials) for c in curves] == [
        ("correctness", (1, 2, 4), 2),
        ("box-strict", (1, 2, 4), 2),
    ]
    for curve in curves:
        assert curve.base is not None
        assert all(b < t for b, t in zip(curve.base, curve.mean, strict=True))
        assert curve.crossing == "none up to k = 4"
    (drawn,) = pass_figures(found)
    assert [key.name for key in drawn.keys] == ["correctness", "box-strict", "base model"]
    assert "8 responses a problem" in drawn.caption
    assert "none up to k = 4 (all arms)" in drawn.caption
    assert {row[4] for row in drawn.table[1:]} == {1, 2, 4}


@pytest.mark.parametrize("samples", [1, 2])
def test_pass_at_k_of_too_few_responses_is_absent_with_a_word(tmp_path: Path, samples: int) -> None:
    found = results(tmp_path, samples)
    assert pass_figures(found) == []
    assert "pass@k is absent: no evaluation" in Page(html(found)).text


@pytest.mark.parametrize(
    ("base", "mean", "words"),
    [
        ((0.1, 0.2, 0.5), (0.3, 0.4, 0.45), "between k = 2 and k = 4"),
        ((0.1, 0.2, 0.5), (0.3, 0.4, 0.55), "none up to k = 4"),
        ((0.3, 0.4, 0.5), (0.3, 0.4, 0.55), "trained is not above base at k = 1"),
        (None, (0.3, 0.4, 0.55), "base not evaluated"),
    ],
)
def test_crossing_is_where_the_base_model_catches_up(
    tmp_path: Path, base: tuple[float, ...] | None, mean: tuple[float, ...], words: str
) -> None:
    (e, *_) = make_sweep(tmp_path).trials[0].evaluations
    assert PassCurve(e, "m", "a", (1, 2, 4), base, mean, mean, mean, 3).crossing == words
