"""Asks every node of a Ray cluster for its report, all at once, before anything starts."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import Fault, InputError
from zoo.executors.cluster_room import Capacity, Shape
from zoo.executors.node_report import (
    HELLO,
    LOCKED,
    VISIBLE_S,
    NodeReport,
    faults,
    report,
    software,
)
from zoo.store.run_store import Store, claim, write_text

LIMIT_S = 120.0
"""How long a node may take: a worker starts there and imports zoo."""


def must_be_fit(profile: ComputeProfile, store: Store, widest: Shape) -> None:
    """Refuse a cluster on which trials could not run as planned. `widest`: what the largest trial
    takes. Leaves nothing in the run store.

    Raises:
        InputError: everything that is in the way, by node.
    """
    import ray

    nodes = _nodes_for_trials(ray.nodes(), profile)
    if fault := _too_few(nodes, widest, profile):
        raise InputError(fault)
    with _probe(store) as (folder, token):
        reports = _ask(ray, nodes, folder, token, profile)
        seen = _seen(folder, {name for name, one in reports.items() if one.sees and not one.error})
    if found := faults(reports, software(profile), seen, profile, store.root):
        raise InputError(found)


def _nodes_for_trials(nodes: list[dict[str, Any]], profile: ComputeProfile) -> dict[str, Any]:
    """Node -> host and capacity, of those that may get trials: a head without CPUs or GPUs may
    not."""
    needed = "GPU" if profile.gpus_per_trial else "CPU"
    return {
        node["NodeID"]: (node["NodeManagerHostname"], node["Resources"])
        for node in nodes
        if node["Alive"] and node["Resources"].get(needed, 0)
    }


def _too_few(nodes: dict[str, Any], widest: Shape, profile: ComputeProfile) -> Fault | None:
    each = widest.each
    having = [Capacity(of.get("CPU", 0), of.get("GPU", 0)) for _, of in nodes.values()]
    if sum(one.holds(each) for one in having) >= widest.nodes:
        return None
    what = f"{each.cpus:g} CPUs" + (f" and {each.gpus:g} GPUs" if each.gpus else "")
    many = f"{widest.nodes} nodes" if widest.nodes > 1 else "a node"
    found = f"a trial needs {many} with {what}, which the cluster does not have"
    hint = "`ray status` lists its nodes; correct the profile, or wait for them"
    return Fault(f"--on {profile.name}", found, hint=hint)


@contextmanager
def _probe(store: Store) -> Iterator[tuple[Path, str]]:
    """A folder in the run store with a file of the driver's and a lock that it holds; gone
    afterwards, with the store where there was none."""
    token, new = secrets.token_hex(8), not store.root.exists()
    folder = store.root / f".probe-{token}"
    try:
        write_text(folder / HELLO, token)
        with claim(folder / LOCKED, wait=False):
            yield folder, token
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if new:
            with suppress(OSError):
                store.root.rmdir()


def _ask(
    ray: Any, nodes: dict[str, Any], folder: Path, token: str, profile: ComputeProfile
) -> dict[str, NodeReport]:
    """The reports of all nodes."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

    remote = ray.remote(num_cpus=0, max_retries=0)(report)
    asked = {
        remote.options(scheduling_strategy=On(name, soft=False)).remote(
            folder, token, name, profile
        ): name
        for name in nodes
    }
    done, _ = ray.wait([*asked], num_returns=len(asked), timeout=LIMIT_S)
    found: dict[str, NodeReport] = {}
    for ref, name in asked.items():
        if ref not in done:
            ray.cancel(ref, force=True)
            found[name] = NodeReport(nodes[name][0], error=f"no answer within {LIMIT_S:.0f} s")
            continue
        try:
            found[name] = ray.get(ref)
        except Exception as error:  # Ray's, or zoo cannot be imported there
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            found[name] = NodeReport(nodes[name][0], error=f"no answer ({last.strip()})")
    return found


def _seen(folder: Path, files: set[str]) -> set[str]:
    """Files of nodes that are seen here."""
    end = time.monotonic() + VISIBLE_S
    while True:
        seen = {name for name in files if (folder / name).is_file()}
        if len(seen) == len(files) or time.monotonic() > end:
            return seen
        time.sleep(0.2)
