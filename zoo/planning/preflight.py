"""Checks before a sweep starts: nothing drifted, everything is pinned and fetched, and the
profile can run it. All faults at once, and nothing is started or written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo.catalog import ComputeProfile, ModelCard, ProblemCard
from zoo.data import loadable, problems
from zoo.data.places import NotFetched
from zoo.data.resolve import model_folder
from zoo.errors import Fault, InputError
from zoo.planning.machine import visible_gpus
from zoo.planning.prompt_lengths import remembered
from zoo.planning.study import Study
from zoo.resources import engine_gpus, engine_trial, gpus_of, place
from zoo.runs import checkpoints
from zoo.runs.sweep_status import SweepStatus, TrialStatus
from zoo.store.stack import SIMULATED, package_version, stack
from zoo.trials.trial import Trial


def must_be_ready(
    study: Study,
    status: SweepStatus,
    profile: ComputeProfile,
    *,
    relock: bool,
    executor: str = "ray",
) -> None:
    """Refuse a sweep that cannot go well. `executor`: who starts the trials.

    Raises:
        InputError: everything that is in the way.
    """
    left = [one.trial for one in status.left]
    faults = [] if relock else list(_drifted(study))
    real = [trial for trial in left if not trial.simulated]
    longest = remembered(real, study)[0]
    faults += _models(real, study)
    faults += _problems(left, study)
    faults += _profile(status.left, profile, longest)
    if executor == "slurm" or (executor == "ray" and profile.address):
        faults += _contradiction(profile)  # what the nodes have, Slurm or a probe of them tells
    elif real or (left and executor == "ray"):
        faults += _machine(profile, executor, status.left, longest)
    if faults:
        kept = [replace(fault, hint=study.words.with_cards(fault.hint)) for fault in faults]
        raise InputError(list(dict.fromkeys(kept)))


def must_not_have_drifted(study: Study, *, relock: bool) -> None:
    """Refuse what moved since the sweep last started, unless it is accepted.

    Raises:
        InputError: every field that moved.
    """
    if not relock and (faults := list(_drifted(study))):
        raise InputError(faults)


def must_continue_alike(
    status: SweepStatus, profile: ComputeProfile, longest: Mapping[str, int]
) -> None:
    """Refuse to continue trials under another stack, geometry or grader than they began under.
    `longest`: trial id -> tokens of its longest prompt, where counted.

    Raises:
        InputError: every trial whose checkpoint has another.
    """
    real = stack(profile.engine, dict(os.environ) | profile.env)
    faults: list[Fault] = []
    for one in status.left:
        if one.saved is not None:
            now = SIMULATED if one.trial.simulated else real
            prompt = longest.get(one.trial.id)
            moved = one.saved.moved(checkpoints.conditions(one.trial, profile, now, prompt))
            if moved:
                found = checkpoints.refusal(one.saved, moved)
                faults.append(Fault(one.trial.id, found, hint=checkpoints.HINT))
    if faults:
        raise InputError(faults)


def _drifted(study: Study) -> Iterator[Fault]:
    groups: dict[str, list[str]] = {}
    for change in study.changes.of_kind("drift"):
        groups.setdefault(str(change), []).append(change.old_id)
    for fields, ids in groups.items():
        first = f"{ids[0]}{f' and {len(ids) - 1} more' if len(ids) > 1 else ''}"
        found = f"{first}: moved since the sweep last started: {fields}"
        hint = "restore it, or accept it: --relock (finished runs under the old ids are kept)"
        yield Fault(str(study.folder / "plan.lock.jsonl"), found, "as in the lock", hint)


def _models(trials: list[Trial], study: Study) -> Iterator[Fault]:
    """Models that are not pinned, in one fault with one command, and models that are not here."""
    named = set(study.catalog.names(ModelCard))
    cards = {card.name: card for trial in trials for card in (trial.model, trial.start)}
    if loose := [card for card in cards.values() if not card.pinned]:
        words = [card.name if card.name in named else f"hf:{card.repo}" for card in loose]
        found = f"not pinned (revision: null): {', '.join(card.name for card in loose)}"
        expected = "a full commit" + (" each" if len(loose) > 1 else "")
        yield Fault("models", found, expected, f"`zoo models pin {' '.join(words)}`")
    for card in cards.values():
        try:
            if card.pinned:
                yield from loadable.faults(model_folder(card))
        except InputError as error:
            yield from error.faults


def _problems(trials: list[Trial], study: Study) -> Iterator[Fault]:
    """Problems that are not on this machine, even where a card has their digest; one fault with
    one command."""
    sets: dict[str, ProblemCard] = {t.data.name: t.data for t in trials if t.trainer != "external"}
    for evaluations in {id(t.evaluations): t.evaluations for t in trials}.values():
        sets |= {f"benchmark/{e.benchmark.name}": e.benchmark for e in evaluations}
    away: list[str] = []
    for card in sets.values():
        try:
            problems.files(card, study.store.cache)
        except NotFetched:
            away.append(card.name)
        except InputError as error:
            yield from error.faults
    if away:
        found = f"not on this machine: {', '.join(away)}"
        yield Fault("data", found, hint=f"`zoo data fetch {' '.join(away)}`")


def must_have_room(
    left: Sequence[TrialStatus], profile: ComputeProfile, longest: Mapping[str, int]
) -> None:
    """Refuse trials that do not fit once their prompt tokens are counted. `longest`: by trial id.

    Raises:
        InputError: each model, and what it needs.
    """
    if faults := list(_profile(left, profile, longest)):
        raise InputError(faults)


def _profile(
    left: Sequence[TrialStatus], profile: ComputeProfile, longest: Mapping[str, int]
) -> Iterator[Fault]:
    if _contradicts(profile):
        return  # `_machine` says so once, not of every model
    each: dict[Any, TrialStatus] = {}
    for one in left:
        t = one.trial
        if not t.simulated:
            each[t.model.name, t.batch, t.cap, longest.get(t.id), one.trains] = one
    for one in each.values():
        trial, prompt = one.trial, longest.get(one.trial.id)
        sized = trial if one.trains else engine_trial(trial, profile, prompt)
        placed = place(sized, profile, prompt=prompt)
        if placed.fits is False:
            yield Fault(f"model {trial.model.name}", placed.why, f"room on '{profile.name}'")


def _contradicts(profile: ComputeProfile) -> bool:
    """Whether one trial requires more GPUs than the profile has."""
    return profile.gpus is not None and profile.gpus_per_trial > profile.gpus


def _contradiction(profile: ComputeProfile) -> Iterator[Fault]:
    if _contradicts(profile):
        gpus = profile.gpus_per_trial
        found = f"a trial needs {gpus:g} GPU{'s' if gpus > 1 else ''}, and the profile has "
        found += f"{profile.gpus} in all"
        yield Fault(
            f"--on {profile.name}", found, hint="correct gpus or gpus_per_trial in its card"
        )


def _gpus(one: TrialStatus, profile: ComputeProfile, longest: Mapping[str, int]) -> float:
    """GPUs that a trial is given, to train or to be evaluated only."""
    count = gpus_of if one.trains else engine_gpus
    return count(one.trial, profile, longest.get(one.trial.id))


def _machine(
    profile: ComputeProfile,
    executor: str,
    left: Sequence[TrialStatus],
    longest: Mapping[str, int],
) -> Iterator[Fault]:
    """Resources that a trial requires and the profile or this machine never has: Ray would wait."""
    place, gpus = f"--on {profile.name}", profile.gpus_per_trial
    widest: dict[str, float] = {}
    for one in left:
        if not one.trial.simulated:
            name = one.trial.model.name
            widest[name] = max(_gpus(one, profile, longest), widest.get(name, 0.0))
    model = max(widest, key=lambda name: widest[name], default="")
    needs = widest.get(model, gpus)
    there = len(visible_gpus(profile)) if gpus else 0
    if _contradicts(profile):
        yield from _contradiction(profile)
    elif needs > there:
        who = f"a trial of {model}" if needs > gpus else "a trial"
        found = f"{who} needs {needs:g} GPU{'s' if needs > 1 else ''}, this machine has {there}"
        hint = "choose another profile (`--on laptop` needs no GPU)"
        other = "choose another profile, or leave it out with --only" if needs > gpus else ""
        yield Fault(place, found, hint=hint if not there else other or "choose another profile")
    elif executor == "local" and gpus > 1 and not float(gpus).is_integer():
        yield Fault(place, f"a trial needs {gpus:g} GPUs", "a whole number, or a part of one GPU")
    if profile.engine == "vllm" and widest and package_version("vllm") == "absent":
        hint = "install it (README.md), or `--on cpu-transformers`, or a profile of your own with "
        yield Fault(place, "vLLM is not installed", hint=f"{hint}`engine: transformers`")
    if profile.cpus_per_trial > (cpus := len(os.sched_getaffinity(0))):
        found = f"a trial needs {profile.cpus_per_trial:g} CPUs, this machine has {cpus}"
        yield Fault(place, found, hint="choose another profile, or one of your own in ./cards")
