"""What a sweep's journal says of trials that wait: for a retry, for another that failed for a cause
they share, for room on the disk. Of the last driver; light.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import StateError
from zoo.store import sweep_rows
from zoo.store.run_store import Store
from zoo.store.sweep_rows import Row


@dataclass
class SweepNotes:
    """Why trials wait."""

    needs: int = 0
    """Bytes that must be free before any trial starts; 0 = the disk holds nothing up."""
    retries: dict[str, tuple[float, str]] = field(default_factory=dict[str, tuple[float, str]])
    """Trial id -> when it is tried again, in seconds since the epoch, and its failure class."""
    held: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Trial id -> the id of a trial that failed as it would, and the failure class."""

    def take(self, row: Row) -> None:
        """Take note of one row of the journal."""
        match row["event"]:
            case "driver":
                self.needs = 0
                self.retries.clear()
                self.held.clear()
            case "paused":
                self.needs = row["needs"]
            case "resumed":
                self.needs = 0
            case "retry":
                self.retries[row["trial"]] = row["time"] + row["wait_s"], row["failure_class"]
            case "held":
                self.held[row["trial"]] = row["because"], row["failure_class"]
            case "launch":
                self.retries.pop(row["trial"], None)
            case _:
                pass


def read_notes(store: Store, name: str) -> SweepNotes:
    """The notes of a sweep, and what its jobs of Slurm were held back for; none of a journal that
    is damaged."""
    folder = store.sweep(name)
    found = _read(folder / sweep_rows.NAME)
    for path in folder.glob(f"{sweep_rows.JOBS}/*/{sweep_rows.NAME}"):
        found.held |= _read(path).held
    return found


def _read(path: Path) -> SweepNotes:
    found = SweepNotes()
    with suppress(StateError):
        for row in sweep_rows.read(path).rows:
            found.take(row)
    return found
