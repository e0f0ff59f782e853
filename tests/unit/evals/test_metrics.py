import pytest

from zoo.evals.metrics import measures
from zoo.grading import Verdict


def test_unscored_responses_are_counted_apart_and_never_as_wrong() -> None:
    verdicts = [Verdict.CORRECT, Verdict.WRONG, Verdict.BAD_GOLD, Verdict.GRADER_FAULT]
    found = measures(verdicts, [True, False, True, False], [1, 2, 3, 4], ["stop"] * 4)
    assert found["acc"] == 0.5
    assert found["unscored"] == 2
    assert found["n"] == 4


def test_an_exhausted_grader_and_no_answer_are_not_correct() -> None:
    found = measures([Verdict.EXHAUSTED, Verdict.NO_ANSWER], [False] * 2, [1, 1], ["stop"] * 2)
    assert found["acc"] == 0
    assert found["unscored"] == 0


def test_clipped_responses_stay_out_of_the_terminated_length() -> None:
    found = measures([Verdict.WRONG] * 3, [False] * 3, [10, 20, 64], ["stop", "stop", "length"])
    assert found["mean_terminated_length"] == 15
    assert found["clipped_ratio"] == pytest.approx(1 / 3)
    assert found["mean_length"] == 94 / 3


def test_a_measure_without_a_case_is_none() -> None:
    found = measures([Verdict.BAD_GOLD], [False], [64], ["length"])
    assert found["acc"] is None
    assert found["mean_terminated_length"] is None
