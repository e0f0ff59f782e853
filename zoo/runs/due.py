"""Which evaluations a trial still lacks, and for which of them weights are stored.

One rule for all callers (the trial process, the plan, the report): the plan's schedule
against the trial's index. An evaluation that was requested after training is computed
from stored weights; without them, only training again provides it. Light.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.trials.trial import Evaluation, Trial

Due = tuple[Evaluation, int]
"""An evaluation and the round at which it is due."""
MADE = ("config.json", "SIMULATED")
"""A folder with either of these contains weights."""


def as_ended(trial: Trial, found: Record | None) -> Trial:
    """The trial with the last round that it reached: its own, or the one where it was stopped
    with its weights kept."""
    if found is None or found.state != "stopped" or found.final_round is None:
        return trial
    return trial.ending_at(min(found.final_round, trial.rounds))


def missing_evaluations(trial: Trial, index: Iterable[dict[str, Any]]) -> list[Due]:
    """Evaluations of a trial, with their round, that its index (`evals.jsonl` rows) does not
    have."""
    known = {(row.get("key"), row["round"]) for row in index}
    return [due for place, due in _places(trial.evaluations) if place not in known]


_last: tuple[tuple[Evaluation, ...], list[tuple[tuple[str, int], Due]]] = ((), [])


def _places(evaluations: tuple[Evaluation, ...]) -> list[tuple[tuple[str, int], Due]]:
    """Key and round of everything that is due, with its evaluation. Cached for the last
    evaluations requested: the trials of a plan share them, and every key takes a hash."""
    global _last
    found = _last  # one look: another thread may put another there
    if found[0] is not evaluations:
        keys = [(e.key, e) for e in evaluations]
        found = evaluations, [((key, at), (e, at)) for key, e in keys for at in e.rounds]
        _last = found
    return found[1]


def split_missing(
    trial: Trial, store: Store, found: Record, index: Iterable[dict[str, Any]]
) -> tuple[list[Due], list[Due]]:
    """The missing evaluations of finished training: those whose weights are kept, and those that
    need training again. A stopped trial has none of the latter: its outcome is final."""
    kept: list[Due] = []
    lost: list[Due] = []
    for due in missing_evaluations(as_ended(trial, found), index):
        (kept if weights_kept(trial, store, found, due[1]) else lost).append(due)
    return kept, [] if found.state == "stopped" else lost


def weights_kept(trial: Trial, store: Store, found: Record, round_: int) -> bool:
    """Whether the policy after `round_` can be loaded; the base model and a checkpoint from
    elsewhere always can."""
    if round_ == 0 or (trial.trainer == "external" and round_ == trial.rounds):
        return True
    folder = store.checkpoint(trial.id, round_, found.branch)
    return any((folder / name).is_file() for name in MADE)
