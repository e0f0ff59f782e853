"""The record of a finished stage, and the only evidence that it is done.

A record states the round that it reached, so `done` is always a question about a horizon:
`record.done(rounds)`. Records of form 1 (zoo 0.1.0) have no `form` and no `lineage`; there every
launch began training again, so that the launch's number is the lineage's.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import CoreSchema

from zoo import json_text
from zoo.errors import StateError, listed
from zoo.store.run_store import read_bytes, read_json, write_json, write_text

State = Literal["done", "stopped", "failed", "preempted"]
"""`stopped` is an outcome with a `stop_reason`, and is never rerun automatically, unless that is
`budget`."""
BUDGET = "budget"
OUTCOMES: tuple[State, ...] = ("done", "stopped")
"""What training can come to; all other states are of a launch that did not get there."""
FORM = 2
"""The form of the records that this version writes."""


class Record(BaseModel):
    """What became of a stage. Extra context of a stage goes into `about`."""

    model_config = ConfigDict(extra="forbid")

    form: int = 1
    id: str
    stage: Literal["train", "sample", "score", "behaviours"]
    state: State
    round: int
    """The last round that was completed; 0 = the base model."""
    attempt: int = 1
    """The number of the launch that wrote it."""
    lineage: int = 1
    """Number of its policy: a new lineage is training that began again at round 0; 0 = none
    began."""
    metrics: dict[str, float | None] = {}
    stack: dict[str, str] = {}
    identity: dict[str, Any] = {}
    failure_class: str | None = None
    """A `FailureClass`; a text, as records of later versions may have others."""
    stop_reason: str | None = None
    """Of a stopped trial: `diverged`, `budget` or `tripwire:<metric>`."""
    message: str = ""
    simulated: bool = False
    rehearsal: bool = False
    started: float = 0.0
    """Seconds since the epoch."""
    seconds: float = 0.0
    """Wall time of the launch."""
    about: dict[str, Any] = {}

    @model_validator(mode="after")
    def _first_form(self) -> Self:
        """A record of form 1: its lineage is its attempt."""
        if self.model_fields_set.isdisjoint(("form", "lineage")):
            self.lineage = self.attempt
        return self

    @property
    def branch(self) -> str:
        """Folder below `rollouts/` and `checkpoints/` with the files of its lineage."""
        return branch(self.lineage) if self.form > 1 else ""

    @property
    def final_round(self) -> int | None:
        """The round whose weights are the result of training; None = none were kept."""
        return self.about.get("final_round") if self.state == "stopped" else self.round

    @property
    def cut(self) -> bool:
        """Whether the study's budget ended it early: no outcome, and it goes on once the budget
        allows it."""
        return self.state == "stopped" and self.stop_reason == BUDGET

    @property
    def extends(self) -> list[int]:
        """Rounds at which earlier records of the lineage were done, ascending, before training was
        extended; each is stored in the same folder (`record.L1.round-0020.json`)."""
        return self.about.get("extends", [])

    def finished(self, rounds: int = 0) -> bool:
        """Whether training came to an outcome: done at `rounds` or beyond, or stopped."""
        return (self.state == "stopped" and not self.cut) or self.done(rounds)

    def done(self, rounds: int = 0) -> bool:
        """Whether the stage finished and reached at least `rounds`."""
        return self.state == "done" and self.round >= rounds


def branch(lineage: int) -> str:
    """Folder of a lineage's files; those of the first are next to these folders."""
    return f"L{lineage}" if lineage > 1 else ""


def write(folder: Path, record: Record, *, durable: bool = True) -> None:
    """Write the record into its stage folder, atomically."""
    write_json(folder / "record.json", record.model_dump(mode="json"), durable=durable)


def set_aside(folder: Path, record: Record, *, extended: bool = False) -> None:
    """Keep the record of a finished lineage under another name before a new one replaces it.
    `extended`: the new one is of the same lineage, trained for more rounds."""
    text = (folder / "record.json").read_text(encoding="utf-8")
    name = f"record.L{record.lineage}.json"
    if extended:
        name = _extended_name(record.lineage, record.round)
    write_text(folder / name, text)


def _extended_name(lineage: int, round_: int) -> str:
    return f"record.L{lineage}.round-{round_:04d}.json"


def as_of(folder: Path | str, found: Record | None, rounds: int) -> Record | None:
    """The record of a trial for a horizon: where training was extended, the first one of its
    lineage that is done at `rounds`, so that the extension does not change the result of fewer
    rounds. `found`: the record in the folder.

    Raises:
        StateError: as `read`.
    """
    if found is not None:
        for reached in found.extends:
            if reached >= rounds:
                earlier = read(folder, _extended_name(found.lineage, reached))
                return found if earlier is None else earlier
    return found


def read(folder: Path | str, name: str = "record.json") -> Record | None:
    """The record of a stage folder, or None where there is none.

    Raises:
        StateError: a record that cannot be read.
    """
    path = f"{folder}/{name}"
    try:
        data = read_json(path)
        said = json_text.as_mapping(data) or {}
        if isinstance(form := said.get("form"), int) and form > FORM:
            raise StateError(
                f"{path} is of form {form}, written by a newer zoo; this one reads records up to "
                f"form {FORM}: use that version"
            )
        return None if data is None else Record.model_validate(data)
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path} cannot be read ({_why(error)}); move its folder away to run it again"
        ) from error


class _Unread:
    """Marks an object of a record that is not read."""

    @staticmethod
    def __get_pydantic_core_schema__(*_: object) -> CoreSchema:
        return json_text.unread_object()


class _Outcome(Record):
    """A record without what takes longest to read."""

    identity: Annotated[dict[str, Any], _Unread] = {}
    stack: Annotated[dict[str, str], _Unread] = {}


def read_outcome(folder: Path | str) -> Record | None:
    """As `read`, with empty `identity` and `stack`: half the time, where many are read.

    Raises:
        StateError: as `read`.
    """
    try:
        raw = read_bytes(f"{folder}/record.json")
        found = None if raw is None else _Outcome.model_validate_json(raw)
    except (OSError, ValueError):
        return read(folder)  # says what is wrong
    return found if found is None or found.form <= FORM else read(folder)


def _why(error: OSError | ValueError) -> str:
    """The error in a record, on one line."""
    if isinstance(error, ValidationError):
        keys = [".".join(map(str, item["loc"])) for item in error.errors() if item["loc"]]
        return f"missing or wrong: {listed(keys)}" if keys else "no keys and values"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def finite(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Metrics for JSON: NaN and infinities become None."""
    return {k: float(v) if v is not None and math.isfinite(v) else None for k, v in metrics.items()}
