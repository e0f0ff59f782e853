"""Verdicts and their evidence, as sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from zoo.claims.planned_power import amount
from zoo.judging.judge import SEALED, Arm, ClaimVerdict
from zoo.stats.looks import in_words
from zoo.stats.proportions import Difference

STANDING = {
    "extended": "extended: seeds, cells or rounds were added after its results were known",
    "voided": "voided: trials of it were set aside by hand after it was sealed",
}
NOTABLE_SPREAD = 3.0
"""From this multiple of the typical standard deviation on, unequal ones are reported."""


def word(verdict: ClaimVerdict) -> str:
    """`supported`, `refuted`, `undecided`, or `no verdict` for a claim that is not sealed."""
    return verdict.word or "no verdict"


def sealed_words(verdicts: Sequence[ClaimVerdict]) -> str:
    """`3 sealed verdicts, corrected together (Holm)`."""
    sealed = sum(verdict.standing == SEALED for verdict in verdicts)
    together = ", corrected together (Holm)" if sealed > 1 else ""
    return f"{sealed} sealed verdict{'s' * (sealed != 1)}{together}"


def withdrawn_words(ids: Sequence[str]) -> str:
    """A sentence on claims that were sealed and are no longer in the manifest."""
    return f"Sealed and then taken out of the manifest, so not judged: {', '.join(ids)}."


def sentence(verdict: ClaimVerdict) -> str:
    """One sentence: the effect with its interval, what was claimed, and why it is undecided."""
    if verdict.effect is None:
        return f"No estimate: {_why_none(verdict)}."
    effect = f"{_number(verdict.effect, verdict)} {_interval(verdict, verdict.judged.interval)}"
    claimed = f"`{verdict.claim.expect}` is claimed"
    if verdict.missing:
        return f"{effect} so far; {claimed}, and {_waiting(verdict)}."
    if verdict.word is None:
        return f"{effect}; {claimed}, but the claim is {_standing(verdict)}."
    if verdict.estimate is not None and not verdict.estimate.judged:
        return f"{effect}; {claimed}, but {_why_not_judged(verdict)}."
    detects = verdict.judged.detects
    told = "" if detects is None else f"; these trials detect {amount(detects, verdict.unit)}"
    where = {
        "supported": "the interval lies wholly inside",
        "refuted": "the interval lies wholly outside",
        "undecided": f"the interval reaches to both sides{told}",
    }
    return f"{effect}; {claimed}, and {where[verdict.word]}."


def _standing(verdict: ClaimVerdict) -> str:
    if verdict.standing == "voided" and verdict.voided:
        trials = "1 of its trials was" if verdict.voided == 1 else f"{verdict.voided} trials were"
        return f"voided: after it was sealed, {trials} set aside by hand"
    return STANDING.get(verdict.standing, verdict.standing)


def notes(verdict: ClaimVerdict) -> Iterator[str]:
    """The basis of the interval, a line each."""
    if verdict.effect is None:
        return
    found = verdict.estimate
    trials = " against ".join(str(_count(verdict, arm)) for arm in verdict.arms)
    parts = [
        f"{trials} trials",
        f"95 % without correction: {span(verdict.judged.plain, verdict.unit)}",
    ]
    if found is not None and found.judged:
        if (wider := found.over_problems()) is not None:
            parts.append(f"over problems as well: {span(wider, verdict.unit)}")
        if math.isfinite(found.df):
            parts.append(f"{found.df:.1f} degrees of freedom")
        if found.spread_ratio is not None:
            parts.append(f"largest seed noise {found.spread_ratio:.1f} times the typical")
        if found.floored:
            parts.append(f"variance floor in {found.floored} of {len(found.cells)} cells")
        if found.unequal:
            parts.append("unequal seeds")
    detects = verdict.judged.detects
    if detects is not None and verdict.word in ("supported", "refuted"):  # else in the sentence
        parts.append(f"these trials detect {amount(detects, verdict.unit)}")
    yield ", ".join(parts)
    if verdict.looks and not verdict.missing:
        yield in_words(verdict.look, verdict.looks, decided=verdict.word != "undecided")
    if found is not None and (found.spread_ratio or 0) >= NOTABLE_SPREAD:
        yield f"seed noise differs {found.spread_ratio:.0f}-fold; family-wise error up to 7 %"
    if any(arm.collapsed for arm in verdict.arms) or verdict.watched:
        yield f"{', '.join(map(_collapse, verdict.arms))}; {_about(verdict)}"


def _collapse(arm: Arm) -> str:
    low, high = arm.rate
    found = f"{arm.name}: {arm.collapsed} of {arm.ended} trials collapsed"
    return f"{found} ({100 * low:.0f} to {100 * high:.0f} %)"


def _about(verdict: ClaimVerdict) -> str:
    if verdict.claim.kind == "rate":
        return "all of them count in the rate"
    return "the interval is about trials that do not collapse"


def _count(verdict: ClaimVerdict, arm: Arm) -> int:
    return arm.ended - (verdict.claim.kind != "rate") * arm.collapsed


def _waiting(verdict: ClaimVerdict) -> str:
    total = sum(arm.trials for arm in verdict.arms)
    return f"{verdict.missing} of {total} trials have no number yet"


def _why_none(verdict: ClaimVerdict) -> str:
    if verdict.missing:
        return _waiting(verdict)
    if empty := [arm.name for arm in verdict.arms if not arm.trials]:
        return f"all trials of {', '.join(empty)} are void"
    return "a cell has no trial that did not collapse, or its base model was not evaluated"


def _why_not_judged(verdict: ClaimVerdict) -> str:
    found = verdict.estimate
    assert found is not None
    if any(cell.n < 2 for _, cell in found.cells):
        return "a cell has one trial that counts, which shows no seed noise to judge by"
    return "most cells of the study show no seed noise to judge by"


def _number(value: float, verdict: ClaimVerdict) -> str:
    return f"{'+' * (value > 0)}{amount(value, verdict.unit)}"


def _interval(verdict: ClaimVerdict, interval: tuple[float, float]) -> str:
    if not all(map(math.isfinite, interval)):
        return "without an interval"
    kind = "exact " if isinstance(verdict.steps[0], Difference) else ""
    return f"({kind}{100 * verdict.judged.level:.4g} %: {span(interval, verdict.unit)})"


def span(interval: tuple[float, float], unit: str) -> str:
    """`-1.2 to 3.4`, in the digits of the unit."""
    if not all(map(math.isfinite, interval)):
        return "unknown"
    digits = {"points": 1, "tokens": 0}.get(unit)
    if digits is None:
        return " to ".join(f"{end:.3g}" for end in interval)
    return " to ".join(f"{round(end, digits) + 0.0:.{digits}f}" for end in interval)  # no -0
