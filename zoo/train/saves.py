"""The checkpoints of a session: where training can be continued, when one is saved, what each
contains in addition to the trainer's files, and which are left at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.errors import FailureClass, TrialError
from zoo.resources.cost import state_bytes
from zoo.rewards.guard import Guard
from zoo.runs import checkpoints, live
from zoo.runs.checkpoints import Checkpoint
from zoo.store import journal
from zoo.train.job import Job
from zoo.train.pace import Pace

Save = Callable[[Path], None]
"""Writes weights, or all that training continues from, into a folder."""


class Saves:
    """Checkpoints of one launch of a trial."""

    def __init__(self, job: Job, stack: dict[str, str], *, durable: bool) -> None:
        self.job, self.durable = job, durable
        self.folder = job.store.train(job.trial.id)
        self.pace = Pace()
        self.resumed: Checkpoint | None = None
        """The checkpoint that this launch continues from."""
        self.damaged: list[str] = []
        """Checkpoints that were not used: path and reason."""
        self.guard: Guard | None = None
        self.conditions = checkpoints.conditions(job.trial, job.profile, stack, job.longest_prompt)

    def find(self, lineage: int) -> Checkpoint | None:
        """The newest complete checkpoint of a lineage; None if there is none.

        Raises:
            TrialError: it was written under other conditions (stack, geometry, grader).
        """
        found = self.find_newest(lineage)
        if found is None:
            for round_ in checkpoints.weights_only(checkpoints.root_of(self.folder, lineage)):
                self.say(f"round {round_} has weights and no optimiser; cannot continue there")
            return None
        self._require_same(found)
        self.say(f"continues after round {found.round} ({found.folder})")
        self.resumed = found
        return found

    def find_newest(self, lineage: int) -> Checkpoint | None:
        """The newest complete checkpoint of a lineage before its last round."""
        root = checkpoints.root_of(self.folder, lineage)
        return checkpoints.newest_whole(root, self.job.trial.rounds, self._report)

    def _report(self, text: str) -> None:
        self.damaged.append(text)
        self.say(f"damaged checkpoint {text}")

    def say(self, text: str) -> None:
        """Write to the trial's log; printed text may go to a user's terminal."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"zoo: {text}\n")

    def _require_same(self, found: Checkpoint) -> None:
        """Refuse to continue a policy under other conditions than it was trained under."""
        moved = found.moved(self.conditions)
        if moved and not self.job.across_stacks:
            raise TrialError(
                FailureClass.CONFIG, f"{checkpoints.refusal(found, moved)}; {checkpoints.HINT}"
            )

    def account(self, guard: Guard) -> None:
        """Store a reward's failure counts in checkpoints, and restore those of the
        checkpoint that training continues from."""
        self.guard = guard
        if self.resumed is not None and (state := self.resumed.state.get("guard")):
            guard.restore(state)

    def is_due(self, round_: int, *, at_once: bool) -> bool:
        """Whether a checkpoint is saved after a round. `at_once`: training ends with it."""
        profile = self.job.profile
        if round_ == self.job.trial.rounds:
            return profile.keep_extendable
        if at_once:
            return True
        if profile.save_every is not None:
            return round_ % profile.save_every == 0
        return self.pace.save_is_due()

    def save(self, round_: int, write: Save, lineage: int, attempt: int) -> None:
        """Save a checkpoint; the journals that it rests on are on the disk before it.

        Raises:
            TrialError: of class `disk`, where there is no room.
        """
        root = checkpoints.root_of(self.folder, lineage)
        with self.pace.saving():
            if self.durable:
                for name in ("metrics.jsonl", "evals.jsonl"):
                    _sync_file(self.folder / name)
            checkpoints.prune(root, self.job.profile.keep, most=1)
            before = checkpoints.newest(root)
            needs = before.bytes if before else state_bytes(self.job.trial)
            state = {
                "trial": self.job.trial.id,
                "lineage": lineage,
                "attempt": attempt,
                "conditions": self.conditions,
                "guard": self.guard.state() if self.guard else None,
                "evaluated": self._evaluated(lineage),
            }
            checkpoints.save(root, round_, write, state, needs=needs, durable=self.durable)

    def _evaluated(self, lineage: int) -> list[tuple[str, int]]:
        """Key and round of every evaluation of a lineage so far."""
        rows = journal.read(self.folder / "evals.jsonl")
        mine = (row for row in rows if live.lineage_of(row) == lineage)
        return sorted({(row["key"], row["round"]) for row in mine})

    def retire(self, lineage: int) -> None:
        """Remove the checkpoints of training, except those that the profile keeps."""
        profile = self.job.profile
        extendable = profile.keep_extendable
        root = checkpoints.root_of(self.folder, lineage)
        checkpoints.retire(root, profile.keep, is_optimiser, extendable=extendable)

    def about(self) -> dict[str, Any]:
        """Their entries in the record."""
        found: dict[str, Any] = {}
        if self.resumed is not None:
            found["resumed_from"] = self.resumed.round
        if self.damaged:
            found["damaged_checkpoints"] = self.damaged
        return found


def is_optimiser(name: str) -> bool:
    """Whether a file of a checkpoint serves only to continue training: optimiser, schedule,
    generators, position, pickled state of earlier versions, and the same of a simulated trial."""
    return name.endswith((".pt", ".pth", ".bin")) or name in STATE


STATE = (
    *("training_state.safetensors", "training_state.json", "trainer_state.json"),
    *("entropy_ctrl_state.json", "simulated.json"),
)


def copy_weights(found: Checkpoint, folder: Path) -> None:
    """Copy the policy in a checkpoint, without files that only training needs (also a reference
    model, in a folder of its own)."""
    for name in found.files:
        if "/" not in name and not is_optimiser(name):
            shutil.copyfile(found.folder / name, folder / name)


def sync(folder: Path) -> None:
    """Hand all files of a folder to the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync_file(path)


def _sync_file(path: Path) -> None:
    if path.exists():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
