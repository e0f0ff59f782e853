"""How each number was made: decoding, sizes, graders, stacks, ids, intervals; rows of text.

Knows no HTML; every text in here is unescaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from zoo.errors import listed
from zoo.findings.collect import Results, Side
from zoo.findings.format import DASH, duration, interval, length, percent
from zoo.findings.view import decoding_words, state_words
from zoo.grading import GRADER_VERSION
from zoo.runs.finals import measured_by
from zoo.runs.outcome import MeasuredEvaluation, Outcome
from zoo.trials.trial import Evaluation


def evaluation_rows(results: Results) -> list[tuple[str, ...]]:
    """How each benchmark was measured."""
    caps = {(o.trial.model.cap) for o in results.outcomes}
    cap = "/".join(map(str, sorted(caps)))
    same = [
        {m.score_id: m for o in results.outcomes for m in measured_by(e, o.measured).values()}
        for e in results.headline
    ]
    return [
        (
            e.benchmark.name,
            e.decoding_name,
            f"{decoding_words(e.decoding)}, top-p {e.decoding.top_p:g}",
            str(e.decoding.max_tokens or cap),
            str(e.problems or e.benchmark.n or "all"),
            e.benchmark.extract,
            ", ".join(sorted({m.grader for m in made.values()})) or DASH,
            audit_words(made.values()),
            e.digest,
        )
        for e, made in zip(results.headline, same, strict=True)
    ]


def audit_words(scores: Iterable[MeasuredEvaluation]) -> str:
    """Number of audited answers on which stock math-verify disagrees, over several scores:
    `1 of 84 (1.2 %)`.
    """
    rates = [(m.audited, m.values.get("audit_disagreement")) for m in scores]
    n = sum(audited for audited, rate in rates if rate is not None)
    if not n:
        return DASH
    differ = sum(round(audited * rate) for audited, rate in rates if rate is not None)
    return f"{differ} of {n:,} ({percent(differ / n)} %)"


def grading_notes(results: Results) -> list[str]:
    """Where another grader than the present one spoke, and what a replay found."""
    standings = {o.trial.id: o.standing for o in results.outcomes}
    command = f"`zoo grade {results.experiment.name}`"
    notes = []
    if scores := frozenset().union(*(s.scores for s in standings.values())):
        notes.append(
            f"Evaluations by another grader than the current one ({GRADER_VERSION}): "
            f"{len(scores)}. {command} grades them again without sampling."
        )
    if n := sum(s.replay for s in standings.values()):
        notes.append(
            f"Trials rewarded by another grader than the current one ({GRADER_VERSION}): {n}. "
            f"{command} checks whether their rewards would change now, without training."
        )
    stale = {id_: s.stale_from for id_, s in standings.items() if s.stale_from is not None}
    if stale:
        named = ", ".join(f"{id_} (from round {round_})" for id_, round_ in stale.items())
        notes.append(
            f"Trials whose rewards change under the current grader ({GRADER_VERSION}), shown as "
            f"they were trained: {named}. To train one again, move its folder out of the run "
            "store and sweep."
        )
    return notes


def seed_notes(results: Results) -> list[str]:
    """Comparisons of responses that were sampled under different seed rules; round 0 is the same
    under all of them."""
    rules: dict[tuple[str, str], Counter[str]] = {}
    for found in results.outcomes:
        for e in results.headline:
            after = results.contrast(found, e).after
            own = {m.seed_rule for m in after.sources if m.round} if after else ()
            rules.setdefault((e.benchmark.name, e.decoding_name), Counter()).update(own)
    mixed = {place: found for place, found in rules.items() if len(found) > 1}
    if not mixed:
        return []
    trials = max(mixed.values(), key=lambda found: found.total())
    counts = ", ".join(f"{rule or 'first'}: {n}" for rule, n in sorted(trials.items()))
    where = listed(f"{benchmark} {decoding}" for benchmark, decoding in mixed)
    return [
        f"Final numbers sampled under different seed rules (trials by rule: {counts}): {where}. "
        "Part of a difference between such trials is another draw of the responses."
    ]


def round_notes(results: Results) -> list[str]:
    """Trials that have fewer rounds than the rest, or were extended beyond what is shown."""
    notes: list[str] = []
    rounds = results.experiment.rounds
    finished = [o for o in results.outcomes if o.record and o.record.finished()]
    if short := [o for o in finished if o.state == "incomplete" and o.reached < o.trial.rounds]:
        named = listed((f"{o.trial.id} ({o.reached} rounds)" for o in short), 6)
        notes.append(
            f"Finished trials with fewer rounds than {rounds}: {len(short)}, {named}. They have no "
            "final numbers here and are in no comparison."
        )
    if longer := [o for o in results.outcomes if o.trained_to]:
        named = listed((f"{o.trial.id} (to round {o.trained_to})" for o in longer), 6)
        notes.append(
            f"Trials that were trained further: {len(longer)}, {named}. All numbers here are of "
            f"the {rounds} rounds that this plan has."
        )
    return notes


def trial_rows(results: Results) -> list[tuple[str, ...]]:
    """Which run each row of the headline is: ids, lineages, digests, stack, time."""
    return [
        (
            o.trial.id,
            state_words(o),
            str(o.trial.seed),
            str(o.lineage),
            f"{o.reached} of {o.trial.rounds}",
            duration(o.record.seconds) if o.record else DASH,
            o.trial.trainer,
            o.trial.model_digest,
            o.trial.data_digest,
            stack_words(o.record.stack if o.record else {}),
        )
        for o in results.outcomes
    ]


def stack_words(stack: dict[str, str]) -> str:
    """A stack in one line."""
    return ", ".join(f"{name} {version}" for name, version in stack.items()) or DASH


def stacks(results: Results) -> list[str]:
    """The different stacks among the finished trials; more than one is worth a warning."""
    return list(
        dict.fromkeys(
            stack_words(o.record.stack) for o in results.outcomes if o.record and o.record.stack
        )
    )


def provenance(results: Results) -> list[str]:
    """Full versions and commits that the trials recorded; the host of older records is left out."""
    recorded = [o.record.about.get("provenance") for o in results.outcomes if o.record]
    found = [{k: p[k] for k in p if k != "host"} for p in recorded if isinstance(p, dict)]
    return list(dict.fromkeys(stack_words(p) for p in found))


def number_rows(results: Results) -> list[tuple[str, ...]]:
    """Every number of the headline with its interval, n and where it is stored."""
    told = []
    for found in results.outcomes:
        for e in results.headline:
            change = results.contrast(found, e)
            for when, side in (("before", change.before), ("after", change.after)):
                told.append(_number_row(found, e, when, side))
    return told


def _number_row(found: Outcome, e: Evaluation, when: str, side: Side | None) -> tuple[str, ...]:
    head = (found.trial.id, e.benchmark.name, e.decoding_name, when)
    if side is None:
        return (*head, *(DASH,) * 9, state_words(found))
    sources: tuple[MeasuredEvaluation, ...] = side.sources
    return (
        *head,
        ", ".join(str(m.round) for m in sources),
        percent(side.get("acc")),
        interval(side.get("acc"), side.problems),
        str(side.n),
        str(side.n - side.scored),
        percent(side.get("acc_boxed")),
        percent(side.get("box_ratio")),
        f"{length(side.get('mean_length'))} / {length(side.get('mean_terminated_length'))}",
        percent(side.get("clipped_ratio")),
        ", ".join(m.score_id for m in sources),
    )
