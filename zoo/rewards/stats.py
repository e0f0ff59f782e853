"""What every batch logs about its grading and rewards, as one flat dict of metrics under `grade/`,
and of its completions under `completions/`.

It counts; it decides nothing. Groups are the completions of one prompt (G of them, P prompts).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

from zoo.grading import Result, Verdict

Ending = Literal["end_token", "stop_token", "length"]
"""How a completion ended: with the tokenizer's end token, with another stop id (of the model's card
or its generation config), or cut at the limit."""
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
        wrong, mixed, and those whose only learning signal is format), accuracy over scored
        completions and the share of mixed groups by level, seconds a completion (`_time`), and the
        share that was settled without sympy.
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


def response_stats(
    verdicts: Sequence[Verdict], lengths: Sequence[int], endings: Sequence[Ending]
) -> dict[str, float]:
    """Lengths and endings of one batch of N completions, under `completions/` as TRL's own.

    Args:
        lengths: in tokens.

    Returns:
        Mean length of the correct and of the wrong ones among the scored, each only if there are
        any, and the shares that ended with the end token and with another stop id; the others were
        cut at the limit, `completions/clipped_ratio`.
    """
    stats: dict[str, float] = {}
    pairs = list(zip(verdicts, lengths, strict=True))
    for name, right in (("right", True), ("wrong", False)):
        if found := [n for v, n in pairs if v.scored and v.correct == right]:
            stats[f"completions/mean_{name}_length"] = sum(found) / len(found)
    for ending in ("end_token", "stop_token"):
        stats[f"completions/frac_{ending}"] = endings.count(ending) / max(1, len(endings))
    return stats


def _group_stats(
    results_P_G: Sequence[Sequence[Result]], values_P_G: Sequence[Sequence[float | None]]
) -> dict[str, float]:
    counts: dict[str, int] = dict.fromkeys(("all_right", "all_wrong", "mixed", "format_only"), 0)
    for group, values in zip(results_P_G, values_P_G, strict=True):
        kind = _kind(group)
        counts[kind] += 1
        counts["format_only"] += kind != "mixed" and len({v for v in values if v is not None}) > 1
    return {f"grade/groups/{name}": n / len(results_P_G) for name, n in counts.items()}


def _kind(group: Sequence[Result]) -> str:
    """Whether the scored completions of a group are all right, all wrong, or mixed."""
    right = {result.verdict.correct for result in group if result.verdict.scored}
    return "mixed" if len(right) > 1 else ("all_right" if True in right else "all_wrong")


def _level_stats(
    results_P_G: Sequence[Sequence[Result]], levels_P: Sequence[Any]
) -> dict[str, float]:
    groups: dict[str, list[Sequence[Result]]] = defaultdict(list)
    for group, level in zip(results_P_G, levels_P, strict=True):
        if level is not None:
            groups[str(level)].append(group)
    stats: dict[str, float] = {}
    for level, found in groups.items():
        hits = [r.verdict.correct for group in found for r in group if r.verdict.scored]
        if hits:
            stats[f"grade/acc/level{level}"] = sum(hits) / len(hits)
        mixed = sum(_kind(group) == "mixed" for group in found)
        stats[f"grade/groups/mixed/level{level}"] = mixed / len(found)
    return stats
