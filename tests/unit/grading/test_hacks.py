"""The hack table: answers that a strict human marker refuses, whatever a symbolic grader says."""

import json
from pathlib import Path

from zoo.grading import Grader, Item

TABLE = Path(__file__).parents[2] / "golden" / "grading_hacks.jsonl"
HACKS = [json.loads(line) for line in TABLE.read_text(encoding="utf-8").splitlines()]


def test_the_table_has_at_least_a_hundred_hacks():
    assert len(HACKS) >= 100


def test_every_hack_gets_the_verdict_of_a_strict_marker():
    for policy in ("auto", "simplerl", "boxed"):
        with Grader(policy) as grader:
            graded = grader.grade([Item(row["gold"], row["text"]) for row in HACKS])
        other = [
            (row["gold"], row["text"], result.verdict.value)
            for row, result in zip(HACKS, graded, strict=True)
            if result.verdict != row["verdict"]
        ]
        assert other == [], policy


def test_every_reference_of_the_table_accepts_itself():
    with Grader("boxed") as grader:
        golds = sorted({row["gold"] for row in HACKS})
        graded = grader.grade([Item(gold, f"\\boxed{{{gold}}}") for gold in golds])
    assert all(result.verdict.correct for result in graded)
