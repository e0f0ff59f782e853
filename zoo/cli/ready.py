"""What must hold before a sweep starts: nothing drifted, everything is pinned and here, and the
profile can run it. All faults at once, and nothing is started or written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zoo.catalog import ComputeProfile, ModelCard, ProblemCard
from zoo.cli.context import Plan
from zoo.data import problems
from zoo.data.places import NotFetched
from zoo.data.resolve import model_folder
from zoo.errors import Fault, InputError
from zoo.manifest.fit import place
from zoo.manifest.trial import Trial
from zoo.orchestrate.todo import Todo


def must_be_ready(made: Plan, todo: Todo, profile: ComputeProfile, *, relock: bool) -> None:
    """Refuse a sweep that cannot go well.

    Raises:
        InputError: everything that is in the way.
    """
    left = [item.trial for item in todo.left]
    faults = [] if relock else list(_drifted(made))
    real = [trial for trial in left if not trial.simulated]
    faults += _models(real, made)
    faults += _problems(left, made)
    faults += _profile(real, profile)
    if faults:
        kept = [replace(fault, hint=made.words.with_cards(fault.hint)) for fault in faults]
        raise InputError(list(dict.fromkeys(kept)))


def must_not_have_drifted(made: Plan, *, relock: bool) -> None:
    """Refuse what moved since the sweep last started, unless it is accepted.

    Raises:
        InputError: every field that moved.
    """
    if not relock and (faults := list(_drifted(made))):
        raise InputError(faults)


def _drifted(made: Plan) -> Iterator[Fault]:
    groups: dict[str, list[str]] = {}
    for change in made.changes.of_kind("drift"):
        groups.setdefault(str(change), []).append(change.old_id)
    for fields, ids in groups.items():
        first = f"{ids[0]}{f' and {len(ids) - 1} more' if len(ids) > 1 else ''}"
        found = f"{first}: moved since the sweep last started: {fields}"
        hint = "put it back, or accept it: --relock (finished runs under the old ids are kept)"
        yield Fault(str(made.folder / "plan.lock.jsonl"), found, "what the lock says", hint)


def _models(trials: list[Trial], made: Plan) -> Iterator[Fault]:
    """Models that are not pinned, in one fault with one command, and models that are not here."""
    named = set(made.catalog.names(ModelCard))
    cards = {card.name: card for trial in trials for card in (trial.model, trial.start)}
    if loose := [card for card in cards.values() if not card.pinned]:
        words = [card.name if card.name in named else f"hf:{card.repo}" for card in loose]
        found = f"not pinned (revision: null): {', '.join(card.name for card in loose)}"
        expected = "a full commit" + (" each" if len(loose) > 1 else "")
        yield Fault("models", found, expected, f"`zoo models pin {' '.join(words)}`")
    for card in cards.values():
        try:
            if card.pinned:
                model_folder(card)
        except InputError as error:
            yield from error.faults


def _problems(trials: list[Trial], made: Plan) -> Iterator[Fault]:
    """Problems that are not on this machine, also where a card says their digest; one fault with
    one command."""
    sets: dict[str, ProblemCard] = {t.data.name: t.data for t in trials if t.trainer != "external"}
    for evaluations in {id(t.evaluations): t.evaluations for t in trials}.values():
        sets |= {f"benchmark/{e.benchmark.name}": e.benchmark for e in evaluations}
    away: list[str] = []
    for card in sets.values():
        try:
            problems.files(card, made.store.cache)
        except NotFetched:
            away.append(card.name)
        except InputError as error:
            yield from error.faults
    if away:
        found = f"not on this machine: {', '.join(away)}"
        yield Fault("data", found, hint=f"`zoo data fetch {' '.join(away)}`")


def _profile(trials: list[Trial], profile: ComputeProfile) -> Iterator[Fault]:
    if profile.plans_only:
        yield Fault(f"--on {profile.name}", f"plans only: {profile.plans_only}", "another profile")
        return
    for trial in {(t.model.name, t.batch): t for t in trials}.values():
        placed = place(trial, profile)
        if placed.fits is False:
            yield Fault(f"model {trial.model.name}", placed.why, f"room on '{profile.name}'")
        elif not placed.driven:
            found = f"needs {placed.where}"
            hint = "zoo runs trials of one GPU; leave it out with --only"
            yield Fault(f"model {trial.model.name}", found, "one GPU a trial", hint)
