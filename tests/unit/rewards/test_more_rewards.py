import itertools
import sys
import time

import pytest

from zoo.errors import TrialError
from zoo.grading import Result, Verdict
from zoo.rewards.base import Completion
from zoo.rewards.functions import compute
from zoo.rewards.guard import Guard
from zoo.rewards.stats import batch_stats

RIGHT, WRONG = Verdict.CORRECT, Verdict.WRONG


def test_overlong_is_zero_then_falls_to_minus_one_over_the_buffer():
    lengths = [0, 80, 90, 100, 120]
    done = [Completion("", False, n_tokens=n) for n in lengths]
    params = {"cap": 100, "buffer": 20}
    assert compute("overlong", [WRONG] * 5, done, params, 0) == [0, 0, -0.5, -1, -1]


def test_cosine_runs_from_the_short_to_the_long_number():
    params = dict(cap=100, right_short=2.0, right_long=1.0, wrong_short=-10.0, wrong_long=0.0)
    done = [Completion("", False, n_tokens=n) for n in (0, 100, 0, 100, 50)]
    values = compute("cosine", [RIGHT, RIGHT, WRONG, WRONG, RIGHT], done, params, 0)
    assert values == pytest.approx([2, 1, -10, 0, 1.5])


def test_repetition_is_the_share_of_repeated_ngrams():
    done = [Completion("a b a b a b", False), Completion("a b c d", False), Completion("a", False)]
    values = compute("repetition", [WRONG] * 3, done, {"ngram": 2, "penalty": -1.0}, 0)
    assert values == pytest.approx([-0.6, 0, 0])


def test_tags_must_both_be_there_and_hold_something():
    params = dict(right_tagged=1, right_plain=-1, wrong_tagged=-0.5, wrong_plain=-2)
    texts = ["<think>a</think><answer>7</answer>", "<think> </think><answer>7</answer>", "7"]
    done = [Completion(text, False) for text in texts]
    assert compute("tags", [RIGHT] * 3, done, params, 0) == [1, -1, -1]


@pytest.mark.parametrize(
    "text",
    [
        "<think>x</think><answer>" + "a" * 60_000,
        "<think>" + "a " * 30_000,
        "<think>x" + "</think><answer>" * 4_000,
        "<think>x" + "</think> " * 8_000,
    ],
)
def test_tags_that_never_end_are_read_in_linear_time(text: str) -> None:
    params = dict(right_tagged=1, right_plain=-1, wrong_tagged=-0.5, wrong_plain=-2)
    begun = time.process_time()
    assert compute("tags", [RIGHT], [Completion(text, False)], params, 0) == [-1]
    assert time.process_time() - begun < 1.0


def test_a_sum_weighs_its_parts_and_keeps_unscored_rows_out():
    parts = [
        {"kind": "additive", "weight": 2.0, "params": {"correct": 1.0, "format": 0.5}},
        {"kind": "gate"},
    ]
    done = [Completion("", True), Completion("", False), Completion("", True)]
    values = compute("sum", [RIGHT, RIGHT, Verdict.BAD_GOLD], done, {"parts": parts}, 0)
    assert values == [4.0, 2.0, None]


def test_majority_counts_notations_of_one_number_together():
    done = [Completion(f"\\boxed{{{a}}}", True) for a in ("0.5", "\\frac12", "3", "3.", "1/2")]
    assert compute("majority", [WRONG] * 5, done, {}, 0) == [1, 1, 0, 0, 1]


def votes(answers):
    done = [Completion(f"\\boxed{{{a}}}", True) for a in answers]
    return compute("majority", [WRONG] * len(answers), done, {}, 0)


def test_what_most_of_a_group_gave_depends_on_no_order():
    answers = ["50", "50\\%", "0.5", "3", "3"]
    winners = {
        tuple(sorted(a for a, value in zip(order, votes(order), strict=True) if value))
        for order in itertools.permutations(answers)
    }
    assert winners == {("0.5", "50", "50\\%")}


def test_an_answer_that_contradicts_itself_has_no_vote_for_another_in_either_order():
    assert votes(["5=7", "7", "6", "6"]) == [0, 0, 1, 1]
    assert votes(["7", "5=7", "6", "6"]) == [0, 0, 1, 1]


def test_the_first_of_a_group_wins_a_tie():
    assert votes(["4", "3", "3", "4.0"]) == [1, 0, 0, 1]


def test_a_vote_of_sixty_four_different_answers_is_counted_quickly():
    begun = time.process_time()
    assert votes([f"x^{{{n}}}+{n}" for n in range(64)]) == [1] + [0] * 63
    assert time.process_time() - begun < 2.0


def test_a_reward_that_raises_gives_none_is_counted_and_ends_the_run_past_its_share():
    def fails(verdicts, completions, params, seed):
        raise ZeroDivisionError(f"group of {len(verdicts)}")

    guard = Guard("mine", fails, {}, max_fault_share=0.5, min_samples=8)
    done = [Completion("", True)] * 4
    assert guard([RIGHT] * 4, done, 0, group="p1") == [None] * 4
    guard.check()  # too few samples to judge
    assert guard.faults == 4
    assert guard([RIGHT] * 4, done, 0, group="p2") == [None] * 4
    with pytest.raises(TrialError, match="p1: ZeroDivisionError: group of 4"):
        guard.check()


def test_a_reward_of_the_wrong_length_or_not_finite_is_a_fault():
    guard = Guard("short", lambda v, c, p, s: [1.0], {})
    assert guard([RIGHT] * 2, [], 0) == [None, None]
    assert Guard("nan", lambda v, c, p, s: [float("nan")], {})([RIGHT], [], 0) == [None]


@pytest.mark.parametrize("given", [{0: 1.0, 1: 1.0}, {0.0, 1.0}, "12", iter([1.0, 1.0])])
def test_what_is_no_list_is_a_fault_and_no_reward(given):
    guard = Guard("odd", lambda v, c, p, s: given, {})
    assert guard([RIGHT] * 2, [], 0) == [None, None]
    assert guard.faults == 2
    assert f"{type(given).__name__} instead of a list of rewards" in guard.errors[0]
    assert Guard("pair", lambda v, c, p, s: (1.0, 0.5), {})([RIGHT] * 2, [], 0) == [1.0, 0.5]


def test_a_reward_that_empties_its_lists_loses_no_row():
    def empties(verdicts, completions, params, seed):
        verdicts.clear()
        completions.clear()
        if params["fails"]:
            raise RuntimeError
        return [1.0] * 3

    verdicts, done = [RIGHT] * 3, [Completion("", True)] * 3
    fails = Guard("empties", empties, {"fails": True})
    assert fails(verdicts, done, 0) == [None] * 3
    assert (fails.faults, fails.samples) == (3, 3)
    assert Guard("empties", empties, {"fails": False})(verdicts, done, 0) == [1.0] * 3
    assert (len(verdicts), len(done)) == (3, 3)


def test_a_reward_that_changes_verdicts_scores_no_unscored_row():
    def changes(verdicts, completions, params, seed):
        verdicts[:] = [RIGHT] * len(verdicts)
        return [float(verdict.correct) for verdict in verdicts]

    assert Guard("changes", changes, {})([Verdict.BAD_GOLD, WRONG], [], 0) == [None, 1.0]


def test_every_call_of_a_reward_gets_the_same_parameters():
    def counts(verdicts, completions, params, seed):
        params["seen"].append(len(params["seen"]))
        return [float(params["seen"][-1])] * len(verdicts)

    guard = Guard("counts", counts, {"seen": []})
    assert [guard([RIGHT], [], 0) for _ in range(3)] == [[0.0]] * 3
    assert guard.params == {"seen": []}


def test_a_reward_that_exits_is_a_fault():
    guard = Guard("exits", lambda v, c, p, s: sys.exit("enough"), {})
    assert guard([RIGHT], [], 0, group="p1") == [None]
    assert guard.errors == ["group p1: SystemExit: enough"]


def test_what_a_reward_prints_goes_to_standard_error(capsys):
    def prints(verdicts, completions, params, seed):
        print("called")
        return [1.0] * len(verdicts)

    assert Guard("prints", prints, {})([RIGHT], [], 0) == [1.0]
    assert capsys.readouterr() == ("", "called\n")


def test_batch_stats_show_the_two_by_two_and_the_groups_that_learn_format_only():
    def result(verdict, boxed):
        return Result(verdict, "7", "7", boxed, "fast", 1.0)

    groups = [
        [result(RIGHT, True), result(RIGHT, False)],
        [result(WRONG, True), result(Verdict.NO_ANSWER, False)],
        [result(RIGHT, True), result(Verdict.GRADER_FAULT, False)],
        [result(RIGHT, True), result(WRONG, True)],
    ]
    values = [[1.0, -1.0], [-1.0, -1.0], [1.0, None], [1.0, -0.5]]
    stats = batch_stats(groups, values, levels_P=[1, 5, 1, None])
    assert stats["grade/groups/format_only"] == 0.25
    assert stats["grade/groups/mixed"] == 0.25
    assert stats["grade/groups/all_right"] == 0.5
    assert stats["grade/right_boxed"] == pytest.approx(3 / 7)
    assert stats["grade/acc/level1"] == 1.0
    assert stats["grade/acc/level5"] == 0.0
    assert stats["grade/verdict/grader_fault"] == pytest.approx(1 / 8)
    assert batch_stats([], []) == {}
