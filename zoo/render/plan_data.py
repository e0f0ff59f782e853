"""The plan for programs: `{counts, trials, claims, warnings, cost, ...}` as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.claims.planned_power import Power
from zoo.lock.lock import LockChanges
from zoo.planning import prompt_lengths
from zoo.planning.plan_report import Plan
from zoo.planning.reference_check import known
from zoo.resources import Hours, Placement
from zoo.runs.sweep_status import SweepStatus, TrialStatus
from zoo.stats.looks import shares
from zoo.trials import identity
from zoo.trials.trial import Trial


def as_data(outlook: Plan) -> dict[str, Any]:
    """The whole plan. Hours are GPU-hours, or CPU-hours where the profile has no GPU (`unit`)."""
    study, cost = outlook.study, outlook.cost
    trained = [status.trial for status in outlook.status.left if status.trains]
    return {
        "name": study.name,
        "simulated": study.simulated,
        "rehearsal": study.manifest.rehearse,
        "random_weights": list(
            dict.fromkeys(t.model.name for t in study.trials if t.random_weights)
        ),
        "profile": outlook.profile.name,
        "counts": counts(outlook.status),
        "trials": trial_rows(outlook.status, study.names),
        "grading": grading(outlook.status),
        "changes": change_rows(study.changes),
        "claims": [
            power_row(power) | {"seal": study.seals.get(power.claim.id)} for power in outlook.powers
        ],
        "looks": _looks(outlook),
        "warnings": [warning.as_data() for warning in outlook.warnings],
        "references": {
            name: {"n": found.n, "unusable": len(found.bad), "grader": found.grader}
            for name, found in known(study.chosen, study)
        },
        "prompts": prompt_lengths.rows(study.chosen, study),
        "placement": [placement_rows(outlook, trials) for trials in outlook.shapes.values()],
        "cost": {
            "unit": cost.unit,
            "hours": _hours(cost.hours),
            "training": _hours(cost.train),
            "evaluation": _hours(cost.evaluation),
            "base_models": _hours(cost.base),
            "start": _hours(cost.start),
            "by_arm": {
                axis: {value: _hours(hours) for value, hours in arm.items()}
                for axis, arm in cost.arms.items()
            },
            "wall_hours": cost.wall_hours and _hours(cost.wall_hours),
            "usd": cost.usd and _hours(cost.usd),
            "worst_loss": _hours(cost.worst_loss),
            "node_loss": _hours(cost.node_loss[1]) | {"trials": cost.node_loss[0]},
            "disk_bytes": round(cost.peak_bytes),
            "download_bytes": {name: round(n) for name, n in cost.downloads.items()},
            "response_tokens": {
                model: {"low": low, "high": high} for model, (low, high) in outlook.lengths.items()
            },
            "rounds": sum(t.rounds for t in trained),
            "completions": sum(t.rounds * t.batch.completions for t in trained),
        },
    }


def _looks(outlook: Plan) -> dict[str, Any] | None:
    """The looks in which seeds are added; None where they are a list."""
    sizes = outlook.experiment.look_sizes
    if not sizes:
        return None
    return {
        "look": outlook.study.manifest.look,
        "seeds": list(sizes),
        "shares": shares(len(sizes)),
        "trials_at_most": len(outlook.study.trials) + len(outlook.later),
        "hours_at_most": _hours(outlook.cost_at_most.hours),
    }


def counts(status: SweepStatus) -> dict[str, int]:
    """Trials by state, all, and to run."""
    return status.totals


def grading(status: SweepStatus) -> dict[str, Any]:
    """Trials graded by another grader than the current one, with the results of their replays."""
    return {
        "evaluations_by_another": len(
            frozenset().union(*(s.standing.scores for s in status.trials))
        ),
        "to_replay": [one.trial.id for one in status.trials if one.standing.replay],
        "stale": {
            one.trial.id: one.standing.stale_from
            for one in status.trials
            if one.standing.stale_from is not None
        },
    }


def trial_rows(status: SweepStatus, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row a trial, in the plan's order. `names`: short names by id."""
    return [_trial(one, names) for one in status.trials]


def _trial(status: TrialStatus, names: Mapping[str, str]) -> dict[str, Any]:
    trial = status.trial
    return {
        "id": trial.id,
        "name": names[trial.id],
        "cell": trial.cell,
        "seed": trial.seed,
        "symbol": status.symbol,
        "why": status.why,
    }


def change_rows(changes: LockChanges) -> dict[str, Any]:
    """What moved since the lock."""
    return {
        "locked": changes.locked,
        "new": len(changes.new) if changes.locked else 0,
        "gone": [row["id"] for row in changes.gone],
        "changed": [
            {
                "id": change.trial.id,
                "was": change.old_id,
                "kind": change.kind,
                "fields": [
                    {"field": field, "was": old, "is": new, "kind": kind}
                    for kind, fields in change.kinds.items()
                    for field, old, new in fields
                ],
            }
            for change in changes.changed
        ],
    }


def power_row(power: Power) -> dict[str, Any]:
    """What one verdict of a claim can detect."""
    return {
        "id": power.claim.id,
        "says": power.claim.says,
        "kind": power.claim.kind,
        "verdict": power.unit.label,
        "expect": str(power.claim.expect),
        "unit": power.measure,
        "cells": power.cells,
        "seeds": power.seeds,
        "detects": power.detects,
        "detects_corrected": power.corrected,
        "detects_with_one_seed_more": power.one_more,
        "needs_true_effect": power.needs,
        "enough": power.enough,
        "seeds_enough": power.seeds_enough,
        "spread": None if power.spread is None else power.spread.value,
        "spread_source": None if power.spread is None else power.spread.source,
        "base_error": power.base,
    }


def placement_rows(outlook: Plan, trials: list[Trial]) -> dict[str, Any]:
    """How trials of one shape lie on the profile, and whether they fit each kind of GPU."""
    trial = trials[0]
    placed = {outlook.profile.name: outlook.placement(trial)} | outlook.cards(trial)
    return {
        "model": trial.model.name,
        "trials": len(trials),
        "profiles": {name: _placement(placement) for name, placement in placed.items()},
    }


def _placement(placement: Placement) -> dict[str, Any]:
    memory = placement.memory
    return {
        "gpus": placement.gpus,
        "tensor_parallel": placement.tensor_parallel,
        "micro_batch": placement.micro_batch,
        "accumulation": placement.accumulation,
        "batch": placement.proof,
        "fits": placement.fits,
        "why": placement.why,
        "usable_gib": placement.usable_gib,
        "memory_gib": {} if memory is None else memory.parts() | {"peak": memory.peak},
    }


def explain(outlook: Plan, trial: Trial) -> dict[str, Any]:
    """One trial: status, changes since the lock, inputs of its id, placement, cost."""
    (status,) = [status for status in outlook.status.trials if status.trial.id == trial.id]
    cost = outlook.one_cost(trial)
    changed = change_rows(outlook.study.changes)["changed"]
    return _trial(status, outlook.study.names) | {
        "changed": next((row for row in changed if row["id"] == trial.id), None),
        "identity": trial.identity,
        "digest": identity.digest(trial.identity),
        "placement": _placement(outlook.placement(trial)),
        "hours": _hours(cost.hours),
        "unit": outlook.cost.unit,
    }


def _hours(hours: Hours) -> dict[str, Any]:
    return {"low": hours.low, "mid": hours.mid, "high": hours.high, "source": hours.source}
