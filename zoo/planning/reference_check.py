"""References are graded against themselves before a sweep starts; a plan shows the results so
far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import click

from zoo.catalog import DataCard, ProblemCard
from zoo.data import references
from zoo.data.references import References
from zoo.errors import InputError
from zoo.planning.study import Study
from zoo.trials.trial import Trial

LONG_S = 2.0  # after which progress is printed


def sets_of(trials: Iterable[Trial]) -> dict[str, ProblemCard]:
    """Sets of problems that real trials train on or are evaluated on, by digest."""
    found: dict[str, ProblemCard] = {}
    real = [trial for trial in trials if not trial.simulated]
    for trial in real:
        if trial.trainer != "external":
            found.setdefault(trial.data_digest, trial.data)
    for evaluations in {id(t.evaluations): t.evaluations for t in real}.values():
        for evaluation in evaluations:
            found.setdefault(evaluation.digest, evaluation.benchmark)
    return found


def known(trials: Iterable[Trial], study: Study) -> Iterator[tuple[str, References]]:
    """Names of sets, and the results of grading their references where that was done. Light."""
    sets = sets_of(trials)
    names = _names(sets)
    for digest in sets:
        if found := references.known(digest, study.store.cache):
            yield names[digest], found


def _names(sets: Mapping[str, ProblemCard]) -> dict[str, str]:
    """Names by digest; with its kind where a training set and a benchmark share a name."""
    count = Counter(card.name for card in sets.values())
    kinds = {d: "training set" if isinstance(c, DataCard) else "benchmark" for d, c in sets.items()}
    return {
        digest: f"{card.name} ({kinds[digest]})" if count[card.name] > 1 else card.name
        for digest, card in sets.items()
    }


def must_be_usable(trials: Iterable[Trial], study: Study) -> None:
    """Grade the references not graded yet, and print those that fail.

    Raises:
        InputError: more than 5 % of a set. All of them are listed in the run store's cache, the
            only thing written.
    """
    begun, faults = time.monotonic(), []
    sets = sets_of(trials)
    names = _names(sets)
    for i, (digest, card) in enumerate(sets.items()):
        name = names[digest]
        if time.monotonic() - begun > LONG_S:
            click.echo(f"checking references: {name} ({i + 1} of {len(sets)} sets)")
        found = references.check(card, digest, study.store.cache)
        if found.too_many:
            faults.append(found.fault(name))
        elif found.bad:
            first, *rest = found.lines()
            click.echo("\n".join([f"{name}: {first}", *rest]))
    if faults:
        raise InputError(faults)
