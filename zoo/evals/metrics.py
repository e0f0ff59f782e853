"""Measures of a graded set of responses, under the study's names. Pure numbers; knows no files and
no engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from zoo.grading import Verdict


def measures(
    verdicts: Sequence[Verdict],
    boxed: Sequence[bool],
    lengths: Sequence[int],
    finishes: Sequence[str],
) -> dict[str, float | None]:
    """Measures (`zoo.manifest.metrics.MEASURES`) over N responses; one without a case is None.

    `acc` is the share of CORRECT among the scored (an unreadable reference or a fault of the grader
    is counted apart, in `unscored`); `box_ratio` the share with a complete box; lengths are in
    tokens; `clipped_ratio` is the share that ran into the cap, `mean_terminated_length` the mean
    length of the others.
    """
    scored = [verdict for verdict in verdicts if verdict.scored]
    ended = [n for n, finish in zip(lengths, finishes, strict=True) if finish != "length"]
    return {
        "acc": fmean(v is Verdict.CORRECT for v in scored) if scored else None,
        "box_ratio": fmean(boxed) if boxed else None,
        "mean_length": fmean(lengths) if lengths else None,
        "mean_terminated_length": fmean(ended) if ended else None,
        "clipped_ratio": 1 - len(ended) / len(lengths) if lengths else None,
        "n": float(len(verdicts)),
        "unscored": float(len(verdicts) - len(scored)),
    }
