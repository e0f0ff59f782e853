"""What one invocation of `zoo sweep` works on, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from zoo.catalog import ComputeProfile
from zoo.manifest.load import Manifest
from zoo.runs.sweep_status import SweepStatus
from zoo.scheduling.budget import Forecast
from zoo.scheduling.order import Extent, Order
from zoo.store.run_store import Store
from zoo.trials.grid import Cell
from zoo.trials.trial import Trial


class BegunLook(Protocol):
    """A look that begins: seeds that are added because claims are undecided."""

    @property
    def look(self) -> int:
        """From 1."""
        ...

    @property
    def claims(self) -> tuple[str, ...]:
        """Ids of the claims that are undecided."""
        ...

    @property
    def cells(self) -> Sequence[Cell]:
        """The cells that get more seeds."""
        ...


@dataclass(frozen=True)
class Sweep:
    """What one invocation works on."""

    manifest: Manifest
    trials: list[Trial]
    """What this invocation may run."""
    store: Store
    folder: Path
    """The sweep's folder in the lab notebook: `sweeps/NAME`."""
    profile: ComputeProfile
    planned: tuple[Trial, ...] = ()
    """All trials of the plan, for the lock; () = the same."""
    sets: tuple[str, ...] = ()
    """`--set` of the command line, as it was typed."""
    cards: tuple[str, ...] = ()
    """Folders of cards that it named."""
    rewards: tuple[str, ...] = ()
    """Files of rewards that it named."""
    command: str = ""
    """The command that goes on with what this one does."""
    order: Order = "seeds-first"
    """In which order trials start."""
    extents: Mapping[str, Extent] = field(default_factory=dict)
    """Trial id -> how long it holds how many GPUs, where the order depends on it."""
    look: BegunLook | None = None
    """The look that this invocation begins, where it adds seeds."""
    forecast: Forecast = field(default_factory=Forecast)
    """What its trials are likely to need, where the study has a budget."""
    retrain: bool = False
    """Also train again what only training again would change."""
    extend: bool = False
    """Also continue what finished with fewer rounds."""
    across_stacks: bool = False
    """Continue also what another stack or geometry began."""
    longest_prompts: Mapping[str, int] = field(default_factory=dict)
    """Trial id -> tokens of its longest prompt, where counted."""

    @property
    def name(self) -> str:
        """The manifest's name."""
        return self.manifest.experiment.name


@dataclass(frozen=True, slots=True)
class Ran:
    """What one invocation came to."""

    exit_code: int
    """0 = all trials are done, 1 = some are not, 130 or 143 = stopped by a signal."""
    status: SweepStatus
    """The current state of its trials."""
