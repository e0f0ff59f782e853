"""Cross-checks of a set of graded responses: the verdicts where only a box counts, and the verdicts
of stock math-verify on a sample.

Both are reported with the accuracy and change no verdict. No stages, no files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from zoo.grading import Grader, Item, Result, Verdict, extract
from zoo.grading.audit import Audit, audit, stock


def box_verdicts(
    items: Sequence[Item], results: Sequence[Result], boxed: Callable[[], Grader]
) -> list[Verdict]:
    """Verdicts of N responses under the extraction rule `boxed`; one without a complete box has no
    answer.

    Where the box has the answer that the benchmark's rule extracted, the verdict is reused; only
    the others are graded, by `boxed`, a grader of that rule.
    """
    answers = [extract(item.text, "boxed") for item in items]
    verdicts = [
        Verdict.NO_ANSWER if answer is None else result.verdict
        for answer, result in zip(answers, results, strict=True)
    ]
    others = [
        at
        for at, (answer, result) in enumerate(zip(answers, results, strict=True))
        if answer is not None and answer != result.prediction
    ]
    if others:
        for at, result in zip(others, boxed().grade([items[at] for at in others]), strict=True):
            verdicts[at] = result.verdict
    return verdicts


class Auditor:
    """Runs stock math-verify on samples. Its worker starts with the first sample and is reused."""

    def __init__(self) -> None:
        self._pool = stock()

    def __call__(self, results: Sequence[Result], seed: int) -> Audit | None:
        """The audit of one evaluation, or None with a note where it could not run: a second opinion
        never ends an evaluation.
        """
        try:
            return audit(results, seed, self._pool)
        except Exception as error:
            self.close()  # a worker that was left with a question would answer the next one with it
            print(f"note: no audit ({type(error).__name__}: {error})", file=sys.stderr)
            return None

    def close(self) -> None:
        """End the worker."""
        self._pool.close()


def audit_values(found: Audit | None) -> dict[str, float | None]:
    """Of an audit: the rate of disagreement, over how many answers, and how many disagree."""
    if found is None:
        return {"audit_disagreement": None, "audited": 0.0, "audit_disagreements": 0.0}
    return {
        "audit_disagreement": found.rate,
        "audited": float(found.decided),
        "audit_disagreements": float(len(found.disagreements)),
    }


def audit_rows(found: Audit, ids: Sequence[str]) -> dict[str, Any]:
    """An audit as JSON, each disagreement with both verdicts."""
    disagreements = [
        {
            "id": ids[d.index],
            "gold": d.result.gold,
            "prediction": d.result.prediction,
            "ours": d.result.verdict.value,
            "stock": "correct" if d.stock_says_correct else "wrong",
        }
        for d in found.disagreements
    ]
    return {
        "sampled": found.sampled,
        "decided": found.decided,
        "disagreements": disagreements,
    }
