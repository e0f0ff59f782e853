"""The answer as the page shows it: claims with their verdicts, as plain values.

Knows no HTML; every text in here is unescaped. Sentences are those of `zoo compare`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from zoo.findings.collect import Results
from zoo.findings.view import voided
from zoo.judging.answer import Answer
from zoo.judging.judge import SEALED, ClaimVerdict
from zoo.judging.verdict_text import notes, sealed_words, sentence, withdrawn_words, word

STANDING_WORDS = {
    "sealed": "sealed before its trials ran",
    "exploratory": "exploratory: stated after its trials had begun",
    "changed": "changed after it was sealed",
    "extended": "extended: seeds, cells or rounds were added after its results were known",
    "voided": "voided: trials of it were set aside by hand after it was sealed",
    "new": "not sealed yet",
}


@dataclass(frozen=True)
class ShownVerdict:
    """One comparison of a claim."""

    label: str
    word: str
    sentence: str
    notes: tuple[str, ...]

    @property
    def style(self) -> str:
        """The word as the name of a style."""
        return self.word.replace(" ", "-")


@dataclass(frozen=True)
class ShownClaim:
    """A claim with a verdict for each of its comparisons."""

    id: str
    says: str
    standing: str
    sealed: bool
    verdicts: tuple[ShownVerdict, ...]


def shown_claims(found: Answer) -> list[ShownClaim]:
    """All claims, in the manifest's order."""
    by_id: dict[str, list[ClaimVerdict]] = {}
    for verdict in found.claims:
        by_id.setdefault(verdict.claim.id, []).append(verdict)
    return [_shown(own) for own in by_id.values()]


def _shown(own: list[ClaimVerdict]) -> ShownClaim:
    claim, standing = own[0].claim, own[0].standing
    verdicts = (ShownVerdict(v.label, word(v), sentence(v), tuple(notes(v))) for v in own)
    told = STANDING_WORDS.get(standing, standing)
    return ShownClaim(claim.id, claim.says, told, standing == SEALED, tuple(verdicts))


def answer_notes(results: Results) -> list[str]:
    """What holds for all verdicts, a sentence each: how many of each, or why there is none."""
    found, experiment = results.answer, results.experiment
    told: list[str] = []
    if any(o.trial.rehearsal for o in results.outcomes) and experiment.claims:
        told.append("A rehearsal decides nothing, so its claims are not judged.")
    elif not experiment.claims:
        what = "the prediction" if experiment.prediction else "what it expects"
        told.append(f"The manifest does not state {what} as a claim, so nothing here is judged.")
    elif sealed := [verdict for verdict in found.claims if verdict.standing == SEALED]:
        counts = Counter(word(verdict) for verdict in sealed)
        words = ", ".join(f"{n} {name}" for name, n in sorted(counts.items(), key=_order))
        told.append(f"{sealed_words(sealed)}: {words}.")
    elif any(verdict.standing == "voided" for verdict in found.claims):
        told.append("Trials of every sealed claim were set aside by hand, so none gets a verdict.")
    else:
        told.append("No claim was sealed before its trials ran, so none gets a verdict.")
    running = sum(not result.ended for result in found.numbers.results)
    if running and found.claims:
        told.append(
            f"{running} of {len(results.outcomes)} trials have not ended; nothing is decided "
            "before all trials of a comparison have."
        )
    if void := voided(results):
        trials = "1 trial was" if len(void) == 1 else f"{len(void)} trials were"
        told.append(f"{trials} set aside by hand (void); the reasons are listed below.")
    if found.withdrawn:
        told.append(withdrawn_words(found.withdrawn))
    return told


def _order(item: tuple[str, int]) -> int:
    return ("supported", "refuted", "undecided").index(item[0])
