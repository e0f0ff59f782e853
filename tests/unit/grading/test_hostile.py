"""The hostile corpus: no answer in it is correct, none is lost, and none costs more than its
budget.
"""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from zoo.grading import Grader, Item, Verdict
from zoo.grading.pool import Limits, Pool

CORPUS = Path(__file__).parents[2] / "golden" / "grading_hostile.jsonl"
ROWS = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


def hostile_text(row):
    text = "".join(part * times for part, times in row["parts"])
    return f"\\boxed{{{text}}}" if row["boxed"] else text


def test_the_corpus_has_two_hundred_cases_in_twelve_families_of_ten():
    families = Counter(row["family"] for row in ROWS)
    assert len(ROWS) >= 200
    assert sum(count >= 10 for count in families.values()) >= 12


def test_no_hostile_answer_is_correct_lost_or_unscored():
    items = [Item(row["gold"], hostile_text(row)) for row in ROWS]
    with Grader("auto") as grader:
        graded = grader.grade(items)
    assert len(graded) == len(items)
    hits = [row for row, r in zip(ROWS, graded, strict=True) if r.verdict.correct]
    assert hits == []
    assert [r for r in graded if not r.verdict.scored] == []
    assert sum(r.by in ("time", "memory", "symbolic") for r in graded) < len(items) / 20


def test_structure_settles_each_hostile_answer_in_a_fraction_of_a_second():
    with Grader("auto") as grader:
        for row in ROWS:
            start = time.perf_counter()
            result = grader._grade_fast(Item(row["gold"], hostile_text(row)))
            assert time.perf_counter() - start < 1.0, (row["family"], result.by)


def test_a_worker_that_never_ends_is_killed_at_its_limit_and_replaced():
    pool = Pool(1, Limits(cpu_s=0.5, wall_s=1.0))
    tower, sane = r"$\boxed{\prod_{i=1}^{10^9} i}$", r"$\boxed{2}$"
    try:
        replies = pool.judge([("$7$", tower), (sane, sane)])
    finally:
        pool.close()
    assert replies[0].get("time")
    assert replies[1]["equal"] is True


def test_a_worker_never_sees_code():
    pool = Pool(1, Limits())
    try:
        (reply,) = pool.judge([("$0$", "__import__('os').system('touch marker') or 0")])
    finally:
        pool.close()
    assert reply["equal"] is False
    assert reply["refused"]
    assert not Path("marker").exists()


def test_an_answer_beyond_the_bounds_is_exhausted_and_scored():
    with Grader("boxed") as grader:
        (result,) = grader.grade([Item("7", r"\boxed{9^{9^{9^9}}}")])
    assert result.verdict in (Verdict.EXHAUSTED, Verdict.WRONG)
    assert result.verdict.scored


@pytest.mark.parametrize("gold", ["x", r"\log x", "x<3", r"\pi", "x+10^{-20}", "y=2x"])
@pytest.mark.parametrize(
    "answer", ["10^{400}", r"\frac{1}{10^{400}}", r"10^{400}^\circ", "x<10^{400}", "1" + "0" * 400]
)
def test_a_number_beyond_floats_is_not_correct_and_no_fault_of_ours(gold, answer):
    """Else an answer could choose to be unscored."""
    with Grader("boxed") as grader:
        (result,) = grader.grade([Item(gold, f"\\boxed{{{answer}}}")])
    assert result.verdict in (Verdict.WRONG, Verdict.EXHAUSTED)
