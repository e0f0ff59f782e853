"""Warnings of a plan about `evaluate` and `final`: evaluations that are missing where the report
compares before and after.

Checkpoints that were trained elsewhere are evaluated at round 0 and the last round only, so they
are checked separately. A rehearsal is cut to two rounds and is not checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zoo.errors import listed
from zoo.lint.plan_warning import PlanWarning
from zoo.manifest.schema import Experiment
from zoo.trials.metrics import headline, last_k
from zoo.trials.trial import Evaluation, Trial


def evaluate_warnings(experiment: Experiment, trials: Sequence[Trial]) -> list[PlanWarning]:
    """All warnings about what is evaluated when."""
    found = list(_never_due(experiment))
    for external in (False, True):
        same = [trial for trial in trials if (trial.trainer == "external") == external]
        if same:
            found += _measured(experiment, same, external=external)
    return list(dict.fromkeys(found))


def _never_due(experiment: Experiment) -> Iterator[PlanWarning]:
    """Schedules whose first turn comes after the end."""
    for name, schedule in experiment.evaluate.schedules.items():
        if schedule.every and schedule.every > experiment.rounds:
            text = (
                f"every {schedule.every:,} rounds of {experiment.rounds:,} is the base model "
                "alone; take a smaller `every`, or `at: [0, last]`"
            )
            yield PlanWarning("never-due", text, f"schedule {name}")


def _measured(
    experiment: Experiment, trials: Sequence[Trial], *, external: bool
) -> Iterator[PlanWarning]:
    """What is wrong with the evaluations that these trials share."""
    measured, horizon = trials[0].evaluations, experiment.rounds
    where = f"{len(trials):,} trial{'s'[: len(trials) != 1]}"
    if not any(round_ > 0 for e in measured for round_ in e.rounds):
        yield PlanWarning("nothing-measured", _nothing(experiment, measured, external), where)
        return
    plan = experiment.evaluate
    name = "full" if plan.full else next(iter(plan.schedules))
    compared = headline(trials[:1])
    if not compared:
        text = (
            f"schedule {name} has no evaluation at the last round ({horizon:,}), so the report has "
            "no final numbers to compare; add `last` to its `at`"
        )
        yield PlanWarning("nothing-compared", text, where)
        return
    if unmeasured := [e for e in compared if 0 not in e.rounds]:
        text = (
            f"{_benchmarks(unmeasured)} evaluated at the last round and never on the base model, "
            "so there is no gain to report; add 0 to the `at` of the schedule"
        )
        yield PlanWarning("base-not-measured", text, f"schedule {name}")
    if not external and not trials[0].rehearsal:
        yield from _fewer(experiment.final, compared, name)


def _nothing(experiment: Experiment, measured: Sequence[Evaluation], external: bool) -> str:
    if not experiment.evaluate.schedules:
        return (
            "`evaluate` has no schedule, so nothing is evaluated and there is no result; add "
            "`full: {benchmarks: [...], at: [0, last]}`"
        )
    if external and not measured:
        return (
            "checkpoints trained elsewhere are evaluated at round 0 and the last round only "
            f"({experiment.rounds:,}), and no schedule has either; set `at: [0, last]`"
        )
    return "no trained model is evaluated, only the base; add `last` to the `at` of a schedule"


def _fewer(final: str, compared: Sequence[Evaluation], name: str) -> Iterator[PlanWarning]:
    """Final numbers that are the mean of fewer evaluations than `final` requires."""
    wanted = last_k(final)
    groups: dict[tuple[int, ...], list[Evaluation]] = {}
    for evaluation in compared:
        after = tuple(round_ for round_ in evaluation.rounds if round_ > 0)
        if len(after) < wanted:
            groups.setdefault(after, []).append(evaluation)
    for rounds, same in groups.items():
        n = len(rounds)
        some = listed(f"{round_:,}" for round_ in rounds)
        only = f"at round {some} only" if n == 1 else f"at {n} rounds only ({some})"
        text = (
            f"{_benchmarks(same)} evaluated {only}, so `final: {final}` is "
            f"{'that one evaluation' if n == 1 else f'the mean of {n}'}; evaluate at more rounds "
            "(`last5` and a frequent `watch`, or a smaller `every`), or set "
            f"`final: {'last' if n == 1 else f'mean-last-{n}'}`"
        )
        yield PlanWarning("final-of-fewer", text, f"schedule {name}")


def _benchmarks(evaluations: Sequence[Evaluation]) -> str:
    """`gsm8k is`, `gsm8k, math500 are`."""
    names = list(dict.fromkeys(evaluation.benchmark.name for evaluation in evaluations))
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"
