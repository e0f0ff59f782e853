"""Runs trials as Ray Tune trials: Ray schedules them and counts CPUs and GPUs, zoo does the rest.

Each Tune trial is a thin function that starts and supervises the trial's process group, so a
trial runs the same way with or without Ray. Every invocation is a fresh `Tuner` over the ids that
are left; Ray's own state is never read again. Ray does not handle retries, records or results.
"""

from __future__ import annotations

import pickle
import queue
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from zoo.catalog import ComputeProfile
from zoo.errors import FailureClass, StateError
from zoo.executors.cluster_room import shape_of
from zoo.executors.ray_here import hush
from zoo.executors.ray_supervisor import result_of, stop_file_of, supervise
from zoo.launching.launch import LaunchResult
from zoo.launching.task import Task
from zoo.scheduling.executor import Event, Handle, Stop, Tell
from zoo.store.run_store import write_text

POLL_S = 0.2
FAREWELL_S = 15.0  # how long Tune may take to end after its last trial did


class Ray(Protocol):
    """The Ray that trials run on: of this machine, or of a cluster."""

    environment: dict[str, str]
    """What trials get of the driver's environment, beside what they inherit."""
    software: dict[str, str]
    """What the node of a trial must have in common with the driver; {} = not checked."""
    reuses_workers: bool
    notice_s: float
    """How long its death may take to show after Tune ended early."""

    @property
    def changes(self) -> int:
        """How often what is free changed."""
        ...

    def start(self) -> None:
        """Be ready for Tune."""
        ...

    def has_room(self, task: Task) -> bool:
        """Whether its nodes have what a task needs."""
        ...

    def note(self, task: Task, *, begun: bool = False, ended: bool = False) -> None:
        """A task was started, has begun, or has ended."""
        ...

    def death(self) -> str | None:
        """What happened to it, where it is not alive any more."""
        ...

    def close(self, failure: Exception | None, *, died: bool) -> None:
        """Let go of it."""
        ...


class RayExecutor:
    """Runs `profile.concurrency` trials at a time on a Ray.

    One Tuner for the whole sweep: a searcher hands it each task as the driver starts it.
    """

    name = "ray"

    def __init__(self, profile: ComputeProfile, scratch: Path, ray_: Ray) -> None:
        """`scratch`: a folder for Tune's and zoo's own files, removed at the end; where trials run
        on several machines, on a disk that they share."""
        self.profile, self.scratch, self.slots = profile, scratch, profile.concurrency
        self.ray = ray_
        self._crash: BaseException | None = None

    @property
    def changes(self) -> int:
        """How often what is free on Ray's nodes changed."""
        return self.ray.changes

    def open(self, tell: Tell, stop: Stop) -> None:
        """Start Ray and Tune, in a thread; tasks that are started meanwhile wait for it."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        (self.scratch / "tasks").mkdir(parents=True)
        self._run = _Run(self, tell, stop)
        self._thread = threading.Thread(target=self._work, name="ray", daemon=True)
        self._thread.start()

    def has_room(self, task: Task) -> bool:
        """Whether Ray's nodes have what a task needs, as far as that is known."""
        return self.ray.has_room(task)

    def start(self, task: Task) -> Handle:
        """Queue a task for Tune, which schedules it at once."""
        self.ray.note(task)
        return self._run.start(task)

    def check(self) -> None:
        """Raise `StateError` where Ray did not start, died, or Tune failed."""
        if self._crash is not None:
            raise self._crash

    def close(self) -> None:
        """End Tune and Ray; returns when both are gone."""
        self._run.closed.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            self._on_ray()
        except BaseException as error:
            self._crash = error

    def _on_ray(self) -> None:
        failure: Exception | None = None
        try:
            self.ray.start()
            self._run.go()
        except StateError as error:
            failure = error
            raise
        finally:
            try:
                self.ray.close(failure, died=self._run.died)
            finally:
                if not (self._run.died and self.profile.address):  # supervisors read their stops
                    shutil.rmtree(self.scratch, ignore_errors=True)


class _Run:
    """One Tuner from `open` to `close`: passes it tasks, reports events and forwards stops."""

    def __init__(self, executor: RayExecutor, tell: Tell, stop: Stop) -> None:
        self.executor, self.tell, self.stop = executor, tell, stop
        self.queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        """Tasks by id, with what they take."""
        self.handles: dict[str, Handle] = {}
        """Of tasks that were started and have not ended."""
        self.tasks: dict[str, Task] = {}
        """These tasks."""
        self.begun: set[str] = set()
        self.closed, self.halt = threading.Event(), threading.Event()
        self.crash: Exception | None = None
        self.died = False
        """Whether a server of Ray's ended."""
        self._graces: dict[str, float] = {}

    def start(self, task: Task) -> Handle:
        id_ = task.trial.id
        self.tasks[id_], handle = task, Handle(id_)
        self.handles[id_] = handle
        with (self.executor.scratch / "tasks" / id_).open("wb") as stream:
            pickle.dump(task, stream)
        shape = shape_of(task)
        each = {"CPU": shape.each.cpus, "GPU": shape.each.gpus}
        self.queue.put({"trial": id_, "nodes": shape.nodes, "each": each})
        return handle

    def go(self) -> None:
        """Feed Tune until the executor is closed.

        Raises:
            StateError: Ray died, or Tune ended before.
        """
        fit = threading.Thread(target=self._fit, name="tune", daemon=True)
        fit.start()
        while fit.is_alive() and not (self.closed.is_set() and not self.begun):
            fit.join(POLL_S)
            self._pass_stops_on()
            self._must_live()
        early = not self.closed.is_set()
        self.halt.set()
        fit.join(FAREWELL_S)
        if early:  # Tune may see that Ray died before its servers have ended
            self._must_live(self.executor.ray.notice_s)
        if self.crash is not None:
            raise StateError(f"Ray Tune failed: {self.crash}") from self.crash
        if early:
            raise StateError("Ray Tune ended before the sweep did. Run it again: it goes on")

    def _must_live(self, patience_s: float = 0.0) -> None:
        end = time.monotonic() + patience_s
        while (why := self.executor.ray.death()) is None:
            if time.monotonic() >= end:
                return
            time.sleep(POLL_S)
        self.died = True
        for id_ in [*self.begun]:  # on other machines they may not have noticed
            self._stop(id_, 0.0)
        raise StateError(f"{why}; its trials were ended. Run the sweep again: it goes on")

    def _pass_stops_on(self) -> None:
        """Write stops where the supervisors read them. A task that Tune has not begun ends here."""
        for handle in [*self.handles.values()]:
            grace = handle.grace(self.stop)
            if grace is None or self._graces.get(handle.id) == grace:
                continue
            self._graces[handle.id] = grace
            self._stop(handle.id, grace)
            if handle.id not in self.begun:
                self.told(handle.id, LaunchResult("preempted", FailureClass.INTERRUPTED))

    def _stop(self, id_: str, grace: float) -> None:
        write_text(stop_file_of(self.executor.scratch, id_), repr(grace), durable=False)

    def told(self, id_: str, ended: LaunchResult | None) -> None:
        """Pass on what Tune saw of a task, once each."""
        if id_ not in self.handles:
            return
        if ended is None:
            self.begun.add(id_)
            self.executor.ray.note(self.tasks[id_], begun=True)
            self.tell(Event(id_))
        else:
            self.begun.discard(id_)
            self.handles.pop(id_)
            self.executor.ray.note(self.tasks.pop(id_), ended=True)
            self.tell(Event(id_, ended))

    def _fit(self) -> None:
        try:
            self._tuner().fit()
        except Exception as error:
            self.crash = error

    def _tuner(self) -> Any:
        from ray import tune

        hush()
        profile, scratch = self.executor.profile, self.executor.scratch
        ray_ = self.executor.ray
        given = {"environment": ray_.environment, "like": ray_.software, "scratch": str(scratch)}
        function = tune.with_parameters(supervise, **given)
        observer, stopper, searcher = _hooks(self)
        return tune.Tuner(
            tune.with_resources(function, _bundles),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,  # as many as the searcher gives
                max_concurrent_trials=profile.concurrency,
                reuse_actors=ray_.reuses_workers,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(scratch),
                failure_config=tune.FailureConfig(max_failures=0),
                callbacks=[observer],
                stop=stopper,
                verbose=0,
            ),
        )


def _bundles(config: dict[str, Any]) -> Any:
    """The resources of a trial while it runs: of each of its nodes the same, and no two of them on
    one node."""
    from ray.tune import PlacementGroupFactory

    spread = "STRICT_SPREAD" if config["nodes"] > 1 else "PACK"
    return PlacementGroupFactory([config["each"]] * config["nodes"], strategy=spread)


def _hooks(run_: _Run) -> tuple[Any, Any, Any]:
    """Tune's callback, stopper and searcher. Tune pickles them into files that are never read;
    their attributes are left out."""
    from ray.tune import Callback, Stopper
    from ray.tune.search import Searcher

    class Local:
        run: _Run

        def __getstate__(self) -> dict[str, Any]:
            return {}

    class Observer(Local, Callback):
        """Reports Tune's events; decides nothing."""

        def on_trial_start(self, iteration: Any, trials: Any, trial: Any, **info: Any) -> None:
            self.run.told(trial.config["trial"], None)

        def on_trial_complete(self, iteration: Any, trials: Any, trial: Any, **info: Any) -> None:
            self.run.told(trial.config["trial"], result_of(trial.last_result))

        def on_trial_error(self, iteration: Any, trials: Any, trial: Any, **info: Any) -> None:
            why = "the Ray worker of the trial died"
            self.run.told(trial.config["trial"], LaunchResult("failed", FailureClass.INFRA, why))

    class Halt(Local, Stopper):
        """Ends everything once the driver requests it."""

        def __call__(self, trial_id: str, result: Any) -> bool:
            return False

        def stop_all(self) -> bool:
            return self.run.halt.is_set()

    class FromQueue(Local, Searcher):
        """Gives Tune the tasks that the driver started; None = nothing now."""

        def suggest(self, trial_id: str) -> Any:
            if self.run.halt.is_set():
                return Searcher.FINISHED
            with suppress(queue.Empty):
                return self.run.queue.get(timeout=POLL_S)
            return None

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            """Nothing to learn."""

        def save(self, checkpoint_path: str) -> None:
            """Nothing to save: a continued sweep has a new Tuner."""

        def restore(self, checkpoint_path: str) -> None:
            """See `save`."""

    hooks = Observer(), Halt(), FromQueue()
    for hook in hooks:
        hook.run = run_
    return hooks


def _trial_name(trial: Any) -> str:
    return trial.config["trial"]
