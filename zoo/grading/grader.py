"""Grading a batch: extract, settle fast what can be settled fast, send the rest to killable
workers.

One result an item, in order, whatever happens. The same grader serves training and evaluation; the
extraction rule is its argument.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from zoo.grader_version import GRADER_VERSION
from zoo.grading.boxes import has_box
from zoo.grading.extract import MAX_TEXT_CHARS, STOPS, before_stop, rule_named
from zoo.grading.fast import settle
from zoo.grading.pool import Limits, Pool
from zoo.grading.verdict import Graded, Item, Result, Verdict

_ALLOWED = re.compile(r"[\w\s\\{}()\[\]+\-*/^=<>|.,:;!?'%$&°]*", re.ASCII)


class Grader:
    """Grades completions against references under one extraction rule.

    Args:
        rule: one of `RULES`.
        workers: how many symbolic workers may run at once.
        cpu_s, wall_s, memory_mib: what one case may use of a worker; past it the answer is
            EXHAUSTED.
        stop: marks after which nothing of a completion is read.

    A context manager. Safe to call from several threads (they take turns), and in a forked child.
    """

    def __init__(
        self,
        rule: str,
        workers: int = 1,
        cpu_s: float = 1.0,
        wall_s: float = 2.0,
        memory_mib: float = 1024.0,
        stop: Sequence[str] = STOPS,
    ) -> None:
        self.rule = rule
        self._extract = rule_named(rule)
        self._stop = stop
        self._pool = Pool(workers, Limits(cpu_s, wall_s, memory_mib))
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; a later call starts new ones."""
        with self._lock:
            self._pool.close()

    def grade(self, items: Sequence[Item]) -> Graded:
        """One result an item, in order."""
        results: list[Result] = []
        hard: list[int] = []
        jobs: list[tuple[str, str]] = []
        for item in items:
            result = self._grade_fast(item)
            results.append(result)
            if result.by == "symbolic":
                hard.append(len(results) - 1)
                jobs.append(symbolic_pair(result.gold, result.prediction or ""))
        if jobs:
            with self._lock:
                replies = self._pool.judge(jobs)
            for at, reply in zip(hard, replies, strict=True):
                results[at] = _from_reply(results[at], reply)
        return Graded(self.rule, GRADER_VERSION, results)

    def _grade_fast(self, item: Item) -> Result:
        """The result without a worker; one that needs a worker is marked `by="symbolic"`."""
        start = time.perf_counter()
        text = before_stop(item.text, self._stop)
        if len(text) > MAX_TEXT_CHARS:
            return Result(Verdict.EXHAUSTED, item.gold, None, False, "structure", 0.0)
        prediction, error = None, None
        try:
            prediction = (self._extract(text) or "").strip() or None
            verdict, by = self._settle(item.gold, prediction)
        except Exception as fault:  # ours, not the answer's: counted, never a wrong answer
            verdict, by, error = Verdict.GRADER_FAULT, "fault", f"{type(fault).__name__}: {fault}"
        ms = (time.perf_counter() - start) * 1e3
        return Result(verdict, item.gold, prediction, has_box(text), by, ms, error)

    @staticmethod
    def _settle(gold: str, prediction: str | None) -> tuple[Verdict, str]:
        if prediction is None:
            return Verdict.NO_ANSWER, "extract"
        settled = settle(gold, prediction)
        if settled is None and not _ALLOWED.fullmatch(prediction):
            return Verdict.WRONG, "refused"
        return settled or (Verdict.GRADER_FAULT, "symbolic")


def symbolic_pair(gold: str, prediction: str) -> tuple[str, str]:
    """Two answers in the form that math-verify parses best: each alone in a box between math
    delimiters."""
    boxed = [f"$\\boxed{{{text.replace('$', '')}}}$" for text in (gold, prediction)]
    return boxed[0], boxed[1]


def _from_reply(asked: Result, reply: dict[str, Any]) -> Result:
    if "equal" in reply:
        verdict, by = (Verdict.CORRECT if reply["equal"] else Verdict.WRONG), "symbolic"
    elif "time" in reply or "memory" in reply:
        verdict, by = Verdict.EXHAUSTED, ("time" if "time" in reply else "memory")
    elif "bad_gold" in reply:
        verdict, by = Verdict.BAD_GOLD, "gold"
    else:
        verdict, by = Verdict.GRADER_FAULT, "fault"
    error = reply.get("bad_gold") or reply.get("fault")
    ms = asked.ms + reply.get("ms", 0.0)
    return Result(verdict, asked.gold, asked.prediction, asked.boxed, by, ms, error)
