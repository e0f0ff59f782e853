"""Which compute profile fits this machine, and which GPUs trials may use here."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import takewhile

from zoo.catalog import Catalog, ComputeProfile
from zoo.store.stack import package_version


def profile_of(catalog: Catalog, name: str | None, concurrency: int | None) -> ComputeProfile:
    """The named compute profile, or the one that fits this machine; a GPU profile without a
    concurrency gets as many trials at once as the GPUs allow, of this machine or of its cluster.

    Raises:
        InputError: no such profile.
    """
    gpus = count_gpus() if name is None or name != "laptop" else 0
    profile = catalog.get(
        ComputeProfile, name or ("gpu" if gpus else _cpu_profile()), f"--on {name}"
    )
    if concurrency is not None:
        return profile.model_copy(update={"concurrency": concurrency})
    if profile.gpus_per_trial and "concurrency" not in profile.model_fields_set:
        elsewhere = profile.address or profile.executor == "slurm"
        there = (profile.gpus or 0) if elsewhere else gpus
        at_once = max(1, int(there / profile.gpus_per_trial))
        return profile.model_copy(update={"concurrency": at_once})
    return profile


def _cpu_profile() -> str:
    """The profile of a machine without a GPU: with vLLM, unless all but that is installed."""
    without = package_version("vllm") == "absent" != package_version("torch")
    return "cpu-transformers" if without else "laptop"


def count_gpus() -> int:
    """GPUs that this process may use."""
    return len(visible_gpus())


def visible_gpus(profile: ComputeProfile | None = None) -> list[str]:
    """GPUs that trials may use here, as `CUDA_VISIBLE_DEVICES` names them: its value in the
    profile or in the environment, else all that nvidia-smi lists; none without nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    if told.returncode != 0:
        return []
    found = sum(line.startswith("GPU ") for line in told.stdout.splitlines())
    env = os.environ | (profile.env if profile else {})
    if (visible := env.get("CUDA_VISIBLE_DEVICES")) is None:
        return [str(number) for number in range(found)]

    def is_there(name: str) -> bool:  # CUDA, too, stops reading at the first that is not
        return int(name) < found if name.isdigit() else name not in ("", "-1")

    return list(takewhile(is_there, map(str.strip, visible.split(","))))
