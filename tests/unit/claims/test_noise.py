"""What chance alone does to a number, before there are records."""

from __future__ import annotations

import random
from statistics import pstdev

import pytest

from tests.support.claims import ACC, STUDY
from zoo.claims.noise import Spread, prior, resampled
from zoo.trials.metrics import Metric, Series


def metric(name: str) -> Metric:
    return Metric(name, (name,), Series(()), 1)


def of(*sizes: int | None, name: str = ACC) -> Spread | None:
    """The prior of a metric that is measured on so many responses."""
    return prior(metric(name), Series((0,), sizes))


def test_the_prior_is_what_the_study_measured_or_the_noise_of_few_problems() -> None:
    assert of(*STUDY) == Spread(1.3, "prior")  # sampling alone gives 1.29
    assert of(1319) == Spread(1.3, "prior")
    aime = of(30)
    assert aime is not None
    assert aime.value == pytest.approx(5.5, abs=0.05)
    assert aime.source == "prior: sampling of 30 responses"
    assert of(30 * 32) == Spread(1.3, "prior")
    assert of(None) == of(name="train/accuracy") == Spread(1.3, "prior")
    assert of(500, name="eval/a/mean_length/t0") is None


def test_pass_at_k_looks_at_k_responses_at_once() -> None:
    assert metric("eval/a/pass16/t1.0").at_once == metric("eval/a/maj16/t1.0").at_once == 16
    assert metric("eval/a/avg16/t1.0").at_once == metric("eval/a/acc/t1.0").at_once == 1
    found, single = of(30 * 256, name="eval/a/pass256/t1.0"), of(30)
    assert found is not None
    assert single is not None
    assert found.value == single.value
    assert found.source == "prior: sampling of 7,680 responses, 256 at a time"


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
