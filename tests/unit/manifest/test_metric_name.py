"""Names of evaluation metrics are joined and parsed in one place."""

from __future__ import annotations

import pytest

from zoo.manifest.metric_name import MetricName, measure_of


@pytest.mark.parametrize("text", ["eval/math500/acc/t1.0", "watch/avg2/pass64/t0"])
def test_a_name_parses_to_its_parts_and_back(text: str) -> None:
    parts = MetricName.parse(text)
    assert parts is not None
    assert [parts.series, parts.benchmark, parts.measure, parts.decoding] == text.split("/")
    assert str(parts) == text


@pytest.mark.parametrize(
    "text",
    ["train/reward", "train/sampling/sampling_logp_difference/mean", "eval/a/acc", "eval//acc/t0"],
)
def test_a_training_metric_and_a_broken_name_have_no_parts(text: str) -> None:
    assert MetricName.parse(text) is None


def test_the_measure_is_the_third_part_or_the_last_word_of_a_training_metric() -> None:
    assert measure_of("watch/aime24/pass8/t1.0") == "pass8"
    assert measure_of("train/completions/mean_length") == "mean_length"
