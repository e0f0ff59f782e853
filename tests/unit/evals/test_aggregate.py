import random
from itertools import combinations
from statistics import fmean

import pytest

from zoo.evals.aggregate import measures, repeated
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


RIGHT, WRONG, NONE = Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER
FAULT = Verdict.GRADER_FAULT


def test_pass_at_k_is_averaged_over_problems_and_avg_is_acc() -> None:
    rng = random.Random(1)
    verdicts = [rng.choice((RIGHT, WRONG, NONE)) for _ in range(20 * 8)]
    found = repeated(verdicts, ["1"] * 160, 8)
    assert list(found) == ["avg8", "pass1", "pass2", "pass4", "pass8", "maj8"]
    problems = [[v is RIGHT for v in verdicts[i : i + 8]] for i in range(0, 160, 8)]
    for k in (1, 2, 4, 8):
        brute = [fmean(any(some) for some in combinations(p, k)) for p in problems]
        assert found[f"pass{k}"] == pytest.approx(fmean(brute))
    acc = measures(verdicts, [True] * 160, [1] * 160, ["stop"] * 160)["acc"]
    assert found["avg8"] == pytest.approx(acc)
    assert found["pass1"] == pytest.approx(acc)


def test_one_response_a_problem_has_no_such_measures() -> None:
    assert repeated([RIGHT, WRONG], ["1", "2"], 1) == {}


def test_unscored_responses_and_problems_are_left_out() -> None:
    verdicts = [RIGHT, FAULT, FAULT, WRONG, *[Verdict.BAD_GOLD] * 4]
    found = repeated(verdicts, ["1", None, None, "2", *[None] * 4], 4)
    assert found["avg4"] == found["pass1"] == 0.5
    assert found["pass2"] == found["pass4"] == 1.0  # of the two that are left
    assert set(repeated([FAULT] * 2, [None] * 2, 2).values()) == {None}


def test_the_vote_goes_to_the_most_frequent_text_and_among_equals_to_the_first() -> None:
    def maj(*responses: tuple[Verdict, str | None]) -> float | None:
        verdicts, predictions = zip(*responses, strict=True)
        return repeated(verdicts, predictions, len(responses))[f"maj{len(responses)}"]

    assert maj((WRONG, "3"), (RIGHT, "7"), (RIGHT, "7")) == 1.0
    assert maj((WRONG, "3"), (RIGHT, "7"), (RIGHT, "7.0"), (WRONG, "3")) == 0.0
    assert maj((RIGHT, "7"), (WRONG, "3")) == 1.0
    assert maj((WRONG, "3"), (RIGHT, "7")) == 0.0
    assert maj((RIGHT, "7"), (NONE, None), (NONE, None)) == 1.0
    assert maj((NONE, None), (NONE, None)) == 0.0
