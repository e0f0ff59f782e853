"""What a node of a cluster reports of itself before a sweep starts, and what is wrong with it.

A node has to see the run store as the driver does, with renames and locks that hold between
machines; to have the same zoo and the same stack, or its trials would be others than those of the
plan; and to have the GPUs and the disk that the profile counts on. Independent of Ray.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from zoo.catalog import ComputeProfile
from zoo.errors import Fault
from zoo.store.run_store import claim
from zoo.store.stack import differences, package_version, stack

HELLO = "driver.txt"
LOCKED = "held"
VISIBLE_S = 10.0
"""How long a file may take to be seen by another machine."""
ROOM_GIB = 1.0
"""Free space that a node needs for temporary files of torch and vLLM."""
GIB = 1024**3
MEMORY = 0.9
"""Of the stated memory of a GPU: drivers report somewhat less."""
SHARED = "put runs/ on a disk that all nodes share, or point ZOO_RUNS to one"


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What one node found; picklable."""

    host: str
    sees: bool = True
    """Whether it reads what the driver wrote into the run store."""
    store: str = ""
    """What failed in the run store, as the system says it."""
    excluded: bool = True
    """Whether a lock that the driver holds kept it out."""
    software: dict[str, str] = field(default_factory=dict)
    gpus_mib: tuple[int, ...] = ()
    free_gib: float = 1e6
    """Of the folder for temporary files."""
    error: str = ""
    """Why there is no report."""


def software(profile: ComputeProfile) -> dict[str, str]:
    """Versions that all nodes of a sweep must have in common, and a digest of zoo's source."""
    root, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    env = dict(os.environ) | profile.env
    return {
        "zoo": package_version("zoo"),
        "source of zoo": digest.hexdigest()[:12],
        **stack(profile.engine, env),
    }


def report(folder: Path, token: str, name: str, profile: ComputeProfile) -> NodeReport:
    """Look at this machine. `folder`: of the probe, in the run store; `token`: the content of the
    driver's file in it, whose lock the driver holds; `name`: of the file that this node leaves."""
    host = os.uname().nodename
    rest = {
        "software": software(profile),
        "gpus_mib": tuple(_gpus()) if profile.gpus_per_trial else (),
        "free_gib": shutil.disk_usage(tempfile.gettempdir()).free / GIB,
    }
    if not _sees(folder / HELLO, token):
        return NodeReport(host, sees=False, **rest)
    try:
        beside = folder / f".{name}"
        with beside.open("w", encoding="ascii") as stream:
            stream.write(token)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(folder / name)
        with claim(folder / LOCKED, wait=False) as ours:
            excluded = not ours
    except OSError as error:
        return NodeReport(host, store=str(error.strerror or error), **rest)
    return NodeReport(host, excluded=excluded, **rest)


def _sees(path: Path, token: str) -> bool:
    end = time.monotonic() + VISIBLE_S
    while True:
        with suppress(OSError):
            os.listdir(path.parent)  # a client of NFS asks the server anew
            if path.read_text(encoding="ascii") == token:
                return True
        if time.monotonic() > end or not path.parents[1].exists():
            return False
        time.sleep(0.2)


def _gpus() -> list[int]:
    """Memory of each GPU in MiB, as nvidia-smi lists them."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return [int(line) for line in told.stdout.split()]
    return []


def faults(
    reports: Mapping[str, NodeReport],
    here: dict[str, str],
    seen: set[str],
    profile: ComputeProfile,
    store: Path,
) -> list[Fault]:
    """Everything that is wrong, node by node.

    Args:
        reports: by the name of the node.
        here: the driver's `software`.
        seen: names of the files that the driver sees in the run store.
    """
    return [
        fault
        for name, one in reports.items()
        for fault in _faults(one, here, name in seen, profile, store)
    ]


def _faults(
    one: NodeReport, here: dict[str, str], seen: bool, profile: ComputeProfile, store: Path
) -> Iterator[Fault]:
    place = f"node {one.host}"
    if one.error:
        yield Fault(place, one.error, "a report of the node", "look at `ray status` and its logs")
        return
    if not one.sees:
        yield Fault(place, f"{store} is not the driver's folder there", "one run store", SHARED)
    elif one.store:
        yield Fault(place, f"{store}: {one.store}", "files that can be written and renamed", SHARED)
    elif not seen:
        found = f"what it writes into {store} is not seen here within {VISIBLE_S:.0f} s"
        yield Fault(place, found, "one run store", SHARED)
    elif not one.excluded:
        found = f"a lock in {store} that the driver holds does not keep it out"
        hint = "mount the shared disk with locks (NFS: version 4, or without `nolock`; Lustre: "
        yield Fault(place, found, "POSIX locks between machines", f"{hint}`-o flock`)")
    if moved := differences(here, one.software):
        found = f"other software than the driver's: {', '.join(moved)}"
        yield Fault(
            place,
            found,
            "the same",
            "install the same on all nodes; switches go into `env` of the profile",
        )
    yield from _hardware(one, place, profile)


def _hardware(one: NodeReport, place: str, profile: ComputeProfile) -> Iterator[Fault]:
    if profile.gpus_per_trial:
        if len(one.gpus_mib) < profile.gpus_per_node:
            expected = f"{profile.gpus_per_node}, by `gpus_per_node` of '{profile.name}'"
            hint = "correct gpus_per_node, or take the node out of the cluster"
            yield Fault(place, f"{len(one.gpus_mib)} GPUs", expected, hint)
        least = min(one.gpus_mib, default=0) / 1024
        if profile.gpu and least and least < MEMORY * profile.gpu.memory_gib:
            expected = f"{profile.gpu.memory_gib:g} GiB, by `gpu` of '{profile.name}'"
            found = f"a GPU of {least:.0f} GiB"
            yield Fault(place, found, expected, "state the smallest GPU of the cluster")
    if one.free_gib < ROOM_GIB:
        found = f"{one.free_gib:.1f} GiB free for temporary files"
        yield Fault(place, found, f"at least {ROOM_GIB:g} GiB", "make room, or set TMPDIR there")
