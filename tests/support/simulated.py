"""Manifests whose trials are simulated, for tests of everything around a trial."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from zoo.catalog import Catalog, ComputeProfile
from zoo.data import LocalResolver
from zoo.launching.task import Task
from zoo.manifest.load import Manifest, load
from zoo.planning.expand import expand
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

MANIFEST = """\
schema: experiment/1
name: {name}
question: Does anything happen?
recipe: pocket
trainer: simulated
batch: {{prompts: 2, num_generations: 4}}
grid:
  model: [{models}]
  reward: [{rewards}]
  data: [pocket-easy]
seeds: [{seeds}]
rounds: {rounds}
evaluate:
  full: {{benchmarks: [{benchmarks}], problems: {problems}, at: [0, last]}}
{more}"""


@dataclass(frozen=True)
class Sweep:
    """A manifest, its trials, and a store of their own."""

    manifest: Manifest
    trials: list[Trial]
    store: Store
    folder: Path

    def tasks(self) -> list[Task]:
        """Tasks for an executor."""
        profile = ComputeProfile(form="profile/1", name="test", executor="local")
        return [
            Task(trial, profile, str(self.store.root), f"token-{i}-{secrets.token_hex(4)}")
            for i, trial in enumerate(self.trials)
        ]


def write_manifest(
    folder: Path,
    *,
    name: str = "tiny",
    models: str = "pocket-qwen2, pocket-llama",
    rewards: str = "correctness, box-strict",
    seeds: str = "0",
    rounds: int = 3,
    problems: int = 8,
    benchmarks: str = "pocket-easy",
    more: str = "",
) -> Path:
    """Write a manifest into `folder`; returns its path. `more`: lines of further schedules."""
    path = folder / f"{name}.yaml"
    said = {"name": name, "models": models, "rewards": rewards, "seeds": seeds, "rounds": rounds}
    said |= {"problems": problems, "benchmarks": benchmarks, "more": more}
    path.write_text(MANIFEST.format(**said))
    return path


def make(folder: Path, **settings) -> Sweep:
    """A sweep in `folder`; nothing has run yet."""
    manifest = load(write_manifest(folder, **settings))
    return Sweep(
        manifest,
        expand(manifest, Catalog(), LocalResolver()),
        Store(folder / "runs"),
        folder,
    )
