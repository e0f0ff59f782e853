"""Which thresholds a trial crossed, and when; used to stop, to mark and to compare.

Everything is computed from the rows of the journals that count, so that it survives an interruption
without any state, and a threshold that is added later marks finished trials. The base model crosses
none. Light.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.manifest.thresholds import Threshold, Tripwire
from zoo.runs import live
from zoo.runs.finals import all_numbers, by_metric, training_numbers
from zoo.runs.outcome import MeasuredEvaluation, Outcome, measurements, training
from zoo.store.record import Record
from zoo.trials.trial import Trial

REASON = "tripwire:"
"""First part of the stop reason of a trial that a line stopped; its metric follows."""
TRAINING = "train/"
"""First part of every metric that training logs, and of no other."""
Series = Mapping[str, Mapping[int, float]]
"""Metric -> round -> value; round 0 = the base model."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A tripwire that a trial crossed, and the round at which it had been beyond it for long
    enough."""

    wire: Tripwire
    round: int

    @property
    def reason(self) -> str:
        """As the stop reason of a record."""
        return f"{REASON}{self.wire.metric}"

    def __str__(self) -> str:
        return f"{self.wire}, at round {self.round}"


def series_of(
    trial: Trial,
    rounds: Mapping[int, Mapping[str, float]],
    measured: Iterable[MeasuredEvaluation],
) -> dict[str, dict[int, float]]:
    """The numbers that a trial's tripwires watch, by metric, rounds ascending; what was measured is
    put together only where one of them watches it. `rounds`: its training metrics."""
    watched = {wire.metric for wire in trial.tripwires}
    logged = {
        round_: {name: value for name, value in row.items() if name in watched}
        for round_, row in rounds.items()
    }
    known = training_numbers(logged)
    if not all(name.startswith(TRAINING) for name in watched):
        known |= all_numbers(trial, tuple(measured))
    return by_metric(known)


def first_crossing(line: Threshold, series: Mapping[int, float]) -> int | None:
    """The first round at which a metric was beyond a threshold at every evaluation of as many
    rounds in a row as the threshold requires; None where it never was. The base model does not
    count."""
    since: int | None = None
    for round_, value in sorted(series.items()):
        beyond = value > line.number if line.side == "above" else value < line.number
        if round_ == 0 or not beyond:
            since = None
            continue
        since = round_ if since is None else since
        if round_ - since + 1 >= line.rounds:
            return round_
    return None


def crossings(trial: Trial, series: Series) -> list[Crossing]:
    """The tripwires of a trial that it crossed, in the manifest's order."""
    found = [(wire, first_crossing(wire, series.get(wire.metric, {}))) for wire in trial.tripwires]
    return [Crossing(wire, round_) for wire, round_ in found if round_ is not None]


def loosened(found: Record, crossed: Iterable[Crossing]) -> bool:
    """Whether a line stopped a trial, and none that it crossed would stop it now."""
    by_line = found.state == "stopped" and (found.stop_reason or "").startswith(REASON)
    return by_line and all(one.wire.then != "stop" for one in crossed)


def crossed_by(found: Outcome) -> list[Crossing]:
    """As `crossings`, from what became of a trial."""
    if not found.trial.tripwires:
        return []
    return crossings(found.trial, series_of(found.trial, found.rounds, found.measured))


def collapsed(found: Outcome) -> bool:
    """Whether a trial was stopped for a reason that is an outcome, or crossed a line."""
    return found.state == "stopped" or bool(crossed_by(found))


def crossed_in(trial: Trial, folder: Path | str, found: Record | None) -> list[Crossing]:
    """As `crossings`, from a trial's folder.

    Raises:
        StateError: a journal that cannot be read.
    """
    if not trial.tripwires:
        return []
    rows = live.up_to(live.read(folder, found), trial.rounds)
    rounds = {round_: training(row["metrics"]) for round_, row in rows.rounds.items()}
    return crossings(trial, series_of(trial, rounds, measurements(rows.evals)))
