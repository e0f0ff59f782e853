"""The MLflow mirror of a sweep: one parent run, one child run a trial. Opening the store is
`zoo.track.backend`.

The run folders are the truth; this copies them, may be lost, and can be rebuilt from them at any
time. One thread of one process calls it. The mirror's methods do not raise: MLflow being down or
slow delays the copy and harms nothing else (`MlflowMirror.problem` says what is wrong). Run ids are
explicit, statuses are set by us, and points carry the journals' timestamps, so that whatever is
sent twice is stored once.

A trial that begins again (lineage 2), that trains rounds again which a dead launch had reached
beyond the last checkpoint, or whose completions were graded again, gets a new child run: MLflow
cannot take metrics back, and two policies in one curve would be neither. The earlier child
is renamed, ended, tagged `zoo.superseded_by` and moved to MLflow's trash, from where it can be
restored.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import StateError
from zoo.manifest.schema import Experiment
from zoo.runs import outcome
from zoo.runs.outcome import Outcome
from zoo.store.run_store import Store
from zoo.track import payload, server
from zoo.track.backend import artifact_root, connect, path_of
from zoo.track.payload import Point
from zoo.trials.short_names import short_names
from zoo.trials.trial import Trial

BATCH = 1000
RETRY_S = 30.0
STATUS = {
    "done": "FINISHED",
    "stopped": "FINISHED",
    "incomplete": "KILLED",
    "failed": "FAILED",
    "preempted": "KILLED",
    "unfinished": "KILLED",
    "missing": "SCHEDULED",
}
"""What a trial's state is in MLflow once nothing works on it."""
ENDED = ("FINISHED", "FAILED", "KILLED")
WATCHED = ("metrics.jsonl", "evals.jsonl", "record.json", "phase")


@dataclass
class _Child:
    """A child run as it is in MLflow, and what was sent to it."""

    run_id: str
    status: str
    tags: dict[str, str]
    sent: set[tuple[str, int, int]] = field(default_factory=set)
    seen: tuple[float, ...] = ()


class MlflowMirror:
    """Copies one sweep into MLflow: `begin`, then `sync` now and then, then `finish`."""

    def __init__(
        self,
        store: Store,
        experiment: Experiment,
        trials: Iterable[Trial],
        uri: str | None = None,
        report: str | None = None,
    ) -> None:
        """`uri`: the MLflow store (default: the run store's); `report`: where it will lie."""
        self.store, self.experiment, self.trials = store, experiment, tuple(trials)
        self._names = short_names(self.trials)
        self.uri = uri or store.mlflow_uri
        self.report = report or f"sweeps/{experiment.name}/report.html"
        self.problem: str | None = None
        """What went wrong last, or None while all is well."""
        self._client: Any = None
        self._experiment_id = self._parent = ""
        self._children: dict[str, _Child] = {}
        self._begun, self._retry_at = False, 0.0

    def begin(self) -> bool:
        """Find or make experiment, parent and children; put stale statuses right."""
        return self._try(self._begin)

    def sync(self) -> bool:
        """Send what is new in the journals. Cheap where nothing is."""
        if time.monotonic() < self._retry_at:
            return False
        return self._try(lambda: self._each(self._sync_one))

    def finish(self, sweep_ok: bool | None, report: Path | None = None) -> bool:
        """Send the rest and set the final statuses.

        Args:
            sweep_ok: True = all trials are done, False = some failed, None = interrupted.
            report: the HTML file, kept with the parent run.
        """
        return self._try(lambda: self._finish(sweep_ok, report))

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            if not self._begun and action != self._begin:
                self._begin()
            action()
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            if self.problem is None:
                logging.getLogger("zoo").warning("MLflow at %s lags behind: %s", self.uri, said)
            self.problem, self._retry_at = (
                f"{type(error).__name__}: {said}",
                time.monotonic() + RETRY_S,
            )
            return False
        self.problem, self._retry_at = None, 0.0
        return True

    def _each(self, action: Callable[[Trial], None]) -> None:
        """Do something for every trial; a folder that cannot be read stops no other trial."""
        wrong = None
        for trial in self.trials:
            try:
                action(trial)
            except StateError as error:
                wrong = error
        if wrong is not None:
            raise wrong

    # -- begin ------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._client = connect(self.store, self.uri)
        self._experiment_id = self._find_experiment()
        self._find_runs()
        self._begun = True
        self._each(self._settle)

    def _settle(self, trial: Trial) -> None:
        """Bring a trial's run to what its folder says while nothing works on it. A folder whose
        last state was sent is not read again."""
        look = self._look(trial)
        child = self._children.get(_hash(trial.id))
        if child is not None and child.seen == look and child.status in ENDED:
            return
        found = outcome.load(trial, self.store)
        child = self._child(found)
        self._update(child, found, STATUS[found.state])
        child.seen = look

    def _find_experiment(self) -> str:
        name, client = self.experiment.name, self._client
        found = client.get_experiment_by_name(name)
        if found is None:
            local = path_of(self.uri) is not None
            place = artifact_root(self.store) / name if local else None
            id_ = client.create_experiment(name, artifact_location=place and place.as_uri())
        else:
            id_ = found.experiment_id
            if found.lifecycle_stage != "active":
                client.restore_experiment(id_)
        tags = {
            "mlflow.note.content": payload.note(self.experiment, self.report),
            "mlflow.experimentKind": "custom_model_development",
            f"mlflow.sharedViewState.{payload.VIEW_NAME}": payload.view(self.trials),
        }
        for key, value in tags.items():
            client.set_experiment_tag(id_, key, value)
        return id_

    def _find_runs(self) -> None:
        """Parent and children that are there already, in one query; makes the parent if needed."""
        self._children, self._parent = {}, ""
        name, known = self.experiment.name, {_hash(trial.id) for trial in self.trials}
        for run in self._search(f"tags.`zoo.sweep` = '{name}'"):
            run_tags, id_ = run.data.tags, run.info.run_id
            if run_tags.get("zoo.kind") == "sweep":
                self._parent = self._parent or id_
            elif (hash_ := _hash(run_tags.get("zoo.trial", ""))) in known:
                self._children.setdefault(hash_, _Child(id_, run.info.status, run_tags))
            elif run.info.status == "RUNNING":
                self._client.update_run(id_, status="KILLED")
        if self._parent:
            self._client.update_run(self._parent, status="RUNNING")
            return
        tags = {"zoo.kind": "sweep", "zoo.sweep": name, "mlflow.source.name": "zoo"}
        tags["mlflow.note.content"] = payload.note(self.experiment, self.report)
        made = self._client.create_run(self._experiment_id, run_name=f"sweep {name}", tags=tags)
        self._parent = made.info.run_id

    def _search(self, query: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id], query, max_results=1000, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _child(self, found: Outcome) -> _Child:
        """The trial's child run; made where there is none, or where it is of another lineage, of
        scores that were replaced since, or of other evaluations under the same names."""
        child = self._children.get(_hash(found.trial.id))
        names = ("attempt", "started", "regraded", "series")
        started, series = payload.started_ms(found), payload.naming(found.trial)
        wanted = (payload.policy(found), str(started), str(found.regraded), series)
        if child is not None:
            before = {"zoo.series": series} if payload.one_series(found.trial) else {}
            has = tuple((before | child.tags).get(f"zoo.{name}", "0") for name in names)
            if found.lineage == 0 or not found.times or has == wanted or has[1] == "0":
                return child
        made = self._create(found)
        if child is not None:
            self._supersede(child, made.run_id)
        self._children[_hash(found.trial.id)] = made
        return made

    def _create(self, found: Outcome) -> _Child:
        from mlflow.entities import Param

        tags = payload.tags(self.experiment, found) | {"mlflow.parentRunId": self._parent}
        run = self._client.create_run(
            self._experiment_id,
            start_time=payload.started_ms(found) or None,
            run_name=self._names[found.trial.id],
            tags=tags,
        )
        id_ = run.info.run_id
        params = [Param(key, value) for key, value in payload.params(found.trial).items()]
        self._client.log_batch(id_, params=params[:100])
        self._client.log_dict(id_, found.trial.model_dump(mode="json"), "trial.json")
        return _Child(id_, "RUNNING", dict(tags))

    def _supersede(self, child: _Child, by: str) -> None:
        """Put away the run of an earlier lineage or grading."""
        lineage = child.tags.get("zoo.attempt", "?")
        name = f"{child.tags.get('mlflow.runName', 'trial')} (lineage {lineage}, superseded)"
        status = child.status if child.status in ("FAILED", "FINISHED") else "KILLED"
        self._client.set_tag(child.run_id, "zoo.superseded_by", by)
        self._client.update_run(child.run_id, status=status, name=name)
        self._client.delete_run(child.run_id)

    # -- sync -------------------------------------------------------------------------------------

    def _look(self, trial: Trial) -> tuple[float, ...]:
        """Size and time of the files that say something new; equal looks mean nothing to read."""
        folder, seen = self.store.train(trial.id), []
        for name in WATCHED:
            try:
                stat = (folder / name).stat()
            except FileNotFoundError:
                seen += [-1.0, -1.0]
            else:
                seen += [stat.st_size, stat.st_mtime]
        return tuple(seen)

    def _sync_one(self, trial: Trial) -> None:
        look = self._look(trial)
        child = self._children.get(_hash(trial.id))
        if child is not None and child.seen == look:
            return
        found = outcome.load(trial, self.store)
        child = self._child(found)
        busy = found.state in ("unfinished", "missing", "incomplete")
        self._update(child, found, "RUNNING" if busy else STATUS[found.state])
        child.seen = look

    def _update(self, child: _Child, found: Outcome, status: str) -> None:
        """Send points and tags that MLflow does not have yet, then the status."""
        ended = status in ENDED
        mark = payload.mark(found)
        if child.tags.get("zoo.mark") != mark:
            self._send(child, payload.points(found))
            if ended:
                self._keep_artifacts(child, found)
            self._tag(child, payload.tags(self.experiment, found))
        if child.status != status:
            self._set_status(child, found, status)
        if ended and child.tags.get("zoo.mark") != mark:
            self._tag(child, {"zoo.mark": mark})

    def _send(self, child: _Child, points: Iterable[Point]) -> None:
        from mlflow.entities import Metric

        new = [p for p in points if (p.name, p.step, p.time_ms) not in child.sent]
        for start in range(0, len(new), BATCH):
            part = new[start : start + BATCH]
            metrics = [Metric(p.name, p.value, p.time_ms, p.step) for p in part]
            self._client.log_batch(child.run_id, metrics=metrics)
            child.sent |= {(p.name, p.step, p.time_ms) for p in part}

    def _tag(self, child: _Child, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        new = {name: value for name, value in tags.items() if child.tags.get(name) != value}
        if new:
            self._client.log_batch(child.run_id, tags=[RunTag(k, v) for k, v in new.items()])
            child.tags |= new

    def _set_status(self, child: _Child, found: Outcome, status: str) -> None:
        record = found.record
        if status in ENDED:
            end = record.started + record.seconds if record and record.started else time.time()
            self._client.set_terminated(child.run_id, status, end_time=round(1000 * end))
        else:
            self._client.update_run(child.run_id, status=status)
        child.status = status

    def _keep_artifacts(self, child: _Child, found: Outcome) -> None:
        table = payload.table(found, self.store)
        if table is not None:
            self._client.log_dict(child.run_id, table, payload.TABLE_NAME)
            self._tag(child, {"mlflow.loggedArtifacts": payload.table_tag()})
        if found.state != "done" and (log := found.log_tail(100)):
            self._client.log_text(child.run_id, log, "log_tail.txt")

    # -- finish -----------------------------------------------------------------------------------

    def _finish(self, sweep_ok: bool | None, report: Path | None) -> None:
        try:
            self._each(self._settle)
        finally:
            states = Counter(c.tags.get("zoo.state", "missing") for c in self._children.values())
            told = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
            self._client.set_tag(self._parent, "zoo.trials", told)
            if report is not None and report.is_file():
                self._client.log_artifact(self._parent, str(report))
            status = {True: "FINISHED", False: "FAILED", None: "KILLED"}[sweep_ok]
            self._client.set_terminated(self._parent, status)


def _hash(trial_id: str) -> str:
    """What a trial is known by whatever its name."""
    return trial_id.rpartition("-")[2]


def serve(store: Store, port: int, host: str = "127.0.0.1", name: str | None = None) -> int:
    """Run the MLflow server on the run store until it is stopped; prints its address.

    Args:
        name: a sweep, whose page is printed.

    Returns:
        The server's exit status; 0 after Ctrl-C.

    Raises:
        InputError: nothing was recorded yet, or the port is taken.
        StateError: MLflow cannot open the store.
    """
    uri = store.mlflow_uri
    file = path_of(uri)
    if file is not None and file.is_file():
        try:
            connect(store, uri)
        except OSError:
            raise  # of the run store's place
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise StateError(
                f"MLflow cannot open {uri} ({type(error).__name__}: {said}); the run folders are "
                "not affected: the file can be moved away, `zoo ui NAME` makes it anew from them"
            ) from error
    return server.run(
        uri,
        artifact_root(store).as_uri(),
        port,
        host,
        lambda: experiment_path(store, uri, name) if name else "",
    )


def experiment_path(store: Store, uri: str, name: str) -> str:
    """The part of a page's address that opens a sweep's runs; empty where MLflow has none of it."""
    found = connect(store, uri).get_experiment_by_name(name)
    if found is None:
        return ""
    return f"/#/experiments/{found.experiment_id}/runs?viewStateShareKey={payload.VIEW_NAME}"
