"""Checkpoints that training continues from: how often one is saved, how large it is, how much of
them lies on the disk while a trial runs and after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from zoo.catalog import ComputeProfile
from zoo.trials.trial import Trial

MOST_SHARE = 0.05
"""Share of the time that saving may take."""
MOST_LOST_S = 1800.0
"""Seconds of work that a crash may lose, whatever the share; at least a round."""
STATE_BYTES = 12  # a parameter: weights in float32 and both moments of Adam
WEIGHT_BYTES = 4  # ... of which the weights
WRITTEN = 0.5e9  # bytes a second written, hashed and synced; assumed (two shared cores: 0.24e9)
FIXED_S = 0.1  # a save of next to nothing; assumed (files, hashes and syncs alone: 0.01)
RUNNING = 2
"""Checkpoints of a running trial: the newest, and the one before it or the one being saved."""


@dataclass(frozen=True, slots=True)
class SavePlan:
    """The checkpoints of one trial."""

    every: int = 0
    """Rounds from one to the next; 0 = no saves."""
    at_stake: float = 1.0
    """Share of the rounds from one to the next, which a crash loses at most."""
    share: float = 0.0
    """Of the time, what saving takes."""
    each: float = 0.0
    """Bytes of one."""
    running: float = 0.0
    """Bytes of all of them while the trial runs, at most."""
    left: float = 0.0
    """Bytes of those kept after training."""


def saves(trial: Trial, profile: ComputeProfile, parameters: float, round_s: float) -> SavePlan:
    """The effect of a profile's `save_every` and `keep` on a trial that trains.

    Args:
        round_s: seconds of a round, with what is measured after it.
    """
    each = STATE_BYTES * parameters
    save_s = FIXED_S + each / WRITTEN
    every = profile.save_every or default_every(round_s, save_s)
    word, _, divisor = profile.keep.partition(":")
    made = range(every, trial.rounds, every)
    step = int(divisor or 1)
    kept = 0 if word == "last" else sum(round_ % step == 0 for round_ in made)
    return SavePlan(
        every=every,
        at_stake=min(1.0, every / max(1, trial.rounds)),
        share=save_s / (save_s + every * round_s) if round_s else 0.0,
        each=each,
        running=each * (RUNNING + kept),
        left=WEIGHT_BYTES * parameters * kept + each * profile.keep_extendable,
    )


def default_every(round_s: float, save_s: float) -> int:
    """The fewest rounds from save to save that keep saving within `MOST_SHARE` of the time, but no
    more than `MOST_LOST_S` have room for."""
    if round_s <= 0:
        return 1
    fewest = -(-save_s * (1 - MOST_SHARE) / MOST_SHARE // round_s)
    return int(max(1, min(fewest, MOST_LOST_S // round_s)))


def is_due(elapsed_s: float, round_s: float, save_s: float) -> bool:
    """The same rule while a trial runs, by its measured times.

    Args:
        elapsed_s: since the last save. round_s: of a round. save_s: of a save; 0 = not known.
    """
    cheap = elapsed_s * MOST_SHARE >= save_s * (1 - MOST_SHARE)
    return cheap or elapsed_s + round_s > MOST_LOST_S
