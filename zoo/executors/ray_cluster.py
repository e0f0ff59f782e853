"""A Ray cluster of the user's, which zoo joins from one of its nodes and leaves as it was."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import Fault, InputError
from zoo.executors.cluster_room import Capacity, ClusterRoom, Shape, shape_of
from zoo.executors.node_report import software
from zoo.executors.passed_environment import passed
from zoo.executors.ray_death import abandon
from zoo.executors.ray_here import TUNE_SETTINGS, settings_of_workers
from zoo.executors.ray_home import is_home
from zoo.launching.task import Task

POLL_S = 1.0
SILENCE_S = 10.0
"""A cluster whose head answers nothing for so long counts as dead."""


class RayCluster:
    """Connected by the constructor; asks every second what is free on its nodes.

    Its servers and its other jobs are never touched: leaving it ends the workers of this job alone,
    and their trials with them.
    """

    notice_s = 15.0
    reuses_workers = False
    """A worker that waits for the next trial would hold what a wider one needs."""

    def __init__(self, profile: ComputeProfile) -> None:
        """Raises:
        InputError: there is no such cluster, or it has another Ray.
        """
        self.profile, self.room = profile, ClusterRoom()
        self.environment, self.software = passed(os.environ), software(profile)
        self._shapes: dict[str, Shape] = {}
        """By token; looking at a task reads its record."""
        self._connect()
        self._left = threading.Event()
        self._lost: str | None = None
        self._heard = time.monotonic()
        self._watcher = threading.Thread(target=self._watch, name="cluster", daemon=True)

    @property
    def changes(self) -> int:
        """How often what is free changed."""
        return self.room.changes

    def _connect(self) -> None:
        import ray

        address = str(self.profile.address)
        os.environ.update(TUNE_SETTINGS)
        os.environ["RAY_OVERRIDE_JOB_RUNTIME_ENV"] = "1"  # inside a Ray job: ours on top of its own
        try:
            if address != "auto":  # Ray would look for its head for minutes
                _reach(address)
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env=settings_of_workers(),
            )
        except Exception as error:
            words = str(error).strip().splitlines() or [type(error).__name__]
            found = f"no Ray cluster can be joined at address '{address}' ({words[0]})"
            hint = "run it on a node of the cluster, after `ray start` there; where the cluster "
            hint += "has a token, with RAY_AUTH_MODE=token and that token"
            raise InputError(Fault(f"--on {self.profile.name}", found, hint=hint)) from error
        if is_home(_home(ray)):
            ray.shutdown()
            found = f"address '{address}' leads to the Ray of another sweep, which ends with it"
            hint = "start a cluster with `ray start`, and name its address"
            raise InputError(Fault(f"--on {self.profile.name}", found, hint=hint))
        context = ray.get_runtime_context()
        self._node, self._head = context.get_node_id(), context.gcs_address

    def start(self) -> None:
        """Begin to ask what is free."""
        self._poll()
        self._watcher.start()

    def has_room(self, task: Task) -> bool:
        """Whether the nodes have what a task needs."""
        return self.room.fits(self._shape(task))

    def note(self, task: Task, *, begun: bool = False, ended: bool = False) -> None:
        """Keep account of a task that was started, has begun or has ended."""
        if ended:
            self.room.end(task.trial.id)
        elif begun:
            self.room.begin(task.trial.id)
        else:
            self.room.start(task.trial.id, self._shape(task))

    def _shape(self, task: Task) -> Shape:
        if task.token not in self._shapes:
            self._shapes[task.token] = shape_of(task)
        return self._shapes[task.token]

    def death(self) -> str | None:
        """What happened to the cluster, where it is out of reach."""
        if self._lost is None and time.monotonic() - self._heard > SILENCE_S:
            self._lost = f"the head of the Ray cluster did not answer for {SILENCE_S:.0f} s"
        return self._lost

    def close(self, failure: Exception | None, *, died: bool) -> None:
        """Leave the cluster."""
        import ray

        self._left.set()
        if died:
            abandon()
        else:
            ray.shutdown()

    def _watch(self) -> None:
        while not self._left.wait(POLL_S):
            self._poll()

    def _poll(self) -> None:
        import ray

        with suppress(OSError):  # a head that is gone would keep the calls below waiting
            _reach(self._head)
            alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
            free = free_of_nodes(ray)
            self.room.update({name: node for name, node in free.items() if name in alive})
            if self._node not in alive:
                self._lost = "the Ray cluster has lost the node of this driver"
            self._heard = time.monotonic()


def _reach(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=POLL_S).close()


def _home(ray: Any) -> Path:
    """The folder for temporary files of the Ray that was joined."""
    return Path(ray._private.worker._global_node.get_session_dir_path()).parent


def free_of_nodes(ray: Any) -> dict[str, Capacity]:
    """Node -> what is free on it."""
    found = ray._private.state.available_resources_per_node()
    return {name: Capacity(of.get("CPU", 0.0), of.get("GPU", 0.0)) for name, of in found.items()}
