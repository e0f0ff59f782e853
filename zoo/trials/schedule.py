"""Rounds and names of evaluations: an evaluation plan and a horizon give rounds.

A metric's name refers to one set of problems and samples. Of the sets of a benchmark and decoding,
that of `full` is named `eval/...`; where `full` has none of them, the largest one that reaches the
horizon is. Every other set has the name of the first schedule that needs it, as `watch/...`.
Schedules that need the same set share one evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from zoo.catalog import BenchmarkCard
from zoo.manifest.metric_name import EVAL, RESERVED
from zoo.manifest.schema import Decoding, Experiment, InlineBenchmark, Schedule
from zoo.trials import rehearsal
from zoo.trials.card_lookup import Names, slug
from zoo.trials.trial import Evaluation
from zoo.yamlio.patterns import NAME
from zoo.yamlio.validate import PATTERNS

Key = tuple[str, int | None, int, str]  # benchmark, problems, samples, decoding


def evaluations(names: Names, experiment: Experiment) -> tuple[Evaluation, ...] | None:
    """One entry a benchmark, subset, number of samples and decoding, its rounds merged over the
    schedules.

    Faults go to `names`; None with any of its own.
    """
    before = names.wrong
    plan, horizon = experiment.evaluate, experiment.rounds
    watch = points(plan.watch, horizon) if plan.watch else ()
    merged: dict[Key, tuple[set[int], list[str]]] = {}
    for name, schedule in plan.schedules.items():
        _check(names, experiment, name, schedule)
        for i, ref in enumerate(schedule.benchmarks):
            names.problems(BenchmarkCard, ref, ("evaluate", name, "benchmarks", i))
            benchmark = _name(ref)
            if names.wrong > before:
                continue
            card = names.known(BenchmarkCard, benchmark)
            for decoding in schedule.decodings or plan.decoding:
                greedy = plan.decoding[decoding].temperature == 0
                samples = 1 if greedy else schedule.samples or card.samples
                key = (benchmark, schedule.problems, samples, decoding)
                rounds, said = merged.setdefault(key, (set(), []))
                rounds.update(points(schedule, horizon, watch))
                said.append(name)
        if names.wrong == before and not names.manifest.rehearse:
            _check_problems(names, name, schedule)
    if names.wrong > before:
        return None
    found = [
        _evaluation(names, key, plan.decoding[key[-1]], rounds, said)
        for key, (rounds, said) in merged.items()
    ]
    return tuple(_named(found, horizon))


def _named(found: list[Evaluation], horizon: int) -> Iterator[Evaluation]:
    """Evaluations with their series; see the head of this module."""

    def rank(evaluation: Evaluation) -> tuple[Any, ...]:
        reaches = horizon in evaluation.rounds
        return "full" in evaluation.schedules, reaches, evaluation.size

    compared: dict[tuple[str, str], Evaluation] = {}
    for evaluation in found:
        key = evaluation.benchmark.name, evaluation.decoding_name
        compared[key] = max(compared.get(key, evaluation), evaluation, key=rank)
    for evaluation in found:
        first = compared[evaluation.benchmark.name, evaluation.decoding_name]
        series = EVAL if evaluation is first else evaluation.schedules[0]
        yield evaluation.model_copy(update={"series": series})


def _evaluation(
    names: Names, key: Key, decoding: Decoding, rounds: set[int], said: list[str]
) -> Evaluation:
    benchmark, problems, samples, name = key
    card = names.known(BenchmarkCard, benchmark)
    if names.manifest.rehearse:
        card = rehearsal.benchmark(names, card)
        decoding = decoding.model_copy(update={"max_tokens": None})
    return Evaluation(
        benchmark=card,
        digest=names.digest(card),
        problems=problems,
        samples=samples,
        decoding_name=name,
        decoding=decoding,
        rounds=tuple(sorted(rounds)),
        schedules=tuple(dict.fromkeys(said)),
    )


def _check(names: Names, experiment: Experiment, name: str, schedule: Schedule) -> None:
    known, horizon = experiment.evaluate.decoding, experiment.rounds
    for i, decoding in enumerate(schedule.decodings or []):
        if decoding not in known:
            path = ("evaluate", name, "decodings", i)
            found = f"unknown decoding '{decoding}'"
            names.unknown(path, found, decoding, list(known), key=False)
    if not re.fullmatch(NAME, name):
        names.fault(("evaluate", name), f"the name '{name}'", PATTERNS[NAME], key=True)
    if name in RESERVED:
        expected = f"another name: metrics of other kinds begin with {name}/"
        names.fault(("evaluate", name), f"a schedule named '{name}'", expected, key=True)
    for i, at in enumerate(schedule.at):
        if isinstance(at, int) and at > horizon:
            path = ("evaluate", name, "at", i)
            names.fault(path, f"round {at}", f"at most {horizon}, as rounds")


def _check_problems(names: Names, name: str, schedule: Schedule) -> None:
    """A subset must be smaller than some benchmark, where their sizes are known."""
    most = [names.size(names.known(BenchmarkCard, _name(ref))) for ref in schedule.benchmarks]
    sizes = [size for size in most if size is not None]
    if schedule.problems and len(sizes) == len(most) and schedule.problems > max(sizes):
        found = f"problems is {schedule.problems:,}"
        expected = f"at most {max(sizes):,}: no benchmark of this schedule has more"
        names.fault(("evaluate", name, "problems"), found, expected)


def _name(ref: str | InlineBenchmark) -> str:
    """What a benchmark of a schedule is known by."""
    return ref if isinstance(ref, str) else ref.name or slug(ref.path)


def points(schedule: Schedule, horizon: int, watch: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Rounds of a schedule: multiples of `every`, given rounds, `last`, and `last5`.

    `last5` is the horizon and the four watch points before it.
    """
    found = set(range(0, horizon + 1, schedule.every)) if schedule.every else set[int]()
    for at in schedule.at:
        if at == "last":
            found.add(horizon)
        elif at == "last5":
            found.update({horizon, *sorted(p for p in watch if 0 < p < horizon)[-4:]})
        else:
            found.add(int(at))
    return tuple(sorted(found))
