"""Runs trials as Ray Tune trials: Ray schedules them and counts CPUs and GPUs, zoo does the rest.
The only importer of ray.

Each Tune trial is a thin function that starts and supervises the trial's process group, so a
trial runs the same way with or without Ray. Every invocation is a fresh `Tuner` over the ids that
are left; Ray's own state is never read again. Ray does not handle retries, records or results.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import queue
import shutil
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import FailureClass, StateError
from zoo.executors.ray_death import abandon, alive
from zoo.executors.ray_home import make_home
from zoo.launching.launch import LaunchResult, failed_launch, run
from zoo.launching.task import Task, source_folder
from zoo.orchestrate.orphan_guard import VARIABLE, end_all
from zoo.orchestrate.watch import View, number
from zoo.scheduling.executor import Event, Handle, Stop, Tell
from zoo.store.run_store import write_text

SETTINGS = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",  # on one machine it does not come back
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_worker_niceness": "0",  # Ray's 15 would let any other program on the machine go first
    "RAY_TRAIN_V2_ENABLED": "0",
    "SPT_NOENV": "1",  # Ray's titles of processes would overwrite the environment that marks them
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
}
OBJECT_STORE_BYTES = 100 * 1024**2  # nothing of size travels through Ray
POLL_S = 0.2
NOTICE_S = 2.0  # how long after Tune's failure a dead server of Ray's is looked for
FAREWELL_S = 15.0  # how long Tune may take to end after its last trial did


class RayExecutor:
    """Runs `profile.concurrency` trials at a time on its own Ray instance, on this machine.

    One Tuner for the whole sweep: a searcher hands it each task as the driver starts it.
    """

    name = "ray"

    def __init__(self, profile: ComputeProfile, scratch: Path) -> None:
        """`scratch`: a folder for Ray's own files; removed at the end."""
        self.profile, self.scratch, self.slots = profile, scratch, profile.concurrency
        self._crash: BaseException | None = None

    def open(self, tell: Tell, stop: Stop) -> None:
        """Start Ray and Tune, in a thread; tasks that are started meanwhile wait for it."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        (self.scratch / "tasks").mkdir(parents=True)
        self._run = _Run(self, tell, stop)
        self._thread = threading.Thread(target=self._work, name="ray", daemon=True)
        self._thread.start()

    def has_room(self, task: Task) -> bool:
        """Ray itself waits for what a trial needs."""
        return True

    def start(self, task: Task) -> Handle:
        """Queue a task for Tune, which schedules it at once."""
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
        os.environ.update(SETTINGS)
        if (path := source_folder()) is not None:
            given = os.environ.get("PYTHONPATH")
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [path, given]))
        import ray

        home = make_home()
        try:
            self._start(ray, home)
            self._run.go(ray)
        except StateError as error:
            raise StateError(f"{error} (Ray's logs: {home})") from error
        finally:
            if self._run.died:
                abandon()
            else:
                ray.shutdown()
            shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)  # nothing went wrong that its logs could explain

    def _start(self, ray: Any, home: Path) -> None:
        cpus = math.ceil(self.profile.concurrency * self.profile.cpus_per_trial)
        try:
            ray.init(
                address="local",
                num_cpus=max(1, cpus),
                num_gpus=None if self.profile.gpus_per_trial else 0,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECT_STORE_BYTES,
                configure_logging=True,
                _temp_dir=str(home),
            )
        except Exception as error:
            raise StateError(
                f"Ray does not start ({type(error).__name__}: {error}); `zoo doctor` reports what "
                "is missing, `--executor local` goes without Ray"
            ) from error


class _Run:
    """One Tuner from `open` to `close`: passes it tasks, reports events and forwards stops."""

    def __init__(self, executor: RayExecutor, tell: Tell, stop: Stop) -> None:
        self.executor, self.tell, self.stop = executor, tell, stop
        self.queue: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()
        """Task and GPUs."""
        self.handles: dict[str, Handle] = {}
        """Tasks that were started and have not ended."""
        self.begun: set[str] = set()
        self.closed, self.halt = threading.Event(), threading.Event()
        self.crash: Exception | None = None
        self.died = False
        """Whether a server of Ray's ended."""
        self._graces: dict[str, float] = {}

    def start(self, task: Task) -> Handle:
        id_ = task.trial.id
        handle = self.handles[id_] = Handle(id_)
        with (self.executor.scratch / "tasks" / id_).open("wb") as stream:
            pickle.dump(task, stream)
        self.queue.put((id_, task.gpus))
        return handle

    def go(self, ray: Any) -> None:
        """Feed Tune until the executor is closed.

        Raises:
            StateError: Ray died, or Tune ended before.
        """
        fit = threading.Thread(target=self._fit, name="tune", daemon=True)
        fit.start()
        while fit.is_alive() and not (self.closed.is_set() and not self.begun):
            fit.join(POLL_S)
            self._pass_stops_on()
            self._must_live(ray)
        early = not self.closed.is_set()
        self.halt.set()
        fit.join(FAREWELL_S)
        if early:  # Tune may see that Ray died before its servers have ended
            self._must_live(ray, NOTICE_S)
        if self.crash is not None:
            raise StateError(f"Ray Tune failed: {self.crash}") from self.crash
        if early:
            raise StateError("Ray Tune ended before the sweep did. Run it again: it goes on")

    def _must_live(self, ray: Any, patience_s: float = 0.0) -> None:
        end = time.monotonic() + patience_s
        while alive(ray):
            if time.monotonic() >= end:
                return
            time.sleep(POLL_S)
        self.died = True
        if token := os.environ.get(VARIABLE):  # Ray itself would take its time
            end_all(token)
        raise StateError("Ray died; its trials were ended. Run the sweep again: it goes on")

    def _pass_stops_on(self) -> None:
        """Write stops where the supervisors read them. A task that Tune has not begun ends here."""
        for handle in [*self.handles.values()]:
            grace = handle.grace(self.stop)
            if grace is None or self._graces.get(handle.id) == grace:
                continue
            self._graces[handle.id] = grace
            file = _stop_file(self.executor.scratch, handle.id)
            write_text(file, repr(grace), durable=False)
            if handle.id not in self.begun:
                self.told(handle.id, LaunchResult("preempted", FailureClass.INTERRUPTED))

    def told(self, id_: str, ended: LaunchResult | None) -> None:
        """Pass on what Tune saw of a task, once each."""
        if id_ not in self.handles:
            return
        if ended is None:
            self.begun.add(id_)
            self.tell(Event(id_))
        else:
            self.begun.discard(id_)
            self.handles.pop(id_)
            self.tell(Event(id_, ended))

    def _fit(self) -> None:
        try:
            self._tuner().fit()
        except Exception as error:
            self.crash = error

    def _tuner(self) -> Any:
        from ray import tune

        _hush()
        profile, scratch = self.executor.profile, self.executor.scratch
        function = tune.with_parameters(supervise, scratch=str(scratch))
        observer, stopper, searcher = _hooks(self)
        return tune.Tuner(
            tune.with_resources(function, partial(_bundle, profile=profile)),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,  # as many as the searcher gives
                max_concurrent_trials=profile.concurrency,
                reuse_actors=True,  # the worker only monitors a process; each trial has its own
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


def _bundle(config: dict[str, Any], profile: ComputeProfile) -> Any:
    """The resources of a trial while it runs, all on one node. One that takes more GPUs than the
    profile gives each takes as many times the CPUs."""
    from ray.tune import PlacementGroupFactory

    times = max(1.0, config["gpus"] / max(1.0, profile.gpus_per_trial))
    return PlacementGroupFactory([{"CPU": profile.cpus_per_trial * times, "GPU": config["gpus"]}])


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
            self.run.told(trial.config["trial"], _ended(trial.last_result))

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
                id_, gpus = self.run.queue.get(timeout=POLL_S)
                return {"trial": id_, "gpus": gpus}
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


def supervise(config: dict[str, Any], scratch: str) -> None:
    """The Tune trainable: runs one trial's process group to its end, in a Ray worker.

    If this worker dies, the trial's standard input closes and the trial ends itself.
    """
    from ray import tune

    with (Path(scratch) / "tasks" / config["trial"]).open("rb") as stream:
        task: Task = pickle.load(stream)  # written by the driver, in its own folder
    view = View(task.trial, task.trial.id, task.store)
    stop_file = _stop_file(Path(scratch), task.trial.id)
    final: dict[str, Any] = {}

    def tick() -> None:
        if view.update():
            final.update({k: v for k, v in view.metrics.items() if number(v) is not None})
            tune.report({**final, "round": view.round})

    try:
        ended = run(task, lambda: _read_grace(stop_file), tick)
    except Exception as error:  # of the launch itself; Ray need not retry or print it
        ended = failed_launch(task, error)
    told = {"state": ended.state, "failure_class": ended.failure_class, "message": ended.message}
    tune.report({**final, "round": max(0, view.round), **told, "wall": ended.seconds})


def _ended(result: dict[str, Any]) -> LaunchResult:
    """The last message of the trainable."""
    if "state" not in result:
        return LaunchResult(
            "failed", FailureClass.INFRA, "the trial's supervisor ended without a word"
        )
    return LaunchResult(result["state"], result["failure_class"], result["message"], result["wall"])


def _trial_name(trial: Any) -> str:
    return trial.config["trial"]


def _stop_file(scratch: Path, id_: str) -> Path:
    """Where a task's supervisor reads that it shall end, and within how many seconds."""
    return scratch / "tasks" / f"{id_}.stop"


def _read_grace(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except FileNotFoundError:
        return None


def _hush() -> None:
    for name in ("ray", "ray.tune", "ray.air", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
