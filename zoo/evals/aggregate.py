"""Metrics of a graded set of responses, under the study's names. Pure; no files, no engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from zoo.grading import Verdict
from zoo.stats.samples import pass_at
from zoo.trials.metrics import pass_ks

Values = dict[str, float | None]


def measures(
    verdicts: Sequence[Verdict],
    boxed: Sequence[bool],
    lengths: Sequence[int | None],
    finishes: Sequence[str],
    box_verdicts: Sequence[Verdict] | None = None,
) -> Values:
    """Metrics (`zoo.trials.metrics.MEASURES`) over N responses; None where no response counts.

    `acc` is the share of CORRECT among the scored (an unreadable reference or a fault of the grader
    is counted in `unscored`); `acc_boxed` the same with only the content of the last box as the
    answer (`box_verdicts`), over the same responses; `box_ratio` the share with a complete box;
    lengths are in tokens (None = unknown, for imported responses); `clipped_ratio` is the share
    that reached the max response length, `mean_terminated_length` the mean length of the others.
    """
    scored = [verdict for verdict in verdicts if verdict.scored]
    pairs = () if box_verdicts is None else zip(verdicts, box_verdicts, strict=True)
    in_box = [box for verdict, box in pairs if verdict.scored and box.scored]
    ended = [n for n, finish in zip(lengths, finishes, strict=True) if finish != "length"]
    known, known_ended = ([n for n in ns if n is not None] for ns in (lengths, ended))
    return {
        "acc": _mean([v is Verdict.CORRECT for v in scored]),
        "acc_boxed": _mean([v is Verdict.CORRECT for v in in_box]),
        "box_ratio": _mean(boxed),
        "mean_length": _mean(known),
        "mean_terminated_length": _mean(known_ended),
        "clipped_ratio": 1 - len(ended) / len(lengths) if lengths else None,
        "n": float(len(verdicts)),
        "unscored": float(len(verdicts) - len(scored)),
    }


def repeated(
    verdicts: Sequence[Verdict], predictions: Sequence[str | None], samples: int
) -> Values:
    """Measures of `samples` responses to each problem, which follow one another: `avgS`, `passK`
    and `majS` for S samples (`zoo.trials.metrics.measure_names`); nothing for one sample.

    `avgS` is `acc` over all responses. `passK` is the chance that one of K responses drawn from
    the S is right (unbiased: Chen et al. 2021, arXiv:2107.03374), averaged over problems. `majS` is
    the share of problems whose most frequent prediction is right: equal text is one answer (`1/2`
    and `0.5` are two), of equally frequent ones the first to come counts, responses without an
    answer do not vote. Unscored responses are left out, and so are problems without a scored one;
    where fewer than K are left, pass@K is that of those.
    """
    if samples == 1:
        return {}
    assert len(verdicts) % samples == 0, "rows do not repeat their problems"
    problems: list[list[tuple[Verdict, str | None]]] = []
    pairs = list(zip(verdicts, predictions, strict=True))
    for start in range(0, len(pairs), samples):
        if kept := [pair for pair in pairs[start : start + samples] if pair[0].scored]:
            problems.append(kept)
    right = [sum(v is Verdict.CORRECT for v, _ in kept) for kept in problems]
    sizes = [len(kept) for kept in problems]
    found: Values = {f"avg{samples}": sum(right) / sum(sizes) if sizes else None}
    for k in pass_ks(samples):
        found[f"pass{k}"] = _mean([pass_at(k, n, c) for n, c in zip(sizes, right, strict=True)])
    return found | {f"maj{samples}": _mean([_vote(kept) for kept in problems])}


def _vote(kept: Sequence[tuple[Verdict, str | None]]) -> bool:
    """Whether the most frequent prediction is right."""
    votes = Counter(prediction for _, prediction in kept if prediction is not None)
    if not votes:
        return False
    (winner, _), *_ = votes.most_common(1)
    return next(v for v, prediction in kept if prediction == winner) is Verdict.CORRECT


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
