"""What is left of trials as input of the cost model, and the rates that it is priced by."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.catalog import ComputeProfile
from zoo.planning.study import Study
from zoo.resources import Rate, measured_rates, sweep_cost
from zoo.runs import throughput
from zoo.runs.sweep_status import SweepStatus, TrialStatus
from zoo.scheduling.order import Extent
from zoo.scheduling.simulate import jobs_of
from zoo.trials.trial import Trial


def rates_of(study: Study, profile: ComputeProfile) -> dict[str, Rate]:
    """Rates of this store's own records on a profile."""
    models = sorted({trial.model.name for trial in study.chosen if not trial.simulated})
    return measured_rates(throughput.measured(study.store, models, profile.name))


def extents(
    study: Study, status: SweepStatus, profile: ComputeProfile, prompts: Mapping[str, int]
) -> dict[str, Extent]:
    """How long each trial that is left holds how many GPUs, by the cost model. `prompts`: trial id
    -> tokens of its longest prompt, where counted."""
    rates = rates_of(study, profile)
    left = [one.trial for one in status.left]
    costs = sweep_cost(map(to_pay, status.left), profile, rates, (), prompts).trials
    return {job.trial.id: job.extent for job in jobs_of(left, costs)}


def to_pay(status: TrialStatus) -> Trial:
    """The trial as input of the cost model: where it continues, the remaining rounds; where it
    is trained already, only the evaluations that are due, as for a checkpoint from elsewhere."""
    if status.trains and status.saved is not None:
        return _rest(status.trial, status.saved.round)
    if status.trains:
        return status.trial
    rounds = [
        (e, tuple(at for due, at in status.due if due is e)) for e in status.trial.evaluations
    ]
    due = tuple(e.model_copy(update={"rounds": at}) for e, at in rounds if at)
    return status.trial.model_copy(update={"trainer": "external", "evaluations": due})


def _rest(trial: Trial, after: int) -> Trial:
    """What is left of a trial that continues after a round."""
    left = [
        e.model_copy(
            update={"rounds": tuple(round_ - after for round_ in e.rounds if round_ > after)}
        )
        for e in trial.evaluations
    ]
    rest = {"rounds": trial.rounds - after, "evaluations": tuple(e for e in left if e.rounds)}
    return trial.model_copy(update=rest)
