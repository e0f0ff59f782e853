"""The noise between seeds of one cell, from the finished trials in a run store.

The plan uses it for the metrics of its claims. Trials are replicates where their identities differ
in the seed alone and they reached the same round on the same stack; their variance is pooled over
all such groups, in any sweep. Simulated trials, rehearsals and void trials are left out. Reads
records first, and journals only of trials that have a replicate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean

from zoo.claims.measurement_noise import Spread
from zoo.runs import live
from zoo.runs.finals import FinalNumber, Key, averages, final_number, numbers, training_numbers
from zoo.runs.outcome import measurements, training
from zoo.store import record as records
from zoo.store import void
from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.trials.identity import canonical
from zoo.trials.metrics import Metric, final_rounds

FEWEST_DF = 6
"""A standard deviation from fewer degrees of freedom is uncertain by a factor of two: not used."""
Run = tuple[Path, Record]


def spreads(store: Store, metrics: Iterable[Metric], last: int = 1) -> dict[str, Spread]:
    """The seed noise of each metric's final number, where the store has replicates.

    `last`: the final number is the mean of this many last evaluations (`final: mean-last-5`).

    Raises:
        StateError: a record or journal that cannot be read.
    """
    metrics = list(metrics)
    pooled: dict[str, list[list[float]]] = {metric.name: [] for metric in metrics}
    for group in _replicates(store) if metrics else ():
        trials = [_values(folder, found, metrics, last) for folder, found in group]
        for name, known in pooled.items():
            known.append([values[name] for values in trials if name in values])
    found = {name: _pool([g for g in groups if len(g) > 1]) for name, groups in pooled.items()}
    return {name: spread for name, spread in found.items() if spread is not None}


def _pool(groups: list[list[float]]) -> Spread | None:
    df = sum(len(group) - 1 for group in groups)
    squares = sum((value - fmean(group)) ** 2 for group in groups for value in group)
    if df < FEWEST_DF or not squares:
        return None
    trials = sum(map(len, groups))
    source = f"measured on {trials} trials of {len(groups)} cells"
    return Spread(math.sqrt(squares / df), source, df)


def _replicates(store: Store) -> Iterator[list[Run]]:
    """Groups of two or more finished trials that differ in the seed alone."""
    named: dict[str, list[Path]] = {}
    for folder in sorted((store.root / "train").glob("*")):
        stem = folder.name.rpartition("-")[0].rpartition(".s")[0]
        named.setdefault(stem, []).append(folder)
    for folders in named.values():
        groups: dict[str, list[Run]] = {}
        for folder in folders if len(folders) > 1 else ():
            found = records.read(folder)
            if found and found.done() and _real(found) and not _void(folder, found):
                rest = {k: v for k, v in found.identity.items() if k != "seed"}
                key = canonical([rest, found.round, found.stack])
                groups.setdefault(key, []).append((folder, found))
        yield from (group for group in groups.values() if len(group) > 1)


def _void(folder: Path, found: Record) -> bool:
    return void.of_lineage(void.read(folder), found.lineage) is not None


def _real(found: Record) -> bool:
    """Whether a trial was trained here; only then do its seeds differ in more than sampling."""
    made_up = found.simulated or found.rehearsal or "random_weights" in found.about
    return not made_up and found.identity.get("trainer") != "external"


def _values(folder: Path, record: Record, metrics: list[Metric], last: int) -> dict[str, float]:
    """Final numbers of one trial, in the unit of claims; only those that it has. Evaluation metrics
    are those of the plan: another set of problems or samples is another noise."""
    evaluations = [e for metric in metrics for e in metric.evaluations]
    known: dict[Key, FinalNumber] = {}
    rows = live.read(folder, record)
    if evaluations:
        known = numbers(evaluations, measurements(rows.evals))
        known |= averages(known, metrics)
    if any(not metric.evaluations for metric in metrics):
        rounds = {round_: training(row["metrics"]) for round_, row in rows.rounds.items()}
        known |= training_numbers(rounds)
    values: dict[str, float] = {}
    for metric in metrics:
        measured = (round_ for round_, name in known if name == metric.name)
        found = final_number(known, metric.name, final_rounds(measured, record.round, last))
        if found is not None:
            values[metric.name] = (100 if metric.unit == "points" else 1) * found.value
    return values
