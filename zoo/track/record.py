"""The record: what a finished stage leaves, and the only thing that says "done".

A record states the round that it reached, so `done` is always a question about a horizon:
`record.done(rounds)`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from zoo.errors import StateError, listed
from zoo.track.store import read_json, write_json

State = Literal["done", "failed", "preempted"]


class Record(BaseModel):
    """What became of a stage. Extra context of a stage goes into `about`."""

    model_config = ConfigDict(extra="forbid")

    id: str
    stage: Literal["train", "sample", "score"]
    state: State
    round: int
    """The last round that was completed; 0 = the base model."""
    attempt: int = 1
    metrics: dict[str, float | None] = {}
    stack: dict[str, str] = {}
    identity: dict[str, Any] = {}
    failure_class: str | None = None
    """One word: config, data, reward, mismatch, oom, killed, interrupted, error."""
    message: str = ""
    simulated: bool = False
    rehearsal: bool = False
    started: float = 0.0
    """Seconds since the epoch."""
    seconds: float = 0.0
    """Wall time of the last attempt."""
    about: dict[str, Any] = {}

    def done(self, rounds: int = 0) -> bool:
        """Whether the stage finished and reached at least `rounds`."""
        return self.state == "done" and self.round >= rounds


def write(folder: Path, record: Record, *, durable: bool = True) -> None:
    """Put the record into its stage folder, whole or not at all."""
    write_json(folder / "record.json", record.model_dump(mode="json"), durable=durable)


def read(folder: Path) -> Record | None:
    """The record of a stage folder, or None where there is none.

    Raises:
        StateError: a record that cannot be read; nothing is guessed from it.
    """
    path = folder / "record.json"
    try:
        data = read_json(path)
        return None if data is None else Record.model_validate(data)
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path} cannot be read ({_why(error)}); move its folder away to run it again"
        ) from error


def _why(error: OSError | ValueError) -> str:
    """What is wrong with a record, on one line."""
    if isinstance(error, ValidationError):
        keys = [".".join(map(str, item["loc"])) for item in error.errors() if item["loc"]]
        return f"missing or wrong: {listed(keys)}" if keys else "no keys and values"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def finite(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Metrics as JSON can hold them: NaN and infinities become None."""
    return {k: float(v) if v is not None and math.isfinite(v) else None for k, v in metrics.items()}
