"""Which executor a sweep gets.

What can be wrong with a cluster is found before anything is written: the cluster is joined and
probed here, and the executor itself starts later.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from zoo.executors.cluster_room import Shape, shape_of
from zoo.executors.local import InProcess, LocalExecutor
from zoo.launching.task import Task
from zoo.orchestrate.invocation import Sweep
from zoo.planning.machine import visible_gpus
from zoo.scheduling.executor import Executor


def executor_of(kind: str, sweep: Sweep, in_process: Callable[[], InProcess]) -> Executor:
    """The executor that a sweep runs on, not opened yet.

    Args:
        kind: `ray` or `local`.
        in_process: what runs simulated trials in this process, imported when needed.

    Raises:
        InputError: the profile's cluster cannot be joined, or is not fit for the sweep.
    """
    if kind == "ray":
        return _on_ray(sweep)
    # Simulated trials take milliseconds, unless they are asked to misbehave.
    if all(trial.simulated for trial in sweep.trials) and not os.environ.get("ZOO_SIMULATE"):
        return LocalExecutor(1, in_process())
    devices = visible_gpus(sweep.profile) if sweep.profile.gpus_per_trial else []
    return LocalExecutor(sweep.profile.concurrency, devices=devices)


def _on_ray(sweep: Sweep) -> Executor:
    from zoo.executors.ray_cluster import RayCluster
    from zoo.executors.ray_here import LocalRay
    from zoo.executors.ray_probe import must_be_fit
    from zoo.executors.ray_tune import RayExecutor

    profile, scratch = sweep.profile, sweep.store.sweep(sweep.name) / "ray"
    if not profile.address:
        return RayExecutor(profile, scratch, LocalRay(profile))
    cluster = RayCluster(profile)
    must_be_fit(profile, sweep.store, _widest(sweep))
    return RayExecutor(profile, scratch, cluster)


def _widest(sweep: Sweep) -> Shape:
    """What the largest trial takes."""
    prompts, runs = sweep.longest_prompts, str(sweep.store.root)
    shapes = {
        shape_of(Task(trial, sweep.profile, runs, "", longest_prompt=prompts.get(trial.id)))
        for trial in sweep.trials
    }
    return max(shapes, key=lambda one: (one.nodes * one.each.gpus, one.nodes, one.each.cpus))
