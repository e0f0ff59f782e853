"""Memory, placement, hours, money and disk of trials on a compute profile, before anything is paid.

Pure arithmetic over cards and trials: no file is read, nothing is imported that planning does not
import anyway. Memory and rates are models with stated errors; measured rates replace tables where
the caller has records.
"""

from zoo.resources.cost import Disk, TrialCost, trial_cost
from zoo.resources.given import engine_gpus, engine_trial, gpus_of, nodes_of, processes
from zoo.resources.lengths import Lengths, expected
from zoo.resources.memory import Memory
from zoo.resources.placement import (
    SMALL,
    Placement,
    fits_each,
    geometry,
    longest_sequence,
    micro_batch,
    place,
)
from zoo.resources.rates import Hours, MeasuredRate, Rate, measured_rates
from zoo.resources.sweep_cost import SweepCost, forecloses, sweep_cost
from zoo.resources.trial_shape import shape

__all__ = [
    "SMALL",
    "Disk",
    "Hours",
    "Lengths",
    "MeasuredRate",
    "Memory",
    "Placement",
    "Rate",
    "SweepCost",
    "TrialCost",
    "engine_gpus",
    "engine_trial",
    "expected",
    "fits_each",
    "forecloses",
    "geometry",
    "gpus_of",
    "longest_sequence",
    "measured_rates",
    "micro_batch",
    "nodes_of",
    "place",
    "processes",
    "shape",
    "sweep_cost",
    "trial_cost",
]
