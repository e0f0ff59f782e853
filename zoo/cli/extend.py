"""`zoo extend`: the sweep as it last started, with more rounds; finished trials continue from
their kept checkpoint. All obstacles are reported before anything starts."""

from __future__ import annotations

from dataclasses import replace

from zoo.cli.sweep import SweepOptions, run_study
from zoo.errors import Fault, InputError, listed
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, load_study
from zoo.runs.extension import Obstacle, fixed_horizon
from zoo.runs.sweep_status import TrialStatus, read_status

FINISHED = ("done", "unmeasured", "outdated", "stopped")
"""States of trials that came to an end."""


def run(name: str, rounds: int, words: PlanOptions, how: SweepOptions) -> int:
    """Train a sweep to `rounds`; returns the exit status.

    Raises:
        InputError: the sweep never started or has more rounds, or finished trials cannot go on.
    """
    before = load_study(name, words, started=True)
    place = f"zoo extend {name}"
    if before.words.rehearse:
        hint = "`zoo sweep` without --rehearse runs the study"
        raise InputError(Fault(place, "a rehearsal always has two rounds", hint=hint))
    if before.lock is None:
        hint = f"`{before.to('sweep')} --set rounds={rounds}` begins it"
        raise InputError(Fault(place, f"sweep '{before.name}' never started", hint=hint))
    had = max((row["rounds"] or 0 for row in before.lock.trials), default=0)
    if rounds < had:
        found = f"{rounds} rounds, and the sweep last started with {had}"
        raise InputError(Fault("--rounds", found, f"at least {had}"))
    study = load_study(name, with_rounds(before.words, rounds), thorough=True)
    _must_be_extendable(before, study)
    return run_study(study, how)


def with_rounds(words: PlanOptions, rounds: int) -> PlanOptions:
    """The same plan with another number of rounds."""
    rest = words.without_rounds()
    return replace(rest, sets=(*rest.sets, f"rounds={rounds}"))


def _must_be_extendable(before: Study, study: Study) -> None:
    """Refuse finished trials that cannot go on, one fault an obstacle.

    Raises:
        InputError: every obstacle, its trials, and what to do about it.
    """
    status = read_status(study.chosen, study.store, study.changes.changed, extend=True)
    was = read_status(before.chosen, before.store)
    done = {one.trial.id for one in was.trials if one.state in FINISHED}
    groups: dict[Obstacle, list[str]] = {}
    for one in status.trials:
        if (obstacle := _obstacle(one, study, done)) is not None:
            groups.setdefault(obstacle, []).append(study.names[one.trial.id])
    if groups:
        place = f"--rounds {study.manifest.experiment.rounds}"
        raise InputError(
            [
                Fault(place, f"{listed(names, 4)}: {one.why}", "trials that can go on", one.remedy)
                for one, names in groups.items()
            ]
        )


def _obstacle(one: TrialStatus, study: Study, done: set[str]) -> Obstacle | None:
    """What is in the way of a trial, if it is finished."""
    if one.obstacle is not None:
        return one.obstacle
    if one.state in ("moved", "new"):
        was = {change.trial.id: change.old_id for change in study.changes.changed}
        if was.get(one.trial.id) in done:
            return fixed_horizon(one.trial.grpo)
    return None
