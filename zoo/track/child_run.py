"""The run of one trial as it is in MLflow, and what was sent to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.runs.outcome import Outcome
from zoo.store.run_store import Store
from zoo.track import payload
from zoo.track.payload import Point

BATCH = 1000
PARAMS = 100
"""Most metrics and params that MLflow takes at a time."""
ENDED = ("FINISHED", "FAILED", "KILLED")


@dataclass
class ChildRun:
    """A child run. Its methods send what MLflow lacks, and raise what its client raises."""

    client: Any
    run_id: str
    status: str
    started: int
    """Milliseconds since the epoch; MLflow never changes it."""
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict[str, str])
    sent: set[tuple[str, int, int]] = field(default_factory=set[tuple[str, int, int]])
    worked_until: int = 0
    """When its last round ended, in milliseconds since the epoch; 0 before the first."""
    seen: tuple[float, ...] = ()
    """How the trial's files looked when they were sent."""

    def send_params(self, known: Mapping[str, str]) -> None:
        """Those that MLflow lacks: it never changes a param."""
        from mlflow.entities import Param

        new = [Param(key, value) for key, value in known.items() if key not in self.params]
        for start in range(0, len(new), PARAMS):
            self.client.log_batch(self.run_id, params=new[start : start + PARAMS])
        self.params |= {param.key: param.value for param in new}

    def send(self, points: Iterable[Point]) -> None:
        """Points that this process has not sent; those that MLflow has already it stores once."""
        from mlflow.entities import Metric

        new = [p for p in points if (p.name, p.step, p.time_ms) not in self.sent]
        for start in range(0, len(new), BATCH):
            part = new[start : start + BATCH]
            metrics = [Metric(p.name, p.value, p.time_ms, p.step) for p in part]
            self.client.log_batch(self.run_id, metrics=metrics)
            self.sent |= {(p.name, p.step, p.time_ms) for p in part}

    def tag(self, tags: Mapping[str, str]) -> None:
        """Tags that are new or have another value."""
        from mlflow.entities import RunTag

        new = {name: value for name, value in tags.items() if self.tags.get(name) != value}
        if new:
            self.client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in new.items()])
            self.tags |= new

    def set_status(self, status: str, worked_s: float) -> None:
        """The status; of a run that ended with the time that was worked on it as its duration, and
        not what it waited for a place or between launches."""
        if status in ENDED:
            end = self.started + round(1000 * worked_s)
            self.client.set_terminated(self.run_id, status, end_time=end)
        else:
            self.client.update_run(self.run_id, status=status)
        self.status = status

    def keep_artifacts(self, found: Outcome, store: Store) -> None:
        """The resolved trial, completions as a table, and the end of the log where it failed."""
        self.client.log_dict(self.run_id, found.trial.model_dump(mode="json"), "trial.json")
        table = payload.table(found, store)
        if table is not None:
            self.client.log_dict(self.run_id, table, payload.TABLE_NAME)
            self.tag({"mlflow.loggedArtifacts": payload.table_tag()})
        if found.state != "done" and (log := found.log_tail(100)):
            self.client.log_text(self.run_id, log, "log_tail.txt")
