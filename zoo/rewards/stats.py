"""What every batch logs about its grading and rewards, as one flat dict of metrics under `grade/`.

It counts; it decides nothing. Groups are the completions of one prompt (G of them, P prompts).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from zoo.grading import Result, Verdict

_SLOW = ("symbolic", "time", "memory", "fault")


def batch_stats(
    results_P_G: Sequence[Sequence[Result]],
    values_P_G: Sequence[Sequence[float | None]],
    levels_P: Sequence[Any] | None = None,
) -> dict[str, float]:
    """The metrics of one batch.

    Args:
        results_P_G: the grader's results, group by group.
        values_P_G: the rewards of the same completions.
        levels_P: the difficulty level of each prompt, where the data has one.

    Returns:
        Shares of the 2x2 and of verdicts over all completions, shares of groups (all right, all
        wrong, mixed, and those whose only learning signal is format), accuracy by level over scored
        completions, seconds a completion (`_time`), and the share that was settled without sympy.
    """
    results = [result for group in results_P_G for result in group]
    if not results:
        return {}
    n = len(results)
    stats = {f"grade/verdict/{verdict.value}": 0.0 for verdict in Verdict}
    for result in results:
        stats[f"grade/verdict/{result.verdict.value}"] += 1 / n
    scored = [result for result in results if result.verdict.scored]
    for right in (True, False):
        for boxed in (True, False):
            name = f"grade/{'right' if right else 'wrong'}_{'boxed' if boxed else 'plain'}"
            cell = sum(r.verdict.correct == right and r.boxed == boxed for r in scored)
            stats[name] = cell / max(1, len(scored))
    stats |= _group_stats(results_P_G, values_P_G)
    if levels_P is not None:
        stats |= _level_stats(results_P_G, levels_P)
    stats["grade/mean_time"] = sum(result.ms for result in results) / n / 1000
    stats["grade/max_time"] = max(result.ms for result in results) / 1000
    stats["grade/share_without_sympy"] = 1 - sum(r.by in _SLOW for r in results) / n
    stats["grade/by_time"] = sum(r.by == "time" for r in results) / n
    return stats


def _group_stats(
    results_P_G: Sequence[Sequence[Result]], values_P_G: Sequence[Sequence[float | None]]
) -> dict[str, float]:
    counts: dict[str, int] = dict.fromkeys(("all_right", "all_wrong", "mixed", "format_only"), 0)
    for group, values in zip(results_P_G, values_P_G, strict=True):
        right = {result.verdict.correct for result in group if result.verdict.scored}
        kind = "mixed" if len(right) > 1 else ("all_right" if True in right else "all_wrong")
        counts[kind] += 1
        counts["format_only"] += kind != "mixed" and len({v for v in values if v is not None}) > 1
    return {f"grade/groups/{name}": n / len(results_P_G) for name, n in counts.items()}


def _level_stats(
    results_P_G: Sequence[Sequence[Result]], levels_P: Sequence[Any]
) -> dict[str, float]:
    right: dict[str, list[bool]] = defaultdict(list)
    for group, level in zip(results_P_G, levels_P, strict=True):
        if level is not None:
            right[str(level)] += [r.verdict.correct for r in group if r.verdict.scored]
    return {
        f"grade/acc/level{level}": sum(hits) / len(hits) for level, hits in right.items() if hits
    }
