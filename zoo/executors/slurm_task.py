"""The input of a trial's job: written where it is submitted, read on its first node whenever Slurm
starts it, again after each time it was requeued.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from zoo import __version__
from zoo.catalog import ComputeProfile
from zoo.errors import StateError
from zoo.launching.task import Task
from zoo.store.run_store import read_json, write_json
from zoo.trials.trial import Trial

NAME = "task.json"
OPTIONS = ("runs", "retrain", "extend", "longest_prompt", "across_stacks")


class JobInput(NamedTuple):
    """What a job needs to know."""

    task: Task
    limits: Mapping[str, float]
    """The budget of its study."""


def write_input(task: Task, folder: Path, limits: Mapping[str, float]) -> Path:
    """Write the input of a job into its folder; returns the file. The token of the task is left
    out: each time a job starts is a launch of its own."""
    data: dict[str, Any] = {
        "zoo": __version__,
        "trial": task.trial.model_dump(mode="json", by_alias=True),
        "profile": task.profile.model_dump(mode="json", by_alias=True),
        "limits": dict(limits),
    }
    path = folder / NAME
    durable = not task.trial.simulated
    write_json(path, data | {key: getattr(task, key) for key in OPTIONS}, durable=durable)
    return path


def read_input(path: Path, token: str) -> JobInput:
    """The input of a job; its task has this token.

    Raises:
        StateError: it was submitted by another version of zoo, or is no such file.
    """
    try:
        data: dict[str, Any] = read_json(path) or {}
        if data["zoo"] != __version__:
            raise StateError(
                f"{path}: submitted by zoo {data['zoo']}, and this job runs zoo {__version__}; let "
                "`slurm.python` of the profile run the same one, then run the sweep again"
            )
        trial = Trial.model_validate(data["trial"])
        profile = ComputeProfile.model_validate(data["profile"])
        task = Task(trial, profile, token=token, **{key: data[key] for key in OPTIONS})
        return JobInput(task, data["limits"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path} is not the input of a job ({error})") from error
