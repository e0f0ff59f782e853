"""From the words of a command line to manifest, catalog, trials, store and profile.

Light: what planning needs and nothing more.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from zoo.catalog import Catalog, ComputeProfile
from zoo.data.resolve import LocalResolver
from zoo.errors import Fault, InputError, did_you_mean
from zoo.manifest.expand import expand
from zoo.manifest.load import Manifest, load
from zoo.manifest.trial import Trial
from zoo.track.store import Store, read_json

SWEEPS_VARIABLE = "ZOO_SWEEPS"


@dataclass(frozen=True)
class Plan:
    """A manifest, expanded."""

    manifest: Manifest
    catalog: Catalog
    trials: list[Trial]
    store: Store
    resolver: LocalResolver

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.manifest.experiment.name

    @property
    def folder(self) -> Path:
        """The sweep's folder in the lab notebook."""
        return sweeps_root() / self.name

    @property
    def simulated(self) -> bool:
        """Whether no trial is real."""
        return all(trial.simulated for trial in self.trials)


def plan(name: str, cards: tuple[str, ...] = ()) -> Plan:
    """Find, read and expand a manifest, by its path or its name.

    Raises:
        InputError: no such manifest, or faults in it.
    """
    store = Store()
    manifest = load(find(name, store))
    catalog = catalog_of(cards)
    resolver = LocalResolver(store.digest_cache)
    return Plan(manifest, catalog, expand(manifest, catalog, resolver), store, resolver)


def find(name: str, store: Store) -> Path:
    """The manifest that `name` means: a path, `experiments/NAME.yaml`, or a sweep that ran before.

    Raises:
        InputError: there is none; with a suggestion.
    """
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return Path(name)  # reading it says what is wrong with it
    if (path := Path("experiments") / f"{name}.yaml").is_file():
        return path
    told = read_json(store.sweep(name) / "driver.json") if _plain(name) else None
    if told and Path(told["manifest"]).is_file():
        return Path(told["manifest"])
    known = sorted(
        {p.stem for p in Path("experiments").glob("*.yaml")}
        | {p.parent.name for p in (store.root / "sweeps").glob("*/driver.json")}
    )
    hint = did_you_mean(name, known)
    if not hint:
        hint = f"there are: {', '.join(known)}" if known else "give the path of a manifest"
    raise InputError(Fault("manifest", f"no manifest or sweep '{name}'", hint=hint))


def _plain(name: str) -> bool:
    return name not in (".", "..") and "\0" not in name


def catalog_of(cards: tuple[str, ...]) -> Catalog:
    """The package's cards, then `./cards`, then the folders named.

    Raises:
        InputError: a folder that is not there.
    """
    for folder in cards:
        if not Path(folder).is_dir():
            raise InputError(Fault("--cards", f"no folder '{folder}'"))
    own = [Path("cards")] if Path("cards").is_dir() else []
    return Catalog(*own, *map(Path, cards))


def sweeps_root() -> Path:
    """The lab notebook: `./sweeps`, or where ZOO_SWEEPS points."""
    return Path(os.environ.get(SWEEPS_VARIABLE) or "sweeps").resolve()


def profile_of(catalog: Catalog, name: str | None, concurrency: int | None) -> ComputeProfile:
    """The named compute profile, or the one that fits this machine; a GPU profile that does not say
    how many trials run at once gets as many as there are GPUs for.

    Raises:
        InputError: no such profile.
    """
    gpus = count_gpus() if name is None or name != "laptop" else 0
    profile = catalog.get(ComputeProfile, name or ("gpu" if gpus else "laptop"))
    if concurrency is not None:
        return profile.model_copy(update={"concurrency": concurrency})
    if profile.gpus_per_trial and "concurrency" not in profile.model_fields_set:
        at_once = max(1, int(gpus / profile.gpus_per_trial))
        return profile.model_copy(update={"concurrency": at_once})
    return profile


def count_gpus() -> int:
    """GPUs that nvidia-smi lists, 0 without it; `CUDA_VISIBLE_DEVICES` narrows them."""
    if shutil.which("nvidia-smi") is None:
        return 0
    try:
        told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = sum(line.startswith("GPU ") for line in told.stdout.splitlines())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None or told.returncode != 0:
        return found if told.returncode == 0 else 0
    return min(found, len([v for v in visible.split(",") if v.strip() not in ("", "-1")]))


def as_json(data: object) -> str:
    """Indented JSON."""
    return json.dumps(data, indent=1, allow_nan=False)
