"""Which evaluations a trial still lacks: the plan's schedule against the index that the trial
keeps.

One rule for everybody who asks (the trial process, the plan, the report). Light; reads nothing.
"""

from __future__ import annotations

from typing import Any

from zoo.manifest.trial import Evaluation, Trial


def missing_evaluations(trial: Trial, index: list[dict[str, Any]]) -> list[tuple[Evaluation, int]]:
    """Evaluations of a trial, with their round, that its index (`evals.jsonl` rows) does not
    have."""
    known = {(row.get("key"), row["round"]) for row in index}
    return [
        (e, round_)
        for e in trial.evaluations
        for round_ in e.rounds
        if (e.key, round_) not in known
    ]
