"""`zoo.results`: all results of a sweep, as pandas frames.

The numbers are those of `results.csv` and `cells.csv` next to the report, and of the stored
verdicts. Shares are fractions. Nothing is dropped: a trial that failed or never ran is in `trials`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.findings.answer_csv import cell_rows
from zoo.findings.collect import Results, collect, rows
from zoo.judging.problem_scores import CORRECT, SCORED
from zoo.notebook.compared import sweep_name
from zoo.notebook.frames import frame, table
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, load_study
from zoo.runs.finals import measured_by
from zoo.runs.outcome import Outcome
from zoo.store.parquet import read_known
from zoo.trials.metrics import final_rounds, last_k

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class SweepResults:
    """A sweep's results. Frames are built when they are first read."""

    study: Study
    found: Results

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.study.name

    @cached_property
    def trials(self) -> DataFrame:
        """A row for each trial of the plan: `trial` (its id), the axes, `seed`, `state`, `reached`
        (last round), `rounds`, `seconds`, `failure`."""
        return frame(map(_trial_row, self.found.outcomes))

    @cached_property
    def metrics(self) -> DataFrame:
        """A row for each trial, round and metric: `trial`, the axes, `seed`, `round`, `metric`,
        `value`, `n` (responses), `role` (`base`, `final` or empty). As `results.csv`."""
        return table(rows(self.found))

    @cached_property
    def cells(self) -> DataFrame:
        """A row for each cell and metric with a final number: the axes, `metric`, counts of trials,
        `mean`, its interval, base and gain. As `cells.csv`."""
        return table(cell_rows(self.found))

    def problems(self, *, every_round: bool = False) -> DataFrame:
        """A row for each problem of each evaluation of each trial, of the base model and the final
        rounds: `trial`, the axes, `seed`, `round`, `role`, `series`, `benchmark`, `decoding`,
        `problem`, `samples`, `scored`, `right`. Evaluations whose verdicts are gone have no rows.

        Args:
            every_round: also the rounds between.

        Raises:
            StateError: verdicts that cannot be read.
        """
        return frame(
            row
            for outcome in self.found.outcomes
            for row in _problem_rows(outcome, self.found, every_round=every_round)
        )


def results(
    name: str | Path, *, only: Iterable[str] = (), cards: Iterable[str | Path] = ()
) -> SweepResults:
    """The results of a sweep as it last started, finished or not. Writes nothing.

    Args:
        name: of the sweep, its folder, or its manifest.
        only: filters as `AXIS=PATTERN`. cards: folders of cards.

    Raises:
        InputError: no such sweep, or faults in its manifest.
        StateError: a lock, journal or record that cannot be read.
    """
    options = PlanOptions(cards=tuple(map(str, cards)), only=tuple(only))
    study = load_study(sweep_name(str(name)), options, started=True)
    found = collect(study.manifest.experiment, study.chosen, study.store, study.seals)
    return SweepResults(study, found)


def _head(found: Outcome) -> dict[str, Any]:
    return {"trial": found.trial.id, **found.trial.cell, "seed": found.trial.seed}


def _trial_row(found: Outcome) -> dict[str, Any]:
    record = found.record
    return _head(found) | {
        "state": found.state,
        "reached": found.reached,
        "rounds": found.trial.rounds,
        "seconds": record.seconds if record else None,
        "failure": record.failure_class if record else None,
    }


def _problem_rows(
    found: Outcome, results: Results, *, every_round: bool
) -> Iterator[dict[str, Any]]:
    head, ended = _head(found), found.ended
    for evaluation in ended.evaluations:
        due = evaluation.ending_at(ended.rounds, found.trial.rounds).rounds
        last = final_rounds(due, ended.rounds, last_k(ended.final))
        for round_, measured in measured_by(evaluation, found.measured).items():
            role = "base" if round_ == 0 else "final" if round_ in last else ""
            path = results.store.verdicts(measured.score_id)
            if not (role or every_round) or not path.is_file():
                continue
            columns = read_known(path, ["id", "verdict"])
            for start in range(0, len(columns["id"]), measured.each):
                words = columns["verdict"][start : start + measured.each]
                scored = [word for word in words if word in SCORED]
                yield head | {
                    "round": round_,
                    "role": role,
                    "series": evaluation.series,
                    "benchmark": measured.benchmark,
                    "decoding": measured.decoding,
                    "problem": columns["id"][start],
                    "samples": len(words),
                    "scored": len(scored),
                    "right": scored.count(CORRECT),
                }
