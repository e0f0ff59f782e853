"""Runs trials as Ray Tune trials: Ray places them and counts CPUs and GPUs, zoo does the rest. The
only importer of ray.

Each Tune trial is a thin function that starts the trial's process group and looks after it, so a
trial runs the same way with or without Ray. Every invocation is a fresh `Tuner` over the ids that
are left; Ray's own state is never read again. Retries, records and results are not Ray's business.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import StateError
from zoo.orchestrate.executor import Event, Stop, Tell
from zoo.orchestrate.launch import Ended, Task, run, source_folder
from zoo.orchestrate.watch import View, number

SETTINGS = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",  # on one machine it does not come back
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_worker_niceness": "0",  # Ray's 15 would let any other program on the machine go first
    "RAY_TRAIN_V2_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
}
OBJECT_STORE_BYTES = 100 * 1024**2  # nothing of size travels through Ray
POLL_S = 0.2
SOCKET_BYTES = 107  # the longest path of a Unix socket
LONGEST_SOCKET = "/session_2026-01-31_23-59-59_999999_4194304/sockets/plasma_store"
FAREWELL_S = 15.0  # how long Tune may take to end after its last trial did


class RayExecutor:
    """Runs `profile.concurrency` trials at a time on a Ray of its own, on this machine."""

    name = "ray"

    def __init__(self, profile: ComputeProfile, scratch: Path) -> None:
        """`scratch`: a folder for Ray's own files; removed at the end."""
        self.profile, self.scratch = profile, scratch

    def run(self, tasks: Sequence[Task], tell: Tell, stop: Stop) -> None:
        """Run all tasks; returns when every trial process has ended and Ray is gone.

        Raises:
            StateError: Ray could not be started, or died.
        """
        os.environ.update(SETTINGS)
        if (path := source_folder()) is not None:
            given = os.environ.get("PYTHONPATH")
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [path, given]))
        import ray

        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        home = make_home()
        try:
            self._start(ray, home)
            _Run(self, tasks, tell, stop).go(ray)
        except StateError as error:
            raise StateError(f"{error} (Ray's logs: {home})") from error
        finally:
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
                f"Ray does not start ({type(error).__name__}: {error}); `zoo doctor` says what is "
                "missing, `--executor local` goes without Ray"
            ) from error


def make_home() -> Path:
    """A new folder for the files of one Ray: in Ray's or the system's folder for temporary files,
    or in a common one where that path is too long for the sockets that Ray makes in it.

    Raises:
        StateError: there is no folder that can be written and has a short path.
    """
    bases = [os.environ.get("RAY_TMPDIR"), tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]
    for base in filter(None, bases):
        name = Path(base).resolve() / f"zoo-{secrets.token_hex(4)}"
        if len(os.fsencode(name)) > SOCKET_BYTES - len(LONGEST_SOCKET):
            continue
        with suppress(OSError):
            name.mkdir(mode=0o700)
            return name
    most = SOCKET_BYTES - len(LONGEST_SOCKET) - len("/zoo-01234567")
    raise StateError(
        f"Ray needs a folder that can be written, with a path of at most {most} bytes, for its "
        f"sockets; there is none among {', '.join(filter(None, bases))}; set RAY_TMPDIR, or use "
        "`--executor local`"
    )


@dataclass
class _Run:
    """One call of `RayExecutor.run`: tells events, obeys the stop, and waits for Tune."""

    executor: RayExecutor
    tasks: Sequence[Task]
    tell: Tell
    stop: Stop
    over: dict[str, bool] = field(default_factory=dict)
    """Trials that were started -> whether they have ended."""
    crash: Exception | None = None

    def go(self, ray: Any) -> None:
        halt = threading.Event()
        fit = threading.Thread(target=self._fit, args=(halt,), name="tune", daemon=True)
        fit.start()
        stop_file = self.executor.scratch / "stop"
        told = None
        while fit.is_alive():
            fit.join(POLL_S)
            if (grace := self.stop.grace()) is not None:
                if grace != told:
                    _write_grace(stop_file, grace)
                    told = grace
                if all(self.over.values()):
                    break
            if not _alive(ray):
                raise StateError("Ray died; its trials were ended. Run the sweep again: it goes on")
            if len(self.over) == len(self.tasks) and all(self.over.values()):
                break
        halt.set()
        fit.join(FAREWELL_S)
        if self.stop.grace() is None:
            if self.crash is not None:
                raise StateError(f"Ray Tune failed: {self.crash}") from self.crash
            self._account_for_the_rest()

    def _account_for_the_rest(self) -> None:
        """Trials of which Tune never told an end: Ray could not run them."""
        for task in self.tasks:
            if not self.over.setdefault(task.trial.id, False):
                why = "Ray ended without running the trial to its end"
                self._told(task.trial.id, Ended("failed", "error", why))

    def _told(self, id_: str, ended: Ended | None) -> None:
        if ended is None and id_ not in self.over and self.stop.grace() is None:
            self.over[id_] = False
            self.tell(Event(id_))
        elif ended is not None and self.over.get(id_) is False:
            self.over[id_] = True
            self.tell(Event(id_, ended))

    def _fit(self, halt: threading.Event) -> None:
        try:
            self._tuner(halt).fit()
        except Exception as error:
            self.crash = error

    def _tuner(self, halt: threading.Event) -> Any:
        from ray import tune

        _hush()
        profile, scratch = self.executor.profile, self.executor.scratch
        resources = {"cpu": profile.cpus_per_trial}
        if profile.gpus_per_trial:
            resources["gpu"] = profile.gpus_per_trial
        by_id = {task.trial.id: task for task in self.tasks}
        function = tune.with_parameters(supervise, tasks=by_id, stop_file=str(scratch / "stop"))
        observer, stopper = _hooks(self._told, halt)
        return tune.Tuner(
            tune.with_resources(function, resources),
            param_space={"trial": tune.grid_search(list(by_id))},
            tune_config=tune.TuneConfig(
                max_concurrent_trials=profile.concurrency,
                reuse_actors=True,  # the worker only looks after a process; each trial has its own
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


def _hooks(told: Callable[[str, Ended | None], None], halt: threading.Event) -> tuple[Any, Any]:
    """Tune's callback and stopper. Tune pickles both into files that nobody reads; what they hold
    stays behind."""
    from ray.tune import Callback, Stopper

    class Local:
        def __getstate__(self) -> dict[str, Any]:
            return {}

    class Observer(Local, Callback):
        """Tells what Tune sees; decides nothing."""

        def __init__(self, told: Callable[[str, Ended | None], None]) -> None:
            self.told = told

        def on_trial_start(self, iteration: Any, trials: Any, trial: Any, **info: Any) -> None:
            self.told(trial.config["trial"], None)

        def on_trial_complete(self, iteration: Any, trials: Any, trial: Any, **info: Any) -> None:
            self.told(trial.config["trial"], _ended(trial.last_result))

        def on_trial_error(self, iteration: Any, trials: Any, trial: Any, **info: Any) -> None:
            why = "the Ray worker that looked after the trial died"
            self.told(trial.config["trial"], Ended("failed", "killed", why))

    class Halt(Local, Stopper):
        """Ends everything once the driver says so."""

        def __init__(self, halt: threading.Event) -> None:
            self.halt = halt

        def __call__(self, trial_id: str, result: Any) -> bool:
            return False

        def stop_all(self) -> bool:
            return self.halt.is_set()

    return Observer(told), Halt(halt)


def supervise(config: dict[str, Any], tasks: dict[str, Task], stop_file: str) -> None:
    """The Tune trainable: runs one trial's process group to its end, in a Ray worker.

    If this worker dies, the trial's standard input closes and the trial ends itself.
    """
    from ray import tune

    task = tasks[config["trial"]]
    view, wish = View(task.trial, task.trial.id, task.store), Path(stop_file)
    final: dict[str, Any] = {}

    def tick() -> None:
        if view.update():
            final.update({k: v for k, v in view.metrics.items() if number(v) is not None})
            tune.report({**final, "round": view.round})

    try:
        ended = run(task, lambda: _read_grace(wish), tick)
    except Exception as error:  # of the launch itself; Ray need not retry or print it
        ended = Ended("failed", "error", f"{type(error).__name__}: {error}")
    told = {"state": ended.state, "failure_class": ended.failure_class, "message": ended.message}
    tune.report({**final, "round": max(0, view.round), **told, "wall": ended.seconds})


def _ended(result: dict[str, Any]) -> Ended:
    """What the trainable said last."""
    if "state" not in result:
        return Ended("failed", "error", "the trial's supervisor ended without a word")
    return Ended(result["state"], result["failure_class"], result["message"], result["wall"])


def _trial_name(trial: Any) -> str:
    return trial.config["trial"]


def _write_grace(path: Path, seconds: float) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_text(repr(seconds))
    beside.replace(path)


def _read_grace(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except FileNotFoundError:
        return None


def _node(ray: Any) -> Any:
    """Ray's own view of its processes and folders; there is no public one."""
    return ray._private.worker._global_node


def _alive(ray: Any) -> bool:
    """Whether Ray's own processes are there: Tune waits for ever when they are not."""
    node = _node(ray)
    return ray.is_initialized() and node is not None and not node.dead_processes()


def _hush() -> None:
    for name in ("ray", "ray.tune", "ray.air", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
