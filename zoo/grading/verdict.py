"""Types of grading: items, results, and the verdicts that count as scored.

Unscored is not wrong, and hostile is not unscored. `BAD_GOLD` (the reference cannot be read) and
`GRADER_FAULT` (our own failure) are counted separately and never as zero; `EXHAUSTED` (the answer
used up the grader's bounds) is simply not correct.

No mathematics, no processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The grader's decision on one answer."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    EXHAUSTED = "exhausted"
    BAD_GOLD = "bad_gold"
    GRADER_FAULT = "grader_fault"

    @property
    def scored(self) -> bool:
        """Whether the verdict is about the answer (and not about the reference or the grader)."""
        return self not in (Verdict.BAD_GOLD, Verdict.GRADER_FAULT)

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self is Verdict.CORRECT


@dataclass(frozen=True, slots=True)
class Item:
    """One item to grade: the bare reference answer, and the completion only (never the prompt)."""

    gold: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """One verdict and how it came about.

    `by` is the stage that settled it: `extract`, `text`, `fast`, `refused` (a form that a strict
    marker does not accept), `structure` (a bound on form), `symbolic`, `time`, `memory`, `gold` or
    `fault`. `ms` is wall time in milliseconds. `error` is set for unscored verdicts only.
    """

    verdict: Verdict
    gold: str
    prediction: str | None
    boxed: bool
    by: str
    ms: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Graded:
    """The results of one call in the order of its items, with the extraction rule and the grader
    version.
    """

    rule: str
    version: str
    results: list[Result]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: int) -> Result:
        return self.results[index]

    def counts(self) -> dict[str, int]:
        """How many results have each verdict; every verdict is named, also at zero."""
        seen = Counter(result.verdict for result in self.results)
        return {verdict.value: seen[verdict] for verdict in Verdict}

    def share_without_sympy(self) -> float:
        """The share decided without a symbolic worker; 1.0 for an empty batch."""
        slow = sum(result.by in ("symbolic", "time", "memory", "fault") for result in self.results)
        return 1.0 - slow / len(self.results) if self.results else 1.0
