"""What the page shows, as plain values: rows, cells, texts.

Knows no HTML; every text in here is unescaped. Judges nothing: it says what was measured, of how
many problems, and what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from statistics import median
from typing import Any

from zoo.manifest.schema import Decoding
from zoo.manifest.trial import Evaluation
from zoo.report.collect import Contrast, Results, Side
from zoo.report.numbers import DASH, TIMES, duration, interval, length, percent, points
from zoo.track import record
from zoo.track.outcome import Completion, Measured, Outcome, completions
from zoo.track.store import Store, read_json

SAMPLED_TRIALS = 36
SAMPLED_PROBLEMS = 4
LONGEST_TEXT = 1500
STATE_WORDS = {
    "done": "done",
    "incomplete": "trained, but an evaluation is missing",
    "failed": "failed",
    "preempted": "interrupted",
    "unfinished": "running or cut off",
    "missing": "not run",
}


@dataclass(frozen=True)
class Cell:
    """One contrast in the headline table. `left`, `width` (%) and `tint` (0 to 1) draw it."""

    gain: str
    before: str
    after: str
    boxed: str
    length: str
    note: str
    """Why there is no final number; empty where there is one."""
    hover: str
    left: float = 0
    width: float = 0
    tint: float = 0
    loss: bool = False


@dataclass(frozen=True)
class Row:
    """One trial in a table; `repeats` says which of its axis values the row above has as well."""

    found: Outcome
    axes: tuple[str, ...]
    repeats: tuple[bool, ...]
    cells: tuple[Cell, ...]
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
    before: Completion | None
    after: Completion | None


@dataclass(frozen=True)
class Sample:
    """Completions of one trial."""

    label: str
    change: str
    pairs: tuple[Pair, ...]


def table_rows(results: Results) -> list[Row]:
    """All trials with their contrasts, in the manifest's order."""
    rows: list[Row] = []
    above: tuple[str, ...] = ()
    for found in results.outcomes:
        axes = tuple(str(found.trial.cell.get(axis)) for axis in results.axes)
        repeats = tuple(axes[: i + 1] == above[: i + 1] for i in range(len(axes)))
        cells = tuple(_cell(found, results.contrast(found, e)) for e in results.headline)
        rows.append(Row(found, axes, repeats, cells, state_words(found)))
        above = axes
    return rows


def state_words(found: Outcome) -> str:
    """State as a sentence's part: `failed at round 12 (oom)`."""
    text = STATE_WORDS[found.state]
    if found.state in ("failed", "preempted", "unfinished"):
        text += f" at round {found.reached}"
    cause = found.record.failure_class if found.record and found.state == "failed" else None
    return f"{text} ({cause})" if cause else text


def _cell(found: Outcome, change: Contrast) -> Cell:
    before, after, gain = change.before, change.after, change.gain
    hover = "; ".join(
        _told(name, side) for name, side in (("before", before), ("after", after)) if side
    )
    cell = Cell(
        gain=points(gain),
        before=percent(before.get("acc")) if before else DASH,
        after=percent(after.get("acc")) if after else DASH,
        boxed=_pair(before, after, "box_ratio", lambda v: percent(v, 0)),
        length=_pair(before, after, "mean_length", lambda v: f"{v:.0f}"),
        note="" if after else state_words(found),
        hover=hover,
    )
    if gain is None or before is None:
        return cell
    low = min(before.values["acc"], before.values["acc"] + gain)
    tint = min(1.0, abs(gain) / 0.6)
    return replace(cell, left=100 * low, width=100 * abs(gain), tint=tint, loss=gain < 0)


def _told(name: str, side: Side) -> str:
    share = side.get("acc")
    return f"{name}: {percent(share)} %, 95 % interval {interval(share, side.scored)}, n = {side.n}"


def _pair(
    before: Side | None, after: Side | None, measure: str, form: Callable[[float], str]
) -> str:
    values = [side.get(measure) if side else None for side in (before, after)]
    return " → ".join(DASH if value is None else form(value) for value in values)


def summary(results: Results) -> list[str]:
    """What came out, one sentence a benchmark and decoding; describes and judges nothing."""
    told = []
    for evaluation in results.headline:
        changes = [results.contrast(found, evaluation) for found in results.outcomes]
        gains = [c.gain for c in changes if c.gain is not None]
        if gains:
            spread = f"{points(min(gains))} to {points(max(gains))}"
            what = f"{evaluation.benchmark.name}, {decoding_words(evaluation.decoding)}"
            middle = f"median {points(median(gains))}"
            count = f"{len(gains)} of {len(changes)} trials"
            told.append(f"{what}: accuracy changed by {spread} points ({middle}) in {count}.")
    return told


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
    facts.append(("seeds", ", ".join(map(str, experiment.seeds))))
    states = ", ".join(f"{n} {STATE_WORDS[state]}" for state, n in results.counts.items())
    facts.append(("trials", f"{_trial_count(results)}: {states}"))
    facts.append(
        ("recipe", ", ".join(dict.fromkeys(t.recipe for t in trials)) or experiment.recipe)
    )
    facts.append(("rounds", f"{experiment.rounds}; {round_words(results)}"))
    for name, schedule in (
        ("watched", experiment.evaluate.watch),
        ("compared", experiment.evaluate.full),
    ):
        if schedule:
            when = (
                f"every {schedule.every} rounds"
                if schedule.every
                else "at " + ", ".join(map(str, schedule.at))
            )
            size = f"first {schedule.problems} problems" if schedule.problems else "all problems"
            names = [b if isinstance(b, str) else b.name or b.path for b in schedule.benchmarks]
            facts.append((name, f"{', '.join(names)}: {size}, {when}"))
    final = experiment.final
    words = (
        "the last round"
        if final == "last"
        else f"the mean of the last {final.rsplit('-', 1)[1]} evaluations"
    )
    facts.append(("final number", words))
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
    sizes.append((len(results.experiment.seeds), "seeds"))
    named = [f"{n} {noun.removesuffix('s') if n == 1 else noun}" for n, noun in sizes]
    told = f" {TIMES} ".join(named)
    product = prod(n for n, _ in sizes)
    some = "" if product == len(results.outcomes) else ", some cells left out or added"
    return f"{len(results.outcomes)} trials ({told}{some})"


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
    cache: dict[str, list[Completion]] = {}

    def read(side: Side | None) -> dict[str, Completion]:
        if side is None:
            return {}
        source = side.sources[-1]
        if source.sample_id not in cache:
            cache[source.sample_id] = completions(results.store, source, SAMPLED_PROBLEMS)
        return {c.id: c for c in cache[source.sample_id]}

    found = [
        _sample(o, results.contrast(o, _closest(results, o)), read)
        for o in results.outcomes
        if o.attempt
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
    found: Outcome, change: Contrast, read: Callable[[Side | None], dict[str, Completion]]
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
    label = [*(str(v) for v in found.trial.cell.values()), f"seed {found.trial.seed}"]
    return Sample(" · ".join(label), what, pairs)


def evaluation_rows(results: Results) -> list[tuple[str, ...]]:
    """How each benchmark was measured."""
    caps = {(o.trial.model.cap) for o in results.outcomes}
    cap = "/".join(map(str, sorted(caps)))
    graders: dict[tuple[str, str], set[str]] = {}
    for found in results.outcomes:
        for m in found.measured:
            graders.setdefault((m.benchmark, m.decoding), set()).add(m.score_id)
    return [
        (
            e.benchmark.name,
            e.decoding_name,
            f"{decoding_words(e.decoding)}, top-p {e.decoding.top_p:g}",
            str(e.decoding.max_tokens or cap),
            str(e.problems or e.benchmark.n or "all"),
            e.benchmark.extract,
            grader_versions(results.store, graders.get((e.benchmark.name, e.decoding_name), set())),
            e.digest,
        )
        for e in results.headline
    ]


def grader_versions(store: Store, score_ids: set[str]) -> str:
    """Versions of the grader behind some scores (a few are looked at), as recorded with them."""
    seen = set()
    for id_ in sorted(score_ids)[:24]:
        folder = store.folder("scores", id_)
        made = record.read(folder)
        said = {**(read_json(folder / "score.json") or {}), **(made.identity if made else {})}
        seen.add(str(said.get("grader", "unknown")))
    return ", ".join(sorted(seen)) or DASH


def trial_rows(results: Results) -> list[tuple[str, ...]]:
    """Which run each row of the headline is: ids, attempts, digests, stack, time."""
    return [
        (
            o.trial.id,
            state_words(o),
            str(o.trial.seed),
            str(o.attempt),
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
    """Full versions and commits that the trials recorded."""
    found = [o.record.about.get("provenance") for o in results.outcomes if o.record]
    return list(dict.fromkeys(stack_words(p) for p in found if isinstance(p, dict)))


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
        return (*head, *(DASH,) * 8, state_words(found))
    sources: tuple[Measured, ...] = side.sources
    return (
        *head,
        ", ".join(str(m.round) for m in sources),
        percent(side.get("acc")),
        interval(side.get("acc"), side.scored),
        str(side.n),
        str(side.n - side.scored),
        percent(side.get("box_ratio")),
        f"{length(side.get('mean_length'))} / {length(side.get('mean_terminated_length'))}",
        percent(side.get("clipped_ratio")),
        ", ".join(m.score_id for m in sources),
    )


def failures(results: Results) -> list[dict[str, Any]]:
    """Trials that are not done although they were started, with the last of what they said."""
    return [
        {
            "id": o.trial.id,
            "state": state_words(o),
            "attempt": o.attempt,
            "message": o.record.message if o.record else "",
            "log": o.log_tail(),
        }
        for o in results.outcomes
        if o.state not in ("done", "missing")
    ]
