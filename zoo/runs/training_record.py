"""The record of a launch of training, as the trial writes it or the launcher on its behalf."""

from __future__ import annotations

from typing import Any

from zoo.store import record
from zoo.store.record import Record
from zoo.store.stack import provenance
from zoo.trials.trial import Trial

MESSAGE = 4000
"""Characters of a message that are kept: its end, where a cause stands."""


def training_record(
    trial: Trial,
    *,
    token: str,
    profile: str,
    message: str,
    out_of_memory: tuple[int, ...],
    about: dict[str, Any],
    **fields: Any,
) -> Record:
    """The record of a launch.

    Args:
        token: of the launch. profile: name of the compute profile.
        out_of_memory: micro-batches at which memory ran out before, in the same run.
        about: what this launch says beside what every one says.
        fields: of the record, that do not follow from the trial.
    """
    every: dict[str, Any] = {
        "token": token,
        "provenance": provenance(),
        "cell": trial.cell,
        "seed": trial.seed,
        "rounds": trial.rounds,
        "profile": profile,
    }
    every |= {"out_of_memory": list(out_of_memory)} if out_of_memory else {}
    return Record(
        form=record.FORM,
        stage="train",
        identity=trial.identity,
        simulated=trial.simulated,
        rehearsal=trial.rehearsal,
        message=message[-MESSAGE:],
        about=every | about,
        **fields,
    )
