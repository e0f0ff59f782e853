"""Memory, placement, hours, money and disk of trials on a compute profile, before anything is paid.

Pure arithmetic over cards and trials: no file is read, nothing is imported that planning does not
import anyway. Memory and rates are models with stated errors; measured rates replace tables where
the caller has records.
"""

from zoo.manifest.fit.lengths import Lengths, expected
from zoo.manifest.fit.memory import Memory
from zoo.manifest.fit.place import (
    Placement,
    fits_each,
    longest_sequence,
    micro_batch,
    place,
)

__all__ = [
    "Lengths",
    "Memory",
    "Placement",
    "expected",
    "fits_each",
    "longest_sequence",
    "micro_batch",
    "place",
]
