"""Audits of the grader: references against themselves, stock math-verify on a sample.

Each function takes plain sequences, for training, evaluation and the command line; none reads a
run's folder.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zoo.grading.boxes import has_box
from zoo.grading.extract import extract, is_prose
from zoo.grading.grader import Grader, symbolic_pair
from zoo.grading.pool import Limits, Pool
from zoo.grading.verdict import Item, Result, Verdict

STOCK_LIMITS = Limits(cpu_s=5.0, wall_s=10.0)
SHARE = 0.02


def check_golds(golds: Mapping[str, str]) -> dict[str, str]:
    """Grade every reference against itself, boxed; returns the ids of those that no answer can
    match, and why.

    A text always equals itself, so two more conditions apply: a reference must read as one answer
    and not as prose, and one with a box or `####` must accept the answer in it (a worked solution
    does not).
    """
    prose = {name for name, gold in golds.items() if is_prose(gold)}
    items = {name: Item(gold, _its_answer(gold)) for name, gold in golds.items()}
    with Grader("boxed") as grader:
        asked = [item for name, item in items.items() if name not in prose]
        graded = iter(grader.grade(asked))
    bad = {}
    for name, item in items.items():
        why = "prose, not one answer" if name in prose else _why_not(item, next(graded))
        if why:
            bad[name] = why
    return bad


def _its_answer(gold: str) -> str:
    """A boxed answer that a reference has to accept."""
    if has_box(gold):
        return gold
    return f"\\boxed{{{extract(gold, 'gsm8k') or gold}}}"


def _why_not(item: Item, result: Result) -> str:
    """Why a reference that was graded against itself is none; empty where it is one."""
    if result.verdict is Verdict.CORRECT:
        return ""
    if not item.gold.strip():
        return "empty"
    if item.text != f"\\boxed{{{item.gold}}}":
        return f"a worked solution: it does not accept its own answer, {result.prediction}"
    if result.verdict is Verdict.NO_ANSWER:
        return "cut off: unbalanced braces, or an end-of-text mark inside"
    if result.verdict is Verdict.EXHAUSTED:
        return "beyond the grader's bounds"
    return result.error or "not equal to itself"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One audited answer on which stock math-verify disagrees."""

    index: int
    result: Result
    stock_says_correct: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """Verdicts of stock math-verify on a sample. `undecided`: it reached its limits, or could not
    run.
    """

    sampled: int
    undecided: int
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def decided(self) -> int:
        """How many it decided."""
        return self.sampled - self.undecided

    @property
    def rate(self) -> float | None:
        """Disagreements over those that it decided; None where it decided none."""
        return len(self.disagreements) / self.decided if self.decided else None


def stock() -> Pool:
    """A worker for `audit` alone. It starts with the first pair; the caller closes it."""
    return Pool(1, STOCK_LIMITS)


def audit(results: Sequence[Result], seed: int, pool: Pool, share: float = SHARE) -> Audit:
    """Compare a seeded sample of scored answers by stock math-verify.

    It gets the reference and the extracted answer, each inside a box, so it audits equivalence and
    not extraction. Answers that exhausted the grader are left out.

    Args:
        results: the grader's results of one evaluation.
        seed: decides the sample; the same results and seed give the same sample.
        pool: the worker (`stock`); it may serve many calls, one after the other.
        share: of the results that can be audited; at least one if there are any.
    """
    able = [
        index
        for index, result in enumerate(results)
        if result.verdict.scored and result.prediction and result.verdict is not Verdict.EXHAUSTED
    ]
    size = min(len(able), max(1, round(share * len(able)))) if able else 0
    sample = sorted(random.Random(seed).sample(able, size))
    pairs = [symbolic_pair(results[at].gold, results[at].prediction or "") for at in sample]
    replies = pool.judge(pairs)
    said = {
        at: bool(reply["equal"])
        for at, reply in zip(sample, replies, strict=True)
        if "equal" in reply and "refused" not in reply  # refused is the worker's word
    }
    disagreements = [
        Disagreement(at, results[at], equal)
        for at, equal in said.items()
        if equal != results[at].verdict.correct
    ]
    return Audit(len(sample), len(sample) - len(said), disagreements)
