"""The short name of each trial, as every display shows it: plan, status, progress, logs, MLflow.

Built from all trials of a manifest, so that a trial has the same name in every
view. An id is `short name-hash`; names are for people and identify nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from zoo.errors import plain
from zoo.trials.trial import Trial


def short_names(trials: Iterable[Trial]) -> dict[str, str]:
    """Id -> short name, each once: the id without its hash, and without the seed where all have the
    same. Names that would clash also show every axis that varies among them, as in
    `qwen2.5-7b.correctness.simplerl-easy batch.num_generations=8`; what still clashes shows its id.
    """
    trials = list(trials)
    names = _without_hash(trials)
    shared = Counter(names.values())
    clashing = [trial for trial in trials if shared[names[trial.id]] > 1]
    values: dict[tuple[str, str], set[str]] = {}
    cells = {id(trial.cell): trial.cell for trial in clashing}  # the seeds of a cell share it
    told = {at: {axis: plain(v) for axis, v in cell.items()} for at, cell in cells.items()}
    for trial in clashing:
        for axis, value in told[id(trial.cell)].items():
            values.setdefault((names[trial.id], axis), set()).add(value)
    varying = {axis for (_, axis), found in values.items() if len(found) > 1}
    more = {
        at: "".join(f" {axis}={value}" for axis, value in cell.items() if axis in varying)
        for at, cell in told.items()
    }
    for trial in clashing:
        names[trial.id] += more[id(trial.cell)]
    shared = Counter(names.values())
    return {id_: name if shared[name] == 1 else id_ for id_, name in names.items()}


def _without_hash(trials: list[Trial]) -> dict[str, str]:
    names = {trial.id: trial.id.rsplit("-", 1)[0] for trial in trials}
    if len({trial.seed for trial in trials}) > 1:
        return names
    return {id_: name.rsplit(".s", 1)[0] for id_, name in names.items()}
