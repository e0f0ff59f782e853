"""What the page shows, as plain values: rows, cells, texts.

Knows no HTML; every text in here is unescaped. Judges nothing: it says what was measured, of how
many problems, and what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from statistics import median
from typing import Any

from zoo.findings.collect import Contrast, Results, Side
from zoo.findings.format import DASH, TIMES, day, interval, percent, points
from zoo.manifest.schema import Decoding
from zoo.runs.outcome import Outcome, ShownCompletion, completions
from zoo.runs.tripwires import REASON, collapsed, crossed_by
from zoo.trials.metrics import last_k
from zoo.trials.trial import Evaluation

SAMPLED_TRIALS = 36
SAMPLED_PROBLEMS = 4
LONGEST_TEXT = 1500
STATE_WORDS = {
    "done": "done",
    "stopped": "stopped",
    "incomplete": "trained, but rounds or an evaluation are missing",
    "failed": "failed",
    "preempted": "interrupted",
    "unfinished": "running or cut off",
    "missing": "not run",
    "void": "void",
}


@dataclass(frozen=True)
class TableCell:
    """One contrast in the headline table. `left`, `width` (%) and `tint` (0 to 1) draw it."""

    gain: str
    before: str
    after: str
    in_box: str
    """Accuracy before and after where only a box counts; empty where it was not evaluated."""
    boxed: str
    length: str
    note: str
    """Why there is no final number; empty where there is one."""
    mark: str
    """What sets the trial apart although there is one."""
    hover: str
    left: float = 0
    width: float = 0
    tint: float = 0
    loss: bool = False


@dataclass(frozen=True)
class ReportRow:
    """One trial in a table; `repeats` says which of its axis values the row above has as well."""

    found: Outcome
    axes: tuple[str, ...]
    repeats: tuple[bool, ...]
    cells: tuple[TableCell, ...]
    state: str

    @property
    def label(self) -> str:
        """The trial in words."""
        return " · ".join([*self.axes, f"seed {self.found.trial.seed}"])


@dataclass(frozen=True)
class Pair:
    """The same problem before and after; either side may be gone from the store."""

    id: str
    prompt: str
    gold: str
    before: ShownCompletion | None
    after: ShownCompletion | None


@dataclass(frozen=True)
class Sample:
    """Completions of one trial."""

    label: str
    change: str
    pairs: tuple[Pair, ...]


def table_rows(results: Results) -> list[ReportRow]:
    """All trials with their contrasts, in the manifest's order."""
    rows: list[ReportRow] = []
    above: tuple[str, ...] = ()
    for found in results.outcomes:
        axes = tuple(str(found.trial.cell.get(axis)) for axis in results.axes)
        repeats = tuple(axes[: i + 1] == above[: i + 1] for i in range(len(axes)))
        mark = marks(found)
        cells = tuple(_cell(found, results.contrast(found, e), mark) for e in results.headline)
        rows.append(ReportRow(found, axes, repeats, cells, state_words(found)))
        above = axes
    return rows


def state_words(found: Outcome) -> str:
    """State as a sentence's part: `failed at round 12 (oom)`."""
    if found.void is not None:
        return f"void: {found.void.why}"
    if found.state == "stopped":
        return marks(found)
    text = STATE_WORDS[found.state]
    if found.record is not None and found.record.cut and found.state == "preempted":
        text = "stopped by the budget"
    if found.state in ("failed", "preempted", "unfinished"):
        text += f" at round {found.reached}"
    cause = found.record.failure_class if found.record and found.state == "failed" else None
    text = f"{text} ({cause})" if cause else text
    return f"{text}; {told}" if (told := marks(found)) else text


def marks(found: Outcome) -> str:
    """What sets a trial apart although it may have numbers: a stop, or lines that it crossed; empty
    for others."""
    if found.state == "stopped":
        return f"{stop_words(found)} ({stop_cause(found)})"
    return "; ".join(f"crossed {crossing}" for crossing in crossed_by(found))


def stop_words(found: Outcome) -> str:
    """Where training was stopped: `stopped at round 3 of 30`."""
    return f"stopped at round {found.reached} of {found.trial.rounds}"


def stop_cause(found: Outcome) -> str:
    """Why training was stopped: the line that it crossed, or `diverged`."""
    record = found.record
    reason = (record.stop_reason or "" if record else "") or "no reason recorded"
    line = record.message.rpartition(", at round ")[0] if record else ""
    return line if line and reason.startswith(REASON) else reason


def _cell(found: Outcome, change: Contrast, mark: str = "") -> TableCell:
    before, after, gain = change.before, change.after, change.gain
    hover = "; ".join(
        _told(name, side) for name, side in (("before", before), ("after", after)) if side
    )
    base = before.get("acc") if before else None
    left, moved = (base, gain) if base is not None and gain is not None else (0.0, 0.0)
    mark = stop_words(found) if found.state == "stopped" else mark
    return TableCell(
        gain=points(gain),
        before=percent(base),
        after=percent(after.get("acc")) if after else DASH,
        in_box=_pair(before, after, "acc_boxed", percent) if _measured(after, "acc_boxed") else "",
        boxed=_pair(before, after, "box_ratio", lambda v: percent(v, 0)),
        length=_pair(before, after, "mean_length", lambda v: f"{v:.0f}"),
        note="" if after else state_words(found),
        mark=mark if after else "",
        hover=hover,
        left=100 * min(left, left + moved),
        width=100 * abs(moved),
        tint=min(1.0, abs(moved) / 0.6),
        loss=moved < 0,
    )


def _measured(side: Side | None, measure: str) -> bool:
    return side is not None and side.get(measure) is not None


def _told(name: str, side: Side) -> str:
    share = side.get("acc")
    return (
        f"{name}: {percent(share)} %, 95 % interval {interval(share, side.problems)}, n = {side.n}"
    )


def _pair(
    before: Side | None, after: Side | None, measure: str, form: Callable[[float], str]
) -> str:
    values = [side.get(measure) if side else None for side in (before, after)]
    return " → ".join(DASH if value is None else form(value) for value in values)


def summary(results: Results) -> list[str]:
    """What came out, one sentence a benchmark and decoding; describes and judges nothing."""
    told = []
    apart = {found.trial.id for found in results.outcomes if collapsed(found)}
    for evaluation in results.headline:
        gains = {
            found.trial.id: gain
            for found in results.outcomes
            if (gain := counted_gain(found, results.contrast(found, evaluation))) is not None
        }
        if gains:
            what = f"{evaluation.benchmark.name}, {decoding_words(evaluation.decoding)}"
            count = f"{len(gains)} of {len(results.outcomes)} trials"
            text = f"{what}: accuracy changed by {_spread([*gains.values()])} in {count}"
            whole = [gain for trial, gain in gains.items() if trial not in apart]
            if len(whole) < len(gains):
                text += f"; without the {len(gains) - len(whole)} that collapsed "
                text += f"by {_spread(whole)}" if whole else "there is none"
            told.append(f"{text}.")
    return told


def counted_gain(found: Outcome, change: Contrast) -> float | None:
    """Final less base accuracy as it counts: a trial that was stopped and kept no weights has come
    to an accuracy of 0."""
    if change.before is not None and found.lost_its_weights:
        base = change.before.get("acc")
        return None if base is None else -base
    return change.gain


def _spread(gains: list[float]) -> str:
    middle = f" (median {points(median(gains))})" if len(gains) > 2 else ""
    spread = " to ".join(dict.fromkeys([points(min(gains)), points(max(gains))]))
    return f"{spread} points{middle}"


def decoding_words(decoding: Decoding) -> str:
    """A decoding as people say it."""
    if decoding.temperature == 0:
        return "greedy"
    top = f", top-p {decoding.top_p:g}" if decoding.top_p < 1 else ""
    return f"temperature {decoding.temperature:g}{top}"


def plan_facts(results: Results) -> list[tuple[str, str]]:
    """The plan in names and words."""
    experiment, trials = results.experiment, [o.trial for o in results.outcomes]
    facts = [(axis, ", ".join(map(str, results.values(axis)))) for axis in results.axes]
    facts.append(("seeds", ", ".join(map(str, results.seeds))))
    states = ", ".join(f"{n} {STATE_WORDS[state]}" for state, n in results.counts.items())
    facts.append(("trials", f"{_trial_count(results)}: {states}"))
    facts.append(
        ("recipe", ", ".join(dict.fromkeys(t.recipe for t in trials)) or experiment.recipe)
    )
    facts.append(("rounds", f"{experiment.rounds}; {round_words(results)}"))
    words = {"watch": "watched", "full": "compared"}
    for name, schedule in experiment.evaluate.schedules.items():
        when = (
            f"every {schedule.every} rounds"
            if schedule.every
            else "at " + ", ".join(map(str, schedule.at))
        )
        size = f"first {schedule.problems} problems" if schedule.problems else "all problems"
        names = [b if isinstance(b, str) else b.name or b.path for b in schedule.benchmarks]
        facts.append((words.get(name, name), f"{', '.join(names)}: {size}, {when}"))
    k = last_k(experiment.final)
    what = "of eval/... (the full schedule, where it measures the benchmark): "
    what += "the last round" if k == 1 else f"the mean of the last {k} evaluations"
    facts.append(("final number", what))
    return facts


def scope(results: Results) -> str:
    """The plan in one sentence."""
    rounds = f"{results.experiment.rounds} rounds each; {round_words(results)}"
    return f"{_trial_count(results)} with the recipe {results.experiment.recipe}, {rounds}."


def _trial_count(results: Results) -> str:
    """`12 trials (3 models x 2 rewards x 2 training sets x 1 seed)`; says if cells are amiss."""
    nouns = {
        "model": "models",
        "reward": "rewards",
        "data": "training sets",
        "prompt": "prompts",
        "recipe": "recipes",
    }
    sizes = [
        (len(results.values(axis)), nouns.get(axis, f"values of {axis}")) for axis in results.axes
    ]
    sizes.append((len(results.seeds), "seeds"))
    named = [f"{n} {noun.removesuffix('s') if n == 1 else noun}" for n, noun in sizes]
    told = f" {TIMES} ".join(named)
    product = prod(n for n, _ in sizes)
    some = "" if product == len(results.outcomes) else ", some cells left out or added"
    trials = "trial" if len(results.outcomes) == 1 else "trials"
    return f"{len(results.outcomes)} {trials} ({told}{some})"


def round_words(results: Results) -> str:
    """`1 round = U updates = N completions`, once a batch geometry."""
    batches = dict.fromkeys(o.trial.batch for o in results.outcomes)
    told = [
        f"1 round = {b.updates} update{'s' * (b.updates > 1)} = {b.completions:,} completions "
        f"({b.prompts:,} prompts {TIMES} {b.num_generations})"
        for b in batches
    ]
    return " or ".join(told)


def samples(results: Results) -> tuple[list[Sample], str]:
    """The first problems of a benchmark for each trial, and how they were chosen."""
    if not results.headline:
        return [], ""
    cache: dict[str, list[ShownCompletion]] = {}

    def read(side: Side | None) -> dict[str, ShownCompletion]:
        if side is None:
            return {}
        source = side.sources[-1]
        if source.sample_id not in cache:
            cache[source.sample_id] = completions(results.store, source, SAMPLED_PROBLEMS)
        return {c.id: c for c in cache[source.sample_id]}

    found = [
        _sample(o, results.contrast(o, _closest(results, o)), read)
        for o in results.outcomes
        if o.lineage
    ]
    told = f"The first {SAMPLED_PROBLEMS} problems, not selected by outcome."
    if len(found) > SAMPLED_TRIALS:
        told += f" The first {SAMPLED_TRIALS} of {len(found)} trials."
    return [s for s in found[:SAMPLED_TRIALS] if s.pairs], told


def _closest(results: Results, found: Outcome) -> Evaluation:
    """The evaluation on the benchmark named as the training data, else the first."""
    same = [e for e in results.headline if e.benchmark.name == found.trial.data.name]
    return (same or list(results.headline))[0]


def _sample(
    found: Outcome, change: Contrast, read: Callable[[Side | None], dict[str, ShownCompletion]]
) -> Sample:
    before, after = read(change.before), read(change.after)
    either = before | after
    pairs = tuple(Pair(i, c.prompt, c.gold, before.get(i), after.get(i)) for i, c in either.items())
    cell = _cell(found, change)
    accuracy = (
        f"{cell.before} → {cell.after} %"
        if change.after
        else f"{cell.before} %, then {state_words(found)}"
    )
    e = change.evaluation
    what = f"{e.benchmark.name}, {decoding_words(e.decoding)}: {accuracy}"
    return Sample(label(found), what, pairs)


def label(found: Outcome) -> str:
    """A trial by its cell and seed."""
    trial = found.trial
    return " · ".join([*(str(value) for value in trial.cell.values()), f"seed {trial.seed}"])


def failures(results: Results) -> list[dict[str, Any]]:
    """Trials that are not done although they were started, with the last of what they said."""
    return [
        {
            "id": o.trial.id,
            "state": state_words(o),
            "lineage": o.lineage,
            "message": o.record.message if o.record else "",
            "log": o.log_tail(),
        }
        for o in results.outcomes
        if o.state not in ("done", "stopped", "missing", "void")
    ]


def stopped(results: Results) -> list[dict[str, str]]:
    """Trials whose training was stopped for a reason that is an outcome, and what they came to."""
    return [
        {
            "id": o.trial.id,
            "label": label(o),
            "why": f"{stop_words(o)}: {stop_cause(o)}",
            "message": o.record.message if o.record and stop_cause(o) == "diverged" else "",
            "final": "it kept no weights" if o.lost_its_weights else "",
        }
        for o in results.outcomes
        if o.state == "stopped"
    ]


def voided(results: Results) -> list[dict[str, str]]:
    """Decisions to set trials aside, each with its reason and what counts now; all of them, also
    of lineages that training again replaced."""
    return [
        {
            "id": found.trial.id,
            "label": label(found),
            "why": row.why,
            "when": day(row.time),
            "now": "" if row == found.void else "trained again since then, and that counts",
        }
        for found in results.outcomes
        for row in found.voids
    ]
