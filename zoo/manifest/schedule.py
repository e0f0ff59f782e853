"""What is measured when: an evaluation plan and a horizon make rounds."""

from __future__ import annotations

from zoo.catalog import BenchmarkCard
from zoo.manifest.names import Names, slug
from zoo.manifest.schema import Experiment, Schedule
from zoo.manifest.trial import Evaluation

Key = tuple[str, int | None, str]  # benchmark, problems, decoding


def evaluations(names: Names, experiment: Experiment) -> tuple[Evaluation, ...]:
    """One entry a benchmark, subset and decoding, its rounds merged over the schedules.

    Faults go to `names`; with any, nothing is returned.
    """
    plan, horizon = experiment.evaluate, experiment.rounds
    watch = points(plan.watch, horizon) if plan.watch else ()
    merged: dict[Key, set[int]] = {}
    for name, schedule in (("watch", plan.watch), ("full", plan.full)):
        if schedule is None:
            continue
        for i, decoding in enumerate(schedule.decodings or []):
            if decoding not in plan.decoding:
                path = ("evaluate", name, "decodings", i)
                found = f"unknown decoding '{decoding}'"
                names.unknown(path, found, decoding, list(plan.decoding), key=False)
        for i, at in enumerate(schedule.at):
            if isinstance(at, int) and at > horizon:
                names.fault(
                    ("evaluate", name, "at", i), f"round {at}", f"at most {horizon}, as rounds"
                )
        for i, ref in enumerate(schedule.benchmarks):
            names.problems(BenchmarkCard, ref, ("evaluate", name, "benchmarks", i))
            benchmark = ref if isinstance(ref, str) else ref.name or slug(ref.path)
            for decoding in schedule.decodings or plan.decoding:
                key = (benchmark, schedule.problems, decoding)
                merged.setdefault(key, set()).update(points(schedule, horizon, watch))
    if names.faults:
        return ()
    return tuple(
        Evaluation(
            benchmark=(card := names.known(BenchmarkCard, benchmark)),
            digest=names.digest(card),
            problems=problems,
            decoding_name=decoding,
            decoding=plan.decoding[decoding],
            rounds=tuple(sorted(rounds)),
        )
        for (benchmark, problems, decoding), rounds in merged.items()
    )


def points(schedule: Schedule, horizon: int, watch: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Rounds of a schedule: multiples of `every`, given rounds, `last`, and `last5`.

    `last5` is the horizon and the four watch points before it.
    """
    found = set(range(0, horizon + 1, schedule.every)) if schedule.every else set()
    for at in schedule.at:
        if at == "last":
            found.add(horizon)
        elif at == "last5":
            found.update({horizon, *sorted(p for p in watch if 0 < p < horizon)[-4:]})
        else:
            found.add(int(at))
    return tuple(sorted(found))
