"""Numbers of a graded set against brute force over all subsets, and the same bytes twice."""

from __future__ import annotations

import json
import random
from itertools import combinations
from statistics import fmean

import pytest

from zoo.evals import depth
from zoo.evals.depth import Answered, Response
from zoo.grading import Verdict

C, W, N, X = Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER, Verdict.GRADER_FAULT


def response(verdict: Verdict, prediction: str | None = "7", text: str = "", **more) -> Response:
    said = {"length": 10, "finish": "stop"} | more
    return Response(verdict, None if verdict is N else prediction, text, **said)


def problem(*responses: Response, level: str = "1", source: str = "s", id_: str = "p") -> Answered:
    return Answered(id_, level, source, responses)


def vote(drawn: tuple[tuple[str, bool], ...]) -> float:
    """The chance that a right answer wins, ties broken evenly."""
    votes: dict[str, int] = {}
    for answer, _ in drawn:
        if answer:
            votes[answer] = votes.get(answer, 0) + 1
    if not votes:
        return 0.0
    best = [answer for answer, n in votes.items() if n == max(votes.values())]
    return ("right" in best) / len(best)


@pytest.mark.parametrize("seed", range(12))
def test_maj_at_k_equals_the_mean_over_all_subsets(seed: int) -> None:
    rng = random.Random(seed)
    right, blank = rng.randint(0, 4), rng.randint(0, 3)
    wrong = tuple(sorted((rng.randint(1, 4) for _ in range(rng.randint(0, 4))), reverse=True))
    urn = [("right", True)] * right + [("", False)] * blank
    urn += [(f"w{i}", False) for i, n in enumerate(wrong) for _ in range(n)]
    for k in range(1, min(len(urn), 6) + 1):
        expected = fmean(map(vote, combinations(urn, k)))
        assert depth.majority_chance(k, right, wrong, blank) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n", "correct"), [(6, 0), (6, 1), (6, 4), (8, 8), (9, 2)])
def test_pass_at_k_equals_the_mean_over_all_subsets(n: int, correct: int) -> None:
    marks = [C] * correct + [W] * (n - correct)
    one = problem(*map(response, marks))
    for k in range(1, n + 1):
        expected = fmean(any(m is C for m in drawn) for drawn in combinations(marks, k))
        assert depth.pass_at_k([one], k).value == pytest.approx(expected)


def test_pass_ks_stay_within_half_of_the_samples_and_256() -> None:
    assert depth.pass_ks(16) == [2, 4, 8]
    assert depth.pass_ks(17) == [2, 4, 8]
    assert depth.pass_ks(3) == []
    assert depth.pass_ks(2048)[-1] == 256


def test_votes_count_answers_that_the_grader_calls_equal_as_one() -> None:
    rs = [response(W, "1/2"), response(W, "0.5"), response(W, r"\frac{1}{2}"), response(C, "3")]
    rs += [response(C, "3.0"), response(N)]
    assert depth.classes(rs) == (2, (3,), 1)
    assert depth.maj_at_k([problem(*rs)], 6).value == 0.0


def test_avg_leaves_unscored_responses_out_and_weighs_problems_by_the_rest() -> None:
    both = [problem(response(C), response(X)), problem(response(W), response(C))]
    assert depth.avg(both).value == pytest.approx(2 / 3)
    assert depth.avg([problem(response(X))]).value is None


def test_interval_of_none_right_is_not_of_zero_width() -> None:
    found = depth.avg([problem(response(W), response(W))] * 30)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.1157, abs=1e-3)  # Clopper and Pearson, 0 of 30


def test_jackknife_of_a_mean_is_students_interval() -> None:
    shares = [0.0, 0.25, 0.5, 0.5, 1.0]
    sets = [problem(*[response(C)] * int(4 * s), *[response(W)] * int(4 - 4 * s)) for s in shares]
    found = depth.avg(sets)
    sd = (sum((s - 0.45) ** 2 for s in shares) / 4) ** 0.5
    assert found.value == pytest.approx(0.45)
    assert found.high == pytest.approx(0.45 + 2.776445 * sd / 5**0.5, rel=1e-6)
    assert found.low == 0.0  # a share


def test_one_response_a_problem_has_wilsons_interval() -> None:
    found = depth.avg([problem(response(C))] + [problem(response(W))] * 9)
    assert (found.low, found.high) == pytest.approx((0.0179, 0.4042), abs=1e-4)


def test_levels_and_sources_have_their_own_accuracy() -> None:
    sets = [problem(response(C), level="1"), problem(response(W), level="2", source="t")]
    assert {k: v.value for k, v in depth.by(sets, lambda p: p.level).items()} == {"1": 1, "2": 0}
    assert depth.by(sets, lambda p: p.source)["t"].n == 1


def test_lengths_are_split_by_ending_and_verdict() -> None:
    rs = [response(C, length=4), response(W, length=8), response(N, length=60, finish="length")]
    found = depth.lengths([problem(*rs, response(C, length=None))])
    assert found == {"mean": 24.0, "terminated": 6.0, "right": 4.0, "wrong": 34.0}


@pytest.mark.parametrize(
    ("text", "finish", "prediction", "expected"),
    [
        ("so \\boxed{7}.", "stop", "7", "answered"),
        ("so \\boxed{7}.\n\nQuestion: What is 2+2?", "stop", "7", "runs_on"),
        ("so \\boxed{7}.\n\nQuestion: What is 2+2?", "length", "7", "runs_on"),
        ("so \\boxed{7}.\n\nand then again", "length", "7", "clipped"),
        ("\nQuestion: I restate it. The answer is 7.", "stop", "7", "answered"),
        ("I do not know", "stop", None, "unanswered"),
    ],
)
def test_ending_of_a_response(
    text: str, finish: str, prediction: str | None, expected: str
) -> None:
    verdict = N if prediction is None else W
    assert depth.ending(response(verdict, prediction, text, finish=finish)) == expected


def test_repetition_is_the_share_of_four_grams_that_came_before() -> None:
    assert depth.repetition(response(W, tokens=[1, 2, 3, 4, 5])) == 0.0
    assert depth.repetition(response(W, tokens=[7] * 13)) == pytest.approx(0.9)
    assert depth.repetition(response(W, text="a b c d a b c d")) == pytest.approx(1 - 4 / 5)
    assert depth.repetition(response(W, tokens=[1, 2, 3])) is None


def test_response_measures_are_shares_of_all_responses_and_lengths_of_scored_ones() -> None:
    asks = "The answer is 7.\nQuestion: What is 2+2?"
    responses = [
        response(C, length=4, tokens=[7] * 13),
        response(W, length=8, text=asks, tokens=[1, 2, 3, 4, 5]),
        response(N, length=16, text="\u043d\u0435\u0442", tokens=[1, 2]),
        response(X, length=99, tokens=[1, 2]),
    ]
    assert depth.response_measures(responses) == {
        "mean_right_length": 4.0,
        "mean_wrong_length": 12.0,
        "no_answer_ratio": 0.25,
        "runs_on_ratio": 0.25,
        "repetition_ratio": pytest.approx(0.45),
        "other_script_ratio": 0.25,
    }
    assert set(depth.response_measures([]).values()) == {None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\u03b1 \u2208 \u211d, \U0001d465 = \u00bd, na\u00efve", False),
        ("\u6240\u4ee5\u7b54\u6848\u662f 7", True),
        ("\u043e\u0442\u0432\u0435\u0442 7", True),
        ("x", False),
    ],
)
def test_other_script_sees_letters_that_are_neither_latin_nor_greek(
    text: str, expected: bool
) -> None:
    assert depth.other_script(text) is expected


def test_mixed_groups_have_right_and_wrong_responses() -> None:
    mixed, flat = problem(response(C), response(W)), problem(response(W), response(W))
    assert depth.mixed_groups([mixed, flat]).value == 0.5


def test_summary_of_the_same_set_is_the_same_bytes() -> None:
    rng = random.Random(1)
    sets = [
        problem(
            *(response(rng.choice([C, W, N]), rng.choice("123"), "a b c d e") for _ in range(16)),
            id_=str(i),
            level=str(i % 3),
        )
        for i in range(20)
    ]
    one, two = (json.dumps(depth.summary(list(sets))) for _ in range(2))
    assert one == two
    found = json.loads(one)
    assert set(found) >= {"avg@16", "pass@8", "maj@8", "maj@16", "level", "source", "mixed_groups"}
    assert "pass@16" not in found
