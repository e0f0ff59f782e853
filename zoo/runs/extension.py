"""Whether finished training can continue to more rounds, and if not, why.

It continues from the checkpoint that the profile's `keep_extendable` left, in the same lineage and
under the same id; so it cannot where the id is of a number of rounds (`depends_on_horizon`). Light:
reads manifests of checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.runs import checkpoints
from zoo.runs.checkpoints import Checkpoint
from zoo.runs.due import Due
from zoo.store.record import Record
from zoo.trials.trial import Trial
from zoo.trlspec.validation import CONSTANT, depends_on_horizon

KEEP = "`keep_extendable: true` in the profile keeps it for future trials"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a trial cannot be extended, and what to do about it."""

    why: str
    remedy: str


def find(
    trial: Trial, folder: str, found: Record, lost: Sequence[Due] = ()
) -> Checkpoint | Obstacle:
    """The checkpoint from which a trial that is done with fewer rounds than `trial` requires
    continues (checked by file sizes only), or why it cannot.

    Args:
        lost: missing evaluations whose weights are not kept.
    """
    again = f"`zoo sweep --set rounds={trial.rounds} --retrain` trains it again from round 0"
    before = [(e, at) for e, at in lost if at <= found.round]
    if before:
        evaluation, at = before[0]
        what = f"{evaluation.benchmark.name}/{evaluation.decoding_name}"
        why = f"{what} was not evaluated at round {at} and its weights are not kept"
        return Obstacle(why, f"take it out of `evaluate`, or {again}")
    root = checkpoints.root_of(folder, found.lineage)
    saved = checkpoints.newest(root, trial.rounds)
    if saved is None:
        return Obstacle("its optimiser was not kept", f"{KEEP}; {again}")
    if saved.round < found.round:
        why = f"its newest whole checkpoint is of round {saved.round}, not {found.round}"
        return Obstacle(why, again)
    return saved


def fixed_horizon(grpo: dict[str, Any]) -> Obstacle | None:
    """Why settings fix the number of rounds from the start; None where they do not."""
    if not depends_on_horizon(grpo):
        return None
    kind, warmup = grpo["lr_scheduler_type"], grpo["warmup_steps"]
    setting = f"lr_scheduler_type: {kind}" if kind not in CONSTANT else f"warmup_steps: {warmup}"
    why = f"`{setting}` depends on the number of rounds, which is in the trial's id"
    return Obstacle(why, "`zoo sweep --set rounds=N` trains new trials from round 0")
