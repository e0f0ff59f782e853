"""What runs in Ray's workers: the supervisor of a trial, and its helpers on further nodes.

A supervisor starts and monitors the trial's process group, so that a trial runs the same way with
or without Ray. If its worker dies, the trial's standard input closes and the trial ends itself. A
trial over several nodes is one gang: a placement group of one bundle a node, with the supervisor in
the first and a helper in each other one.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.errors import FailureClass, TrialError
from zoo.executors.node_report import software
from zoo.launching.assist import assist
from zoo.launching.launch import LaunchResult, failed_launch, run
from zoo.launching.ranks import Rendezvous, free_port
from zoo.launching.task import Task
from zoo.orchestrate.watch import View, number
from zoo.store.stack import differences

MEETING_S = 120.0
"""How long the nodes of a trial, which Ray has reserved by then, may take to start a worker."""
FAREWELL_S = 10.0


def supervise(
    config: dict[str, Any], scratch: str, environment: dict[str, str], like: dict[str, str]
) -> None:
    """The Tune trainable: runs one trial to its end, in a Ray worker. `environment`: what the trial
    gets of the driver's; `like`: the software that a node must have, which may have joined a moment
    ago; {} = not checked."""
    from ray import tune

    os.environ.update(environment)
    with (Path(scratch) / "tasks" / config["trial"]).open("rb") as stream:
        task: Task = pickle.load(stream)  # written by the driver, in its own folder
    view = View(task.trial, task.trial.id, task.store)
    stop_file = stop_file_of(Path(scratch), task.trial.id)
    final: dict[str, Any] = {}

    def tick() -> None:
        if view.update():
            final.update({k: v for k, v in view.metrics.items() if number(v) is not None})
            tune.report({**final, "round": view.round})

    try:
        if like and (moved := differences(like, software(task.profile))):
            why = f"the node has other software than the driver: {', '.join(moved)}"
            raise TrialError(FailureClass.INFRA, why)
        with _gang(task, config["nodes"], environment) as where:
            ended = run(replace(task, where=where), lambda: _read_grace(stop_file), tick)
    except Exception as error:  # of the launch itself; Ray need not retry or print it
        ended = failed_launch(task, error)
    told = {"state": ended.state, "failure_class": ended.failure_class, "message": ended.message}
    tune.report({**final, "round": max(0, view.round), **told, "wall": ended.seconds})


def result_of(last: dict[str, Any]) -> LaunchResult:
    """How a trial ended, by the last report of its supervisor."""
    if "state" not in last:
        return LaunchResult(
            "failed", FailureClass.INFRA, "the trial's supervisor ended without a word"
        )
    return LaunchResult(last["state"], last["failure_class"], last["message"], last["wall"])


@contextmanager
def _gang(task: Task, nodes: int, environment: dict[str, str]) -> Iterator[Rendezvous]:
    """Helpers on the other nodes of a trial, for as long as it runs here."""
    if nodes == 1:
        yield Rendezvous()
        return
    import ray
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy as Bundle

    address, group = ray.util.get_node_ip_address(), ray.util.get_current_placement_group()
    assert group is not None  # Tune runs every trial in one
    where = Rendezvous(nodes, 0, address, free_port(address), meeting_s=MEETING_S)
    # A helper that asked for a CPU of its bundle, of which the trial has them all, would wait
    # for ever and say nothing.
    helper = ray.remote(num_cpus=0, num_gpus=task.gpus / nodes, max_retries=0)(_help)
    helpers = [
        helper.options(scheduling_strategy=Bundle(group, node)).remote(
            replace(task, where=replace(where, node=node)), environment
        )
        for node in range(1, nodes)
    ]
    try:
        yield where
    finally:
        _, left = ray.wait(helpers, num_returns=len(helpers), timeout=FAREWELL_S)
        for one in left:
            with suppress(Exception):
                ray.cancel(one, force=True)


def _help(task: Task, environment: dict[str, str]) -> LaunchResult:
    """Run what a trial has on a node that is not its first."""
    os.environ.update(environment)
    return assist(task, lambda: None)


def stop_file_of(scratch: Path, id_: str) -> Path:
    """Where a task's supervisor reads that it shall end, and within how many seconds."""
    return scratch / "tasks" / f"{id_}.stop"


def _read_grace(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except FileNotFoundError:
        return None
