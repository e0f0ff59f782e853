"""The input of a launcher: a trial and where it runs; written for its processes as `trial.json`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zoo.catalog import ComputeProfile
from zoo.launching import processes
from zoo.launching.ranks import LOCALHOST, MEETING, ONE_NODE, Rendezvous, free_port
from zoo.resources import engine_gpus, gpus_of, nodes_of
from zoo.resources import processes as width
from zoo.store import record
from zoo.store.run_store import Store, write_json
from zoo.trials.trial import Trial


@dataclass(frozen=True, slots=True)
class Task:
    """A trial to run, and where. Picklable; `token` is random and of this launch alone."""

    trial: Trial
    profile: ComputeProfile
    runs: str
    """Root of the run store."""
    token: str
    retrain: bool = False
    """Train a finished trial again, on request."""
    extend: bool = False
    """Continue what finished with fewer rounds."""
    longest_prompt: int | None = None
    """Tokens of the longest prompt that the trial sends; None = not measured."""
    across_stacks: bool = False
    """Continue also what another stack or geometry began."""
    out_of_memory: tuple[int, ...] = ()
    """Micro-batches at which memory ran out in this run, larger than the profile's by now."""
    devices: str | None = None
    """`CUDA_VISIBLE_DEVICES` of its processes; None = inherited, or from the profile."""
    where: Rendezvous = ONE_NODE
    """Which of its processes are started here, where it spans several nodes."""

    @property
    def processes(self) -> int:
        """Processes of the trial on all nodes; one where training is over and only evaluations are
        missing."""
        if self.trained:
            return 1
        return width(self.trial, self.profile, self.longest_prompt)

    @property
    def gpus(self) -> float:
        """GPUs that it is given, as long as its record stays as it is; a part of one where the
        profile shares them."""
        count = engine_gpus if self.trained else gpus_of
        return count(self.trial, self.profile, self.longest_prompt)

    @property
    def nodes(self) -> int:
        """Nodes that it runs on, with the same number of processes and GPUs on each."""
        return 1 if self.trained else nodes_of(self.trial, self.profile, self.longest_prompt)

    @property
    def trained(self) -> bool:
        """Whether training is over, so that only evaluations may be missing."""
        found = record.read(self.folder)
        again = self.retrain or self.extend
        return found is not None and found.finished() and not again

    @property
    def store(self) -> Store:
        """The run store."""
        return Store(self.runs)

    @property
    def folder(self) -> Path:
        """The trial's folder in the store."""
        return self.store.train(self.trial.id)

    @property
    def launch(self) -> Path:
        """Folder of this launch."""
        return self.folder / processes.LAUNCHES / self.token


def write_task(task: Task, launch: Path | None = None) -> Path:
    """Write `trial.json`, the input of the process; returns its path. `launch`: the folder of the
    launch, if known."""
    run_ = {
        "store": str(task.store.root),
        "profile": task.profile.model_dump(mode="json", by_alias=True, exclude={"slurm"}),
        "token": task.token,
        "retrain": _finished_lineage(task) if task.retrain else 0,
        "extend": task.extend,
        "longest_prompt": task.longest_prompt,
        "across_stacks": task.across_stacks,
        "out_of_memory": task.out_of_memory,
    }
    path = (launch or task.launch) / "trial.json"
    data = {"trial": task.trial.model_dump(mode="json", by_alias=True), "run": run_}
    write_json(path, data, durable=not task.trial.simulated)
    return path


def _finished_lineage(task: Task) -> int:
    """The current lineage, which is to be trained again; 0 = none."""
    found = record.read(task.folder)
    return found.lineage if found is not None and found.finished() else 0


def environment(task: Task) -> dict[str, str]:
    """The environment of a trial process."""
    env = profile_environment(task.profile, task.token, task.devices)
    if task.profile.device == "cpu":
        env["ACCELERATE_USE_CPU"] = "true"
    return env


def profile_environment(
    profile: ComputeProfile, token: str, devices: str | None = None
) -> dict[str, str]:
    """The environment of a process with an engine: ours, the profile's, and what zoo sets."""
    env = dict(os.environ) | profile.env
    for name in ("PYDANTIC_DISABLE_PLUGINS", *MEETING):  # of the command line, or of a launcher
        env.pop(name, None)
    env |= {
        "MASTER_ADDR": LOCALHOST,
        "MASTER_PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
        "ZOO_LAUNCHER_PIPE": "1",
        processes.TOKEN_VARIABLE: token,
    }
    if devices is not None:
        env["CUDA_VISIBLE_DEVICES"] = devices
    if (path := source_folder()) is not None:
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [path, env.get("PYTHONPATH")]))
    return env


def source_folder() -> str | None:
    """Where this very zoo is imported from, for processes that must run the same code; None where
    it is installed."""
    folder = Path(__file__).resolve().parents[2]
    return None if folder.name in ("site-packages", "dist-packages") else str(folder)
