"""`zoo behaviours`: which reasoning behaviours the responses of a sweep show, before and after, and
whether they grow beyond length and accuracy. By keywords, or by a judge model.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from zoo.behaviours.endpoint import Endpoint
from zoo.behaviours.growth import Growth, Labelled, agreement, growth
from zoo.behaviours.keywords import BEHAVIOURS
from zoo.behaviours.labels import Judge, Labels, label, price, questions
from zoo.behaviours.table import BY_JUDGE, BY_WORDS, HEAD
from zoo.errors import Fault, InputError, StateError, did_you_mean, listed
from zoo.grading import Verdict
from zoo.measuring.grade import ticking
from zoo.planning.disk_errors import started
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, as_json, load_study, shown
from zoo.render.plan_costs import counted
from zoo.runs import outcome
from zoo.runs.outcome import MeasuredEvaluation, Outcome
from zoo.stats.jackknife import JackknifeEstimate
from zoo.store.parquet import read_parquet, read_responses
from zoo.store.run_store import Store, replacing
from zoo.trials.trial import Asked

JUDGED = 200
"""Default number of responses of each set that a judge gets."""


@dataclass(frozen=True)
class BehavioursOptions:
    """What to label, by keywords or a judge, and the judge's price."""

    on: str | None = None
    decoding: str | None = None
    judge: str | None = None
    endpoint: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    responses: int | None = None
    parallel: int = 4
    price: tuple[float, float] | None = None
    yes: bool = False
    json_: bool = False


@dataclass(frozen=True)
class FirstAndLast:
    """A trial's first and last measurement of one kind."""

    found: Outcome
    before: MeasuredEvaluation
    after: MeasuredEvaluation


@dataclass(frozen=True)
class BehaviourRow:
    """One behaviour of one trial."""

    pair: FirstAndLast
    behaviour: str
    growth: Growth
    responses: int


def run(name: str, words: PlanOptions, how: BehavioursOptions) -> int:
    """Label, compare and print; returns the exit status."""
    study = load_study(name, words, started=True)
    pairs = _pairs(study, how)
    judge = _judge(study.store, how)
    limit = how.responses or (JUDGED if judge else None)
    if judge is not None and not _agreed(study.store, pairs, judge, limit, how):
        return 0
    try:
        with started(), ticking() as tick:
            labels: dict[str, Labels] = {}
            for sample in _samples(pairs):

                def say(done: int, of: int, sample: str = sample) -> None:
                    tick(f"{sample}: {done} of {of}")

                tick(sample)
                labels[sample] = label(study.store, sample, limit, judge, say)
            rows = [row for pair in pairs for row in _rows(study.store, pair, labels)]
            by_words = {s: label(study.store, s, limit, None) for s in labels} if judge else {}
    except KeyboardInterrupt:
        click.echo(
            "interrupted; finished judgements are kept; run the command again to continue", err=True
        )
        return 130
    _print(study, rows, judge, labels, by_words, how)
    return 0


def _print(
    study: Study,
    rows: Sequence[BehaviourRow],
    judge: Judge | None,
    labels: dict[str, Labels],
    by_words: dict[str, Labels],
    how: BehavioursOptions,
) -> None:
    detector = judge.endpoint.model if judge else "keywords"
    table = [HEAD, *(_csv_row(row, detector) for row in rows)]
    path = study.folder / (BY_JUDGE if judge else BY_WORDS)
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(table)
    agreed = {name: _agreement(labels, by_words, name) for name in BEHAVIOURS} if judge else {}
    if how.json_:
        data = [dict(zip(HEAD, line, strict=True)) for line in table[1:]]
        kappa = {name: {"agreement": a, "kappa": k} for name, (a, k) in agreed.items()}
        click.echo(as_json({"detector": detector, "rows": data, "keywords": kappa}))
        return
    for line in _lines(study, rows, detector):
        click.echo(line)
    for name, (same, kappa) in agreed.items():
        k = "-" if kappa is None else f"{kappa:.2f}"
        share = "-" if same is None else f"{100 * same:.0f} %"
        click.echo(f"keywords and judge on {name}: the same on {share}, kappa {k}")
    click.echo(f"numbers: {shown(path)}")


# -- what is looked at ----------------------------------------------------------------------------


def _pairs(study: Study, how: BehavioursOptions) -> list[FirstAndLast]:
    """First and last evaluation of every trial, of one benchmark and decoding.

    Raises:
        InputError: no such evaluation exists at two rounds.
    """
    loaded = [outcome.load(trial, study.store) for trial in study.chosen]
    asked = _asked(loaded, how)
    pairs: list[FirstAndLast] = []
    for found in loaded:
        same = [m for m in found.measured if m.asked == asked]
        if len(same) > 1:
            pairs.append(FirstAndLast(found, same[0], same[-1]))
    return pairs


def _asked(loaded: Sequence[Outcome], how: BehavioursOptions) -> Asked:
    """Which evaluation is used: sampled before greedy, the largest set first."""
    kinds: dict[Asked, MeasuredEvaluation] = {}
    for found in loaded:
        rounds: dict[Asked, set[int]] = {}
        for measured in found.measured:
            rounds.setdefault(measured.asked, set()).add(measured.round)
            if len(rounds[measured.asked]) > 1:
                kinds[measured.asked] = measured
    for option, said, at in (("--on", how.on, 0), ("--decoding", how.decoding, 1)):
        known = sorted({str(kind[at]) for kind in kinds})
        if said is not None and said not in known:
            hint = did_you_mean(said, known) or f"available: {listed(known)}"
            raise InputError(Fault(option, f"'{said}' is not evaluated at two rounds", hint=hint))
    wanted = [
        kind
        for kind in kinds
        if kind[0] == (how.on or kind[0]) and kind[1] == (how.decoding or kind[1])
    ]
    if not wanted:
        hint = "evaluate it at two rounds (`at: [0, last]`)"
        raise InputError(Fault("behaviours", "no trial is evaluated at two rounds", hint=hint))
    return max(wanted, key=lambda kind: (kinds[kind].n, kind[3], kind[1] != "t0"))


def _samples(pairs: Sequence[FirstAndLast]) -> list[str]:
    """Sets of responses, each once: the base model's are shared."""
    ids = [m.sample_id for pair in pairs for m in (pair.before, pair.after)]
    return list(dict.fromkeys(ids))


def _rows(store: Store, pair: FirstAndLast, labels: dict[str, Labels]) -> Iterator[BehaviourRow]:
    for name in BEHAVIOURS:
        sets = [_labelled(store, m, labels[m.sample_id], name) for m in (pair.before, pair.after)]
        yield BehaviourRow(pair, name, growth(*sets), len(sets[1]))


def _labelled(
    store: Store, measured: MeasuredEvaluation, labels: Labels, behaviour: str
) -> list[Labelled]:
    """The labelled responses of a set, with verdict and length.

    Raises:
        StateError: a file is gone or does not fit the others.
    """
    rows = read_responses(store.completions(measured.sample_id), ["id"])
    graded = read_parquet(store.verdicts(measured.score_id), ["id", "verdict"])
    if graded["id"] != rows["id"]:
        raise StateError(f"{store.verdicts(measured.score_id)} is of other completions")
    shows = [behaviour in shown for shown in labels]
    whole = zip(rows["id"], graded["verdict"], rows["length"], strict=True)
    return [
        Labelled(str(id_), one, verdict == Verdict.CORRECT.value, length or 0)
        for one, (id_, verdict, length) in zip(shows, whole, strict=False)
    ]


def _agreement(
    one: dict[str, Labels], two: dict[str, Labels], behaviour: str
) -> tuple[float | None, float | None]:
    flat = [[behaviour in shown for s in one for shown in found[s]] for found in (one, two)]
    return agreement(*flat)


# -- the judge ------------------------------------------------------------------------------------


def _judge(store: Store, how: BehavioursOptions) -> Judge | None:
    """The requested judge; its key is read here and never stored."""
    if how.judge is None and how.endpoint is None:
        return None
    if how.judge is None or how.endpoint is None:
        missing = "--endpoint" if how.endpoint is None else "--judge"
        raise InputError(Fault(missing, "is missing", "--judge MODEL --endpoint URL, both"))
    key = os.environ.get(how.key_variable) or None
    return Judge(Endpoint(how.endpoint, how.judge, key), store.cache / "judge", how.parallel)


def _agreed(
    store: Store,
    pairs: Sequence[FirstAndLast],
    judge: Judge,
    limit: int | None,
    how: BehavioursOptions,
) -> bool:
    """Print the estimated cost of the judge, and ask for confirmation."""
    asked = [q for sample in _samples(pairs) for q in questions(store, sample, limit)]
    cost = price(judge, asked)
    text = f"{judge.endpoint.model}: {counted(cost.calls, 'call')}, about {cost.tokens_in:,} "
    text += f"tokens in and {cost.tokens_out:,} out"
    if how.price:
        text += f", {cost.usd(how.price):.2f} USD"
    cached = len(set(asked)) - cost.calls
    click.echo(f"{text}; {cached:,} answers are there", err=True)
    if not cost.calls or how.yes:
        return True
    if not sys.stdin.isatty():
        raise InputError(Fault("--judge", "no terminal to confirm the cost on", "--yes"))
    return click.confirm("Call the judge?", err=True)


# -- text -----------------------------------------------------------------------------------------


def _lines(study: Study, rows: Sequence[BehaviourRow], detector: str) -> Iterator[str]:
    if study.simulated or study.words.rehearse:
        yield "SIMULATED OR REHEARSED: these numbers are no evidence about the models named."
    first = rows[0].pair.after
    yield click.style(
        f"{first.benchmark} {first.decoding}, by {detector}: % of responses; growth in points "
        "(95 %)",
        bold=True,
    )
    for pair in dict.fromkeys(id(row.pair) for row in rows):
        own = [row for row in rows if id(row.pair) == pair]
        one = own[0]
        name = study.names[one.pair.found.trial.id]
        g = one.growth
        yield (
            f"{name}: round {one.pair.before.round} to {one.pair.after.round}, {one.responses} "
            f"responses, {_number(g.length_before)} to {_number(g.length_after)} tokens"
        )
        for row in own:
            g = row.growth
            text = f"  {row.behaviour:<16} {_percent(g.before)} to {_percent(g.after)}; "
            text += f"all {_points(g.all)}; right ones {_points(g.right)}; like lengths "
            text += f"{_points(g.like_length)} ({100 * g.matched:.0f} % matched)"
            yield text + ("; AHA" if g.aha else "")
    yield "AHA: from below 10 %, and growing among responses of like length (its interval above 0)"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _points(estimate: JackknifeEstimate) -> str:
    if estimate.value is None:
        return "-"
    text = f"{100 * estimate.value:+.1f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({100 * estimate.low:+.1f} to {100 * estimate.high:+.1f})"


def _csv_row(row: BehaviourRow, detector: str) -> tuple[Any, ...]:
    pair, g = row.pair, row.growth
    trial = pair.found.trial
    return (
        *(trial.id, trial.model.name, trial.seed, detector, pair.after.benchmark),
        *(pair.after.decoding, row.behaviour, pair.before.round, pair.after.round),
        *(row.responses, g.before, g.after, g.all.value, g.all.low, g.all.high),
        *(g.right.value, g.right.low, g.right.high),
        *(g.like_length.value, g.like_length.low, g.like_length.high, g.matched),
        *(g.length_before, g.length_after, g.aha),
    )
