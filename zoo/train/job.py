"""The input of a trial's process: `trial.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from zoo.catalog import ComputeProfile
from zoo.store.run_store import Store
from zoo.trials.trial import Trial


@dataclass(frozen=True)
class Job:
    """`trial.json`: what to run, and where. `token` identifies this launch."""

    path: Path
    trial: Trial
    store: Store
    profile: ComputeProfile
    token: str
    retrain: int = 0
    """The finished lineage to be trained again; 0 = none. Where another has replaced it
    since, another sweep trained it."""
    extend: bool = False
    """Whether finished training of fewer rounds goes on to the trial's."""
    longest_prompt: int | None = None
    """Tokens of the longest prompt, for the engine's size; None = not counted."""
    across_stacks: bool = False
    """Continue also what another stack or geometry began."""
    out_of_memory: tuple[int, ...] = ()
    """Micro-batches at which memory ran out before, in this run."""

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a `trial.json`."""
        data = json.loads(path.read_text(encoding="utf-8"))
        run = data["run"]
        profile = ComputeProfile.model_validate(run["profile"])
        trial = Trial.model_validate(data["trial"])
        return cls(
            path,
            trial,
            Store(run["store"]),
            profile,
            run["token"],
            retrain=run.get("retrain", 0),
            extend=run.get("extend", False),
            longest_prompt=run.get("longest_prompt"),
            across_stacks=run.get("across_stacks", False),
            out_of_memory=tuple(run.get("out_of_memory", ())),
        )
