"""The Ray that zoo starts on this machine, for one sweep."""

from __future__ import annotations

import logging
import math
import os
import shutil
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import StateError
from zoo.executors.ray_death import abandon, alive
from zoo.executors.ray_home import make_home
from zoo.launching.task import Task, source_folder
from zoo.orchestrate.orphan_guard import VARIABLE, end_all

TUNE_SETTINGS = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_V2_ENABLED": "0",
    "SPT_NOENV": "1",  # Ray's titles of processes would overwrite the environment that marks them
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
}
"""Of the driver and of the workers that supervise trials."""
SERVER_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",  # on one machine it does not come back
    "RAY_worker_niceness": "0",  # Ray's 15 would let any other program on the machine go first
}
OBJECT_STORE_BYTES = 100 * 1024**2  # nothing of size travels through Ray


class LocalRay:
    """Starts with the executor, in its thread, and ends with it."""

    changes, notice_s = 0, 2.0
    reuses_workers = True
    """A worker only supervises; each trial has processes of its own."""

    def __init__(self, profile: ComputeProfile) -> None:
        self.profile = profile
        self.home: Path | None = None
        """Ray's files; they stay where they could explain a failure."""
        self.environment: dict[str, str] = {}
        """What trials get beside what they inherit."""
        self.software: dict[str, str] = {}
        """What a node must have: it is this one."""

    def has_room(self, task: Task) -> bool:
        """Ray itself waits for what a trial needs."""
        return True

    def note(self, task: Task, *, begun: bool = False, ended: bool = False) -> None:
        """Nothing to keep."""

    def start(self) -> None:
        """Start Ray.

        Raises:
            StateError: it does not start.
        """
        os.environ.update(SERVER_SETTINGS | TUNE_SETTINGS)
        if (path := source_folder()) is not None:
            given = os.environ.get("PYTHONPATH")
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [path, given]))
        self.home = make_home()
        try:
            self._start(self.home)
        except Exception as error:
            raise StateError(
                f"Ray does not start ({type(error).__name__}: {error}); `zoo doctor` reports what "
                "is missing, `--executor local` goes without Ray"
            ) from error

    def _start(self, home: Path) -> None:
        import ray

        cpus = math.ceil(self.profile.concurrency * self.profile.cpus_per_trial)
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

    def death(self) -> str | None:
        """What happened to it, where it is not alive any more; ends what it ran."""
        import ray

        if alive(ray):
            return None
        if token := os.environ.get(VARIABLE):  # Ray itself would take its time
            end_all(token)
        return "Ray died"

    def close(self, failure: Exception | None, *, died: bool) -> None:
        """End Ray. `failure`: what the sweep ends with; `died`: whether it is that of Ray.

        Raises:
            StateError: the failure, with the place of Ray's logs.
        """
        import ray

        if died:
            abandon()
        else:
            ray.shutdown()
        if self.home is None:
            return
        if isinstance(failure, StateError):
            raise StateError(f"{failure} (Ray's logs: {self.home})") from failure
        shutil.rmtree(self.home, ignore_errors=True)  # its logs could explain nothing


def hush() -> None:
    """Keep Ray's own messages off the terminal."""
    for name in ("ray", "ray.tune", "ray.air", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def settings_of_workers() -> dict[str, Any]:
    """The runtime environment of workers that somebody else's servers start."""
    path = [source_folder(), os.environ.get("PYTHONPATH")]
    found = os.pathsep.join(filter(None, path))
    return {"env_vars": TUNE_SETTINGS | ({"PYTHONPATH": found} if found else {})}
