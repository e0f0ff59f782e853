"""`zoo.compare`: a judged sweep, or two sweeps side by side, as an object. `zoo compare` prints it.

Numbers are in the unit of claims: percentage points for shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from zoo.claims.comparisons import cells_of
from zoo.errors import Fault, InputError, did_you_mean, listed
from zoo.judging.answer import answer, claim_row, default_metric, interval_row
from zoo.judging.effects import AxisEffect, CellMean, axis_effects, cell_means
from zoo.judging.judge import ClaimVerdict
from zoo.judging.two_sweeps import (
    AXIS,
    ComparedSweep,
    Kind,
    SweepDifference,
    common_metrics,
    differences,
    joined,
    shared,
)
from zoo.lock import lock
from zoo.notebook.frames import frame
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, load_study, shown, sweeps_root
from zoo.runs import outcome
from zoo.runs.outcome import Outcome
from zoo.trials.grid import Cell
from zoo.trials.metrics import Metric, metrics_of

if TYPE_CHECKING:
    from pandas import DataFrame

ACROSS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Compared:
    """Cells, effects and verdicts of a sweep; of two sweeps the cells of both and the effect of the
    sweep, without verdicts."""

    names: tuple[str, ...]
    """The sweeps, one or two."""
    metric: Metric
    """What cells and effects are shown by."""
    claims: tuple[ClaimVerdict, ...]
    withdrawn: tuple[str, ...]
    """Ids of sealed claims that the manifest no longer has."""
    cells: tuple[CellMean, ...]
    effects: tuple[AxisEffect, ...]
    simulated: bool
    """Whether no trial of one of the sweeps is real."""
    rehearsal: bool
    across: tuple[SweepDifference, ...] = ()
    """What the two sweeps differ in and were compared across."""
    shared: int = 0
    """Trials that are the same in both sweeps."""
    void: tuple[tuple[str, str], ...] = ()
    """Ids of trials that were set aside by hand, and why; no number here is about them."""

    @cached_property
    def data(self) -> dict[str, Any]:
        """What `zoo compare --json` prints."""
        found = {
            "name": self.names[0],
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "simulated": self.simulated,
            "rehearsal": self.rehearsal,
            "claims": [claim_row(verdict) for verdict in self.claims],
            "withdrawn": list(self.withdrawn),
            "cells": [interval_row(mean) for mean in self.cells],
            "effects": [interval_row(effect) for effect in self.effects],
            "void": dict(self.void),
        }
        if len(self.names) == 1:
            return found
        across = {d.kind: {"one": d.one, "other": d.other} for d in self.across}
        return found | {"other": self.names[1], "across": across, "shared_trials": self.shared}

    @property
    def claim_frame(self) -> DataFrame:
        """A row for each comparison of each claim, as in `data`."""
        return frame([{k: v for k, v in row.items() if k != "arms"} for row in self.data["claims"]])

    @property
    def cell_frame(self) -> DataFrame:
        """A row for each cell, its axes as columns."""
        return frame([_flat(row) for row in self.data["cells"]])

    @property
    def effect_frame(self) -> DataFrame:
        """A row for each value of each axis against its first."""
        return frame(self.data["effects"])


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return row["cell"] | {name: value for name, value in row.items() if name != "cell"}


def compare(
    name: str | Path,
    other: str | Path | None = None,
    *,
    by: str | None = None,
    metric: str | None = None,
    across: Iterable[str] = (),
    only: Iterable[str] = (),
    cards: Iterable[str | Path] = (),
) -> Compared:
    """Judge a sweep, or set two side by side, as `zoo compare` does. Writes nothing.

    Args:
        name: of the sweep, its folder, or its manifest.
        other: a second sweep; effects are then of it less the first.
        by: only the effects of this axis. metric: of cells and effects.
        across: what the two sweeps may differ in: `stacks`, `decodings`, `graders`, `problems`,
            `finals`.
        only: filters as `AXIS=PATTERN` of what is shown. cards: folders of cards.

    Raises:
        InputError: no such sweep, axis or metric; sweeps that differ in more than `across`.
        StateError: a lock, journal or record that cannot be read.
    """
    options = PlanOptions(cards=tuple(map(str, cards)), only=tuple(only))
    names = [str(word) for word in (name, other) if word is not None]
    return compare_with(names, options, by=by, metric=metric, across=tuple(across))


def compare_with(
    names: Sequence[str],
    options: PlanOptions,
    *,
    by: str | None = None,
    metric: str | None = None,
    across: Sequence[str] = (),
) -> Compared:
    """As `compare`, with the options of a command line."""
    studies = [load_study(sweep_name(name), options, started=True) for name in names]
    if unknown := [word for word in across if word not in ACROSS]:
        hint = did_you_mean(unknown[0], list(ACROSS)) or f"available: {', '.join(ACROSS)}"
        raise InputError(Fault("across", f"no '{unknown[0]}'", hint=hint))
    if len(studies) == 1:
        return _one(studies[0], by, metric)
    return _two(studies[0], studies[1], metric, across)


def sweep_name(word: str) -> str:
    """The name of the sweep that a word means: itself, or of a sweep's folder its name.

    Raises:
        InputError: a folder without a lock, or of another lab notebook.
    """
    path = Path(word)
    if not path.is_dir():
        return word
    folder = path.resolve()
    if not (folder / lock.NAME).is_file():
        raise InputError(Fault(word, "this folder is no sweep", f"a {lock.NAME} in it"))
    if folder.parent != sweeps_root():
        hint = "ZOO_SWEEPS and ZOO_RUNS set where sweeps and their runs are"
        raise InputError(Fault(word, f"no sweep of {shown(sweeps_root())}", hint=hint))
    return folder.name


def _one(study: Study, by: str | None, metric: str | None) -> Compared:
    cells, said = cells_of(study.chosen), study.manifest.experiment
    metrics = metrics_of(study.trials)
    outcomes = [outcome.load(trial, study.store) for trial in study.trials]
    found = answer(
        outcomes,
        said.claims,
        study.seals,
        cells=cells,
        metric=None if metric is None else _metric(metrics, metric),
        axes=None if by is None else [_axis(cells, by)],
        looks=said.look_sizes,
        store=study.store,
    )
    if found.metric is None:
        raise InputError(Fault("compare", "nothing is evaluated at the last round"))
    return Compared(
        (study.name,),
        found.metric,
        found.claims,
        found.withdrawn,
        found.cells,
        found.effects,
        study.simulated,
        study.words.rehearse,
        void=_void(outcomes),
    )


def _two(one: Study, other: Study, said: str | None, across: Sequence[str]) -> Compared:
    if one.name == other.name:
        raise InputError(Fault("compare", f"'{one.name}' twice", "two sweeps"))
    sides = [_side(study) for study in (one, other)]
    metrics = common_metrics(sides)
    claims = one.manifest.experiment.claims
    chosen = default_metric(metrics, claims) if said is None else metrics[_metric(metrics, said)]
    if chosen is None:
        raise InputError(
            Fault("compare", "no metric is evaluated at the last round of both sweeps")
        )
    found = differences(sides[0], sides[1], chosen.name)
    refused = [d for d in found if d.kind not in across]
    if refused:
        raise InputError([_refusal(d, one.name, other.name) for d in refused])
    paired = all(difference.kind not in ("problems", "decodings") for difference in found)
    numbers = joined(sides, metrics, paired=paired)
    return Compared(
        (one.name, other.name),
        chosen,
        (),
        (),
        tuple(cell_means(numbers, chosen.name, numbers.cells, problems=True)),
        tuple(axis_effects(numbers, chosen.name, AXIS, numbers.cells)),
        one.simulated or other.simulated,
        one.words.rehearse or other.words.rehearse,
        tuple(found),
        shared(sides[0], sides[1]),
        _void([found for side in sides for found in side.outcomes]),
    )


def _void(outcomes: Iterable[Outcome]) -> tuple[tuple[str, str], ...]:
    return tuple({o.trial.id: o.void.why for o in outcomes if o.void}.items())


def _side(study: Study) -> ComparedSweep:
    found = tuple(outcome.load(trial, study.store) for trial in study.chosen)
    return ComparedSweep(study.name, found, study.store)


def _refusal(found: SweepDifference, one: str, other: str) -> Fault:
    place = f"compare {one} {other}"
    what = f"{found.kind} differ: {found.one} / {found.other}"
    return Fault(place, what, hint=f"`--across {found.kind}` compares them and notes it")


def _metric(metrics: Mapping[str, Metric], said: str) -> str:
    """The requested metric."""
    final = [name for name, metric in metrics.items() if metric.final is not None]
    if said in final:
        return said
    hint = did_you_mean(said, final) or f"available: {listed(final, 8)}"
    found = "is not evaluated at the last round" if said in metrics else "is not evaluated"
    raise InputError(Fault("--metric", f"'{said}' {found}", hint=hint))


def _axis(cells: Sequence[Cell], said: str) -> str:
    """The requested axis."""
    if said not in cells[0]:
        hint = did_you_mean(said, list(cells[0])) or f"available: {', '.join(cells[0])}"
        raise InputError(Fault("--by", f"no axis '{said}'", hint=hint))
    return said
