"""Proposals of a round-0 probe: followers of answers, caps, paired gains, verbatim completions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from zoo.evals import probing
from zoo.evals.depth import Answered, Response
from zoo.grading import Verdict

WORDS = ["So ", "the answer is ", "7", ".", "\n\n", "Question", ": ", "x", "Then "]


def text_of(ids: Sequence[int]) -> str:
    return "".join(WORDS[i] for i in ids)


def response(*ids: int, correct: bool = True) -> Response:
    verdict = Verdict.CORRECT if correct else Verdict.WRONG
    return Response(verdict, "7", text_of(ids), len(ids), "stop", ids)


STOPS = response(0, 1, 2, 3)
GOES_ON = response(0, 1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("so \\boxed{\\frac{1}{2}} and", 22),
        ("so \\boxed{1", None),
        ("The answer is 7.\nQuestion", 15),
        ("#### 7\n\nQuestion", 6),
        ("nothing", None),
        ("The answer is \\boxed{7}. Question", 23),
    ],
)
def test_end_of_the_first_answer(text: str, end: int | None) -> None:
    assert probing.answer_end(text) == end


def test_token_that_poses_another_question_is_proposed_as_stop_id() -> None:
    (found,) = probing.followers([STOPS] * 10 + [GOES_ON] * 10, text_of)
    assert (found.id, found.text, found.follows, found.of) == (5, "Question", 10, 10)
    assert found.proposed


def test_token_that_right_responses_need_is_not_proposed() -> None:
    needs = response(5, 0, 1, 2, 3)
    (found,) = probing.followers([needs] * 5 + [GOES_ON] * 10, text_of)
    assert found.before == 5
    assert not found.proposed


def test_rare_followers_and_end_tokens_are_not_proposed() -> None:
    (found,) = probing.followers([GOES_ON] * 4, text_of)
    assert not found.proposed
    assert probing.followers([GOES_ON] * 9, text_of, end_ids=[5]) == []


def test_stop_id_cuts_a_response_behind_itself() -> None:
    assert probing.cut_at(GOES_ON, [5]) == 6
    assert probing.cut_at(STOPS, [5]) is None


def test_cap_has_room_for_twice_the_right_responses() -> None:
    right = [Response(Verdict.CORRECT, "7", "", n, "stop") for n in range(1, 101)]
    wrong = [Response(Verdict.WRONG, "7", "", 900, "length")]
    assert probing.cap(right + wrong, 4096) == 256  # 2 x 99, in steps of 64
    assert probing.cap(right, 100) == 100
    assert probing.cap(wrong, 4096) is None


def problems(marks: Sequence[Sequence[bool]]) -> list[Answered]:
    return [
        Answered(str(i), "", "", tuple(response(2, correct=mark) for mark in own))
        for i, own in enumerate(marks)
    ]


def test_gain_is_paired_by_problem_and_may_be_below_zero() -> None:
    one, other = (
        problems([[True, True]] * 16 + [[False, False]] * 4),
        problems([[False, True]] * 20),
    )
    found = probing.gain(one, other)
    assert found.value == pytest.approx(-0.3)
    assert found.low < found.high < 0


def test_question_is_completed_verbatim_but_for_white_space() -> None:
    question = "A train leaves the station at noon and drives at eighty miles an hour to Chicago."
    first, rest = probing.halves(question)
    assert first + " " + rest == question
    assert probing.verbatim(f" {rest.replace(' ', chr(10))} How long?", rest)
    assert not probing.verbatim(rest.replace("eighty", "ninety"), rest)
    assert not probing.verbatim("", rest)
    assert probing.halves("What is 2+2?") is None
