"""What a trial is given by its launcher and executor: processes and GPUs, while it trains and while
only evaluations of stored weights are missing.

An engine over stored weights is one process with a worker for each GPU of its tensor parallelism.
It lies as one engine of the trial does, so that it samples alike; where the profile has no room for
the training, it is as wide as the weights alone need.
"""

from __future__ import annotations

import math

from zoo.catalog import ComputeProfile
from zoo.resources.placement import place
from zoo.trials.trial import Trial


def processes(trial: Trial, profile: ComputeProfile, prompt: int | None = None) -> int:
    """How many processes train a trial; what is only evaluated has one. `prompt`: tokens of its
    longest prompt, None = not measured; of all functions here."""
    return 1 if trial.trainer == "external" else place(trial, profile, prompt=prompt).processes


def gpus_of(trial: Trial, profile: ComputeProfile, prompt: int | None = None) -> float:
    """GPUs that a trial is given: a part of one where the profile shares them and one is enough."""
    if trial.trainer == "external":
        return engine_gpus(trial, profile, prompt)
    return _given(profile, place(trial, profile, prompt=prompt).gpus)


def nodes_of(trial: Trial, profile: ComputeProfile, prompt: int | None = None) -> int:
    """Nodes over which the processes of a trial are spread, the same number on each."""
    wide = processes(trial, profile, prompt)
    if profile.device == "cpu":
        return profile.nodes_per_trial if wide > 1 else 1
    least = math.ceil(wide / profile.gpus_per_node)
    return next(nodes for nodes in range(least, wide + 1) if wide % nodes == 0)


def engine_gpus(trial: Trial, profile: ComputeProfile, prompt: int | None = None) -> float:
    """GPUs that an engine over stored weights of the trial is given."""
    sized = engine_trial(trial, profile, prompt)
    return _given(profile, place(sized, profile, prompt=prompt).tensor_parallel)


def engine_trial(trial: Trial, profile: ComputeProfile, prompt: int | None = None) -> Trial:
    """The trial by which an engine over stored weights is sized: the trial itself where its
    training fits, else one that is only evaluated."""
    if place(trial, profile, prompt=prompt).fits is not False:
        return trial
    return trial.model_copy(update={"trainer": "external"})


def _given(profile: ComputeProfile, wide: int) -> float:
    if profile.device == "cpu" or not profile.gpus_per_trial:
        return 0.0
    return float(wide) if wide > 1 else min(1.0, profile.gpus_per_trial)
