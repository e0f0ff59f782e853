"""What chance alone does to a number, before there are records."""

from __future__ import annotations

import math
import random
from statistics import pstdev

import pytest

from tests.support.claims import ACC, STUDY
from zoo.claims.measurement_noise import Spread, prior, resampled
from zoo.trials.metrics import Metric, Series


def metric(name: str) -> Metric:
    return Metric(name, (name,), Series(()), 1)


def of(*sizes: int | None, name: str = ACC) -> Spread | None:
    """The prior of a metric that is measured on so many responses."""
    return prior(metric(name), Series((0,), sizes))


def of_draws(responses: int) -> float:
    """The noise of sampling alone."""
    found = resampled(metric(ACC), Series((0,), (responses,)))
    assert found is not None
    return found.value


def test_assumed_spread_follows_the_size_of_the_benchmarks() -> None:
    six = of(*STUDY)
    assert six is not None
    assert six.source == "assumed"
    assert six.value == pytest.approx(1.57, abs=0.01)  # sampling alone gives 1.29
    aime = of(30)
    assert aime is not None
    assert aime.value == pytest.approx(5.8, abs=0.05)
    often = prior(metric(ACC), Series((0,), STUDY), 5)
    assert often is not None
    assert often.value == pytest.approx(1.0, abs=0.1)


def test_assumed_spread_under_greedy_decoding_has_no_noise_of_sampling() -> None:
    greedy = prior(metric(ACC), Series((0,), (500,), sampled=False))
    assert greedy is not None
    assert greedy.value == pytest.approx(math.sqrt(0.8**2 + 10**2 / 500))


def test_assumed_spread_of_unknown_sizes_is_a_constant_and_of_lengths_unknown() -> None:
    assert of(None) == of(name="train/accuracy") == Spread(1.3, "assumed")
    assert of(500, name="eval/a/mean_length/t0") is None


def test_pass_at_k_looks_at_k_responses_at_once() -> None:
    assert metric("eval/a/pass16/t1.0").at_once == metric("eval/a/maj16/t1.0").at_once == 16
    assert metric("eval/a/avg16/t1.0").at_once == metric("eval/a/acc/t1.0").at_once == 1
    many = Series((0,), (30 * 256,))
    found, single = resampled(metric("eval/a/pass256/t1.0"), many), of_draws(30)
    assert found is not None
    assert found.value == single
    assert found.source == "sampling of 7,680 responses, 256 at a time"


def test_sampling_again_gives_the_same_greedily_and_else_the_noise_of_its_responses() -> None:
    assert resampled(metric(ACC), Series((0,), STUDY, sampled=False)) == Spread(
        0.0, "greedy, always the same"
    )
    found = resampled(metric(ACC), Series((0,), STUDY))
    assert found is not None
    assert found.value == pytest.approx(1.287, abs=1e-3)
    assert found.source == "sampling of 2,836 responses"
    assert resampled(metric(ACC), Series((0,), (None,))) is None
    assert resampled(metric("eval/a/mean_length/t1.0"), Series((0,), (500,))) is None


def test_draws_spread_as_stated() -> None:
    """40 problems whose rates have the stated variance of a response, sampled over and over."""
    draw, rate = random.Random(3), 0.1  # 0.1 x 0.9 = 0.09
    means = [100 * sum(draw.random() < rate for _ in range(40)) / 40 for _ in range(4000)]
    found = resampled(metric(ACC), Series((0,), (40,)))
    assert found is not None
    assert pstdev(means) == pytest.approx(found.value, rel=0.05)
