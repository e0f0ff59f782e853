"""Noise of sampling, the spread that is assumed, what designs detect, and what is described."""

from __future__ import annotations

import random
from itertools import combinations
from statistics import fmean, variance

import pytest

from zoo.stats.descriptive import interquartile_mean, probability_of_improvement
from zoo.stats.noise import assumed_points, sampling_variance, share_variance
from zoo.stats.power import PowerPart, detectable, floored_moments
from zoo.stats.samples import pass_at


def test_sampling_variance_is_that_of_draws_on_the_same_problems() -> None:
    draw = random.Random(5)
    true, k = [draw.random() for _ in range(40)], 8
    means, estimates = [], []
    for _ in range(3000):
        rates = [sum(draw.random() < p for _ in range(k)) / k for p in true]
        means.append(fmean(rates))
        estimates.append(sampling_variance(rates, [k] * len(rates)))
    assert fmean(estimates) == pytest.approx(variance(means), rel=0.06)
    assert share_variance(fmean(means), 40 * k) > fmean(estimates)  # a bound
    assert share_variance(0.3, 100, 4) == pytest.approx(4 * 0.21 / 100)


def test_sampling_variance_of_one_sample_cannot_be_estimated() -> None:
    with pytest.raises(ValueError, match="two samples"):
        sampling_variance([0.0, 1.0], [1, 1])


@pytest.mark.parametrize(
    ("problems", "responses", "points"),
    [
        ([30], 30 * 32 * 5, 2.0),
        ([40], 40 * 32 * 5, 1.8),
        ([500], 500 * 5, 1.1),
        ([1319], 6595, 0.9),
    ],
)
def test_assumed_spread_follows_the_size_of_a_benchmark(
    problems: list[int], responses: int, points: float
) -> None:
    sampling = 100 * (0.09 / responses) ** 0.5
    assert assumed_points(problems, sampling) == pytest.approx(points, abs=0.05)


def test_assumed_spread_of_a_mean_over_benchmarks_keeps_what_they_share() -> None:
    assert assumed_points([30, 40]) < assumed_points([40])
    assert assumed_points([10**9] * 6) == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("df", [1, 2, 7])
def test_moments_of_floored_variances_are_those_of_draws(df: int) -> None:
    draw = random.Random(df)
    values = [max(0.5, draw.gammavariate(df / 2, 2) / df) for _ in range(40_000)]
    first, second = floored_moments(df)
    assert fmean(values) == pytest.approx(first, rel=0.02)
    assert fmean(v * v for v in values) == pytest.approx(second, rel=0.05)


def test_three_seeds_of_one_cell_a_side_detect_seven_spreads_after_ten_verdicts() -> None:
    """Simulated: 3.4 at 0.05 and 7.1 at 0.005; by pooled degrees of freedom it was 3.1."""
    cells = [PowerPart(1 / 3, 2)] * 2
    assert detectable(cells, 0.05, 0.2) == pytest.approx(3.4, rel=0.1)
    assert detectable(cells, 0.005, 0.2) == pytest.approx(7.1, rel=0.1)


def test_cells_with_one_trial_detect_nothing() -> None:
    assert detectable([PowerPart(1.0, 0), PowerPart(0.5, 1)], 0.05, 0.2) is None


def test_known_noise_needs_no_degrees_of_freedom() -> None:
    z = 1.959964 + 0.841621
    assert detectable([], 0.05, 0.2, known=2.0) == pytest.approx(2 * z, rel=1e-6)
    assert detectable([PowerPart(0.0, 2)], 0.05, 0.2, known=2.0) == pytest.approx(2 * z, rel=1e-6)
    small, none = (detectable([PowerPart(1 / 5, 4)], 0.05, 0.2, known=b) for b in (0.01, 0.0))
    assert small == pytest.approx(none, rel=1e-3)


def test_unequal_cells_have_the_smaller_ones_degrees() -> None:
    assert (detectable([PowerPart(1 / 3, 2), PowerPart(1 / 9, 8)], 0.05, 0.2) or 0) > (
        detectable([PowerPart(1 / 3, 2), PowerPart(1 / 3, 2)], 0.05, 0.2) or 0
    )


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_pass_at_k_is_the_share_of_all_choices_of_k_with_a_right_one(n: int) -> None:
    for correct in range(n + 1):
        responses = [i < correct for i in range(n)]
        for k in range(1, n + 1):
            chosen = list(combinations(responses, k))
            assert pass_at(k, n, correct) == pytest.approx(fmean(map(any, chosen)))


def test_interquartile_mean_leaves_the_outer_quarters_out() -> None:
    assert interquartile_mean([1, 2, 3, 4]) == 2.5
    assert interquartile_mean([-100, 2, 3, 400]) == 2.5
    assert interquartile_mean([7.0]) == 7
    # six values: the second and fifth count half (Agarwal et al. 2021 trim 25 % a side)
    assert interquartile_mean([0, 1, 2, 3, 4, 99]) == pytest.approx((0.5 * 1 + 2 + 3 + 0.5 * 4) / 3)


def test_probability_of_improvement_counts_pairs_and_half_the_ties() -> None:
    assert probability_of_improvement([1, 2], [0, 2]) == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    assert probability_of_improvement([5], [1, 2, 3]) == 1
