"""The MLflow mirror of a sweep: one parent run, one child run a trial. Opening the store is
`zoo.track.backend`.

The run folders are the truth; this copies them, may be lost, and can be rebuilt from them at any
time. One thread of one process calls it, and of several processes only the first one copies a
sweep. The mirror's methods do not raise: MLflow being down or slow, or refusing something, delays
the copy and harms nothing else (`MlflowMirror.problem` says what is wrong). Run ids are explicit,
statuses are set by us, and points carry the journals' timestamps, so that whatever is sent twice is
stored once.

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
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from zoo.errors import StateError
from zoo.manifest.schema import Experiment
from zoo.runs import outcome
from zoo.runs.outcome import Outcome
from zoo.store.run_store import Store, claim, claimed
from zoo.track import payload, shared_view
from zoo.track.backend import artifact_root, connect, describe, path_of, without_account
from zoo.track.checkpoint_pages import checkpoint_pages, data_uses
from zoo.track.child_run import ENDED, ChildRun
from zoo.track.models import ModelPages
from zoo.track.parent import NOTE, SweepRun, keep_report
from zoo.trials.short_names import short_names
from zoo.trials.trial import Trial

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
WATCHED = ("metrics.jsonl", "evals.jsonl", "record.json", "void.json", "phase")


class ServerRefusal(Exception):
    """What MLflow did not take of one run although it answers, such as an artifact."""


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
        self._labels = payload.cell_labels(self.trials)
        self.uri = uri or store.mlflow_uri
        self.report = report or f"sweeps/{experiment.name}/report.html"
        self.problem: str | None = None
        """What went wrong last, or None while all is well."""
        self._client: Any = None
        self._experiment_id = self._parent = ""
        self._parent_tags: dict[str, str] = {}
        self._started = 0
        self._models = ModelPages(None, "")
        self._children: dict[str, ChildRun] = {}
        self._begun, self._retry_at = False, 0.0
        self._claim = ExitStack()
        self._claimed = False

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
        try:
            return self._try(lambda: self._finish(sweep_ok, report))
        finally:
            self.close()

    def close(self) -> None:
        """Let another process copy this sweep."""
        self._claim.close()
        self._claimed = self._begun = False

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            if not self._begun and action != self._begin:
                self._begin()
            action()
        except Exception as error:
            said = describe(error)
            if self.problem is None:
                where = without_account(self.uri)
                logging.getLogger("zoo").warning("MLflow at %s lags behind: %s", where, said)
            self.problem, self._retry_at = said, time.monotonic() + RETRY_S
            return False
        self.problem, self._retry_at = None, 0.0
        return True

    def _each(self, action: Callable[[Trial], None]) -> None:
        """Do something for every trial. A folder that cannot be read, or an artifact that is not
        taken, stops no other trial; a server that does not answer is not asked for each of them."""
        wrong = None
        for trial in self.trials:
            try:
                action(trial)
            except (StateError, ServerRefusal) as error:
                wrong = error
        if wrong is not None:
            raise wrong

    # -- begin ------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._claim_sweep()
        self._client = connect(self.store, self.uri)
        self._experiment_id = self._find_experiment()
        self._find_runs()
        self._models = ModelPages(self._client, self._experiment_id)
        self._begun = True
        self._each(self._settle)

    def _claim_sweep(self) -> None:
        """Two processes at once would each make the runs that neither finds."""
        folder = self.store.sweep(self.experiment.name) / "mlflow"
        if not self._claimed:
            self._claimed = self._claim.enter_context(claim(folder, wait=False))
        if not self._claimed:
            raise StateError(
                f"another process copies '{self.experiment.name}' to MLflow (a running sweep, `zoo "
                "ui` or `zoo sync`); try again when it has ended"
            )

    def _settle(self, trial: Trial) -> None:
        """Bring a trial's run to what its folder says; one that a process works on now is running.
        A folder whose last state was sent is not read again."""
        look = self._look(trial)
        child = self._children.get(_hash(trial.id))
        if child is not None and child.seen == look and child.status in ENDED:
            return
        found = outcome.load_whole(trial, self.store)
        child = self._child(found)
        child.worked_until = round(1000 * max(found.times.values(), default=0))
        live = found.state == "unfinished" and claimed(self.store.train(trial.id))
        self._update(child, found, "RUNNING" if live else STATUS[found.state])
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
            "mlflow.experimentKind": "custom_model_development",
            f"mlflow.sharedViewState.{shared_view.VIEW_NAME}": shared_view.view(self.trials),
        }
        before = found.tags if found else {}
        if NOTE not in before:
            tags[NOTE] = shared_view.note(self.experiment, self.report)
        for key, value in tags.items():
            if before.get(key) != value:
                client.set_experiment_tag(id_, key, value)
        return id_

    def _find_runs(self) -> None:
        """Parent and children that are there already, in one query; makes the parent if needed."""
        self._children, self._parent, self._parent_tags = {}, "", {}
        name, known = self.experiment.name, {_hash(trial.id) for trial in self.trials}
        for run in self._search(f"tags.`zoo.sweep` = '{name}'"):
            run_tags, id_ = run.data.tags, run.info.run_id
            if run_tags.get("zoo.kind") == "sweep":
                if not self._parent:
                    self._parent, self._parent_tags = id_, run_tags
                    self._started = run.info.start_time
            elif (hash_ := _hash(run_tags.get("zoo.trial", ""))) in known:
                self._children.setdefault(
                    hash_,
                    ChildRun(
                        self._client,
                        id_,
                        run.info.status,
                        run.info.start_time,
                        run_tags,
                        run.data.params,
                    ),
                )
            elif run.info.status == "RUNNING":
                self._client.update_run(id_, status="KILLED")
        if self._parent:
            self._client.update_run(self._parent, status="RUNNING")
            return
        tags = {"zoo.kind": "sweep", "zoo.sweep": name, "mlflow.source.name": "zoo"}
        tags[NOTE] = shared_view.note(self.experiment, self.report)
        made = self._client.create_run(
            self._experiment_id, self._first_start(), tags, run_name=f"sweep {name}"
        )
        self._parent, self._started = made.info.run_id, made.info.start_time

    def _first_start(self) -> int | None:
        """When the first of the trials began, where one did."""
        began: list[int] = []
        for trial in self.trials:
            with suppress(StateError):
                began.append(payload.started_ms(outcome.load_whole(trial, self.store)))
        return min(filter(None, began), default=None)

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

    def _child(self, found: Outcome) -> ChildRun:
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

    def _create(self, found: Outcome) -> ChildRun:
        tags = self._tags(found) | {"mlflow.parentRunId": self._parent}
        run = self._client.create_run(
            self._experiment_id,
            start_time=payload.started_ms(found) or None,
            run_name=self._names[found.trial.id],
            tags=tags,
        )
        return ChildRun(self._client, run.info.run_id, "RUNNING", run.info.start_time, dict(tags))

    def _supersede(self, child: ChildRun, by: str) -> None:
        """Put away the run of an earlier lineage or grading."""
        lineage = child.tags.get("zoo.attempt", "?")
        name = f"{child.tags.get('mlflow.runName', 'trial')} (lineage {lineage}, superseded)"
        status = child.status if child.status in ("FAILED", "FINISHED") else "KILLED"
        self._client.set_tag(child.run_id, "zoo.superseded_by", by)
        _refusal(lambda: self._models.delete_of(child.run_id))
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
        found = outcome.load_whole(trial, self.store)
        child = self._child(found)
        busy = found.state in ("unfinished", "missing", "incomplete")
        self._update(child, found, "RUNNING" if busy else STATUS[found.state])
        child.seen = look

    def _update(self, child: ChildRun, found: Outcome, status: str) -> None:
        """Send points and tags that MLflow does not have yet, then the status."""
        ended, refused = status in ENDED, None
        whole = {"zoo.mark": payload.mark(found), "zoo.pages": payload.PAGES}
        new = not whole.items() <= child.tags.items()
        if new:
            child.send_params(payload.params(found.trial))
            child.send(payload.points(found))
            if ended:
                refused = _refusal(lambda: child.keep_artifacts(found, self.store))
            if ended and found.lineage:
                refused = _refusal(lambda: self._send_models(child, found)) or refused
            child.tag(self._tags(found))
        if child.status != status or (ended and new):
            child.set_status(status, payload.worked_seconds(found))
        if refused:
            raise refused  # without its mark it is sent again
        if ended and new:
            child.tag(whole)

    def _send_models(self, child: ChildRun, found: Outcome) -> None:
        self._models.send_data(child.run_id, data_uses(found.trial))
        name = f"{self._labels[found.trial.id]} s{found.trial.seed}"
        pages = checkpoint_pages(found, name, self.store)
        self._models.send_models(child.run_id, pages)

    def _tags(self, found: Outcome) -> dict[str, str]:
        label = {shared_view.GROUP_TAG: self._labels[found.trial.id]}
        return payload.tags(self.experiment, found) | label

    # -- finish -----------------------------------------------------------------------------------

    def _finish(self, sweep_ok: bool | None, report: Path | None) -> None:
        try:
            self._each(self._settle)
        finally:
            states = Counter(c.tags.get("zoo.state", "missing") for c in self._children.values())
            told = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
            self._client.set_tag(self._parent, "zoo.trials", told)
            refused = None
            if report is not None and report.is_file():
                at = SweepRun(self._experiment_id, self._parent, self._parent_tags)
                refused = _refusal(
                    lambda: keep_report(self._client, at, self.experiment, report, self.report)
                )
            status = {True: "FINISHED", False: "FAILED", None: "KILLED"}[sweep_ok]
            end = max((child.worked_until for child in self._children.values()), default=0)
            self._client.set_terminated(self._parent, status, end_time=max(end, self._started))
        if refused:
            raise refused


def _refusal(action: Callable[[], None]) -> ServerRefusal | None:
    """Do what a server may refuse while it takes all else; returns what it said."""
    try:
        action()
    except Exception as error:
        return ServerRefusal(f"refused: {describe(error)}")
    return None


def _hash(trial_id: str) -> str:
    """What a trial is known by whatever its name."""
    return trial_id.rpartition("-")[2]
