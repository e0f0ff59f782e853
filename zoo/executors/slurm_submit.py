"""Submits what is left of a sweep to Slurm, one job a trial, and returns: nothing stays behind.

Which trials have a job already is read from squeue; the numbers of all jobs are kept in the sweep's
journal. The plan is frozen under the driver's lock as by any driver. A last job writes the report
and MLflow's copy. Light: the login node needs what planning needs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from zoo.errors import StateError, listed
from zoo.executors import slurm
from zoo.executors.slurm import REPORT, SlurmJob
from zoo.executors.slurm_task import write_input
from zoo.launching.lost import record_lost
from zoo.launching.task import Task
from zoo.orchestrate.budget_guard import BudgetGuard
from zoo.orchestrate.driver_lock import driver_lock, write_lock
from zoo.orchestrate.invocation import Sweep
from zoo.orchestrate.sweep_journal import SweepJournal
from zoo.orchestrate.sweep_work import tasks_of
from zoo.planning.study import SWEEPS_VARIABLE, Study, shown
from zoo.render.plan_costs import counted
from zoo.runs.spending import RunningLaunch, read_spending
from zoo.runs.sweep_status import SweepStatus, read_again
from zoo.store.run_store import ROOT_VARIABLE, write_text
from zoo.store.sweep_rows import JOBS


@dataclass
class Submission:
    """What one invocation submitted."""

    tasks: list[Task]
    """What is left."""
    before: dict[str, SlurmJob]
    """Jobs that there were before."""
    new: dict[str, str] = field(default_factory=dict[str, str])
    """Trial id -> its job."""
    held: dict[str, str] = field(default_factory=dict[str, str])
    """Trial id -> the limit of the budget that it would exceed."""
    report: str | None = None
    """The last job."""


def run(study: Study, sweep: Sweep, status: SweepStatus, *, report: bool) -> int:
    """Submit the trials that are left and have no job; returns the exit status, 1 where the budget
    holds some back.

    Raises:
        StateError: Slurm refuses a job; those before it stay submitted. Another process submits
            the same sweep.
    """
    with driver_lock(sweep):
        folder = sweep.store.sweep(sweep.name)
        status = read_again(status, sweep.store, retrain=sweep.retrain, extend=sweep.extend)
        jobs = slurm.active(folder)
        write_lock(sweep)
        durable = not all(one.trial.simulated for one in status.left)
        journal = SweepJournal(folder, durable=durable)
        made = Submission(tasks_of(sweep, status), jobs)
        for line in _lost(made, journal, folder, study):
            click.echo(line)
        try:
            _submit(made, sweep, journal, folder)
            if report:
                _submit_report(made, study, sweep, journal, folder)
        except StateError as error:
            raise StateError(_refused(error, made, study, sweep)) from error
        finally:
            journal.over()
    for line in _text(made, study, sweep):
        click.echo(line)
    return int(bool(made.held))


def _lost(made: Submission, journal: SweepJournal, folder: Path, study: Study) -> Iterator[str]:
    """Record launches whose jobs are gone and could not; yields a line for each such job."""
    gone = {
        task.trial.id: job
        for task in made.tasks
        if (job := journal.jobs.get(task.trial.id)) and task.trial.id not in made.before
    }
    ends = slurm.ended(gone.values())
    for task in made.tasks:
        id_ = task.trial.id
        job = ends.get(gone.get(id_, ""))
        if job is None or job.state == "COMPLETED":
            continue
        record_lost(task, slurm.end_of(job))
        output = folder / JOBS / id_ / f"job-{job.id}.txt"
        yield f"{study.names[id_]}: {slurm.end_of(job).message}; its output: {shown(output)}"


def _submit(made: Submission, sweep: Sweep, journal: SweepJournal, folder: Path) -> None:
    """Submit a job for each trial without one. At most `concurrency` run at a time: each waits for
    the end of the one so many places before it."""
    queue = sorted((job.id for what, job in made.before.items() if what != REPORT), key=int)
    guard, reserve = _budget(made, sweep)
    for task in made.tasks:
        id_ = task.trial.id
        if id_ in made.before:
            continue
        if (level := guard.obstacle(id_)) is not None:
            made.held[id_] = str(level)
            journal.budget(id_, str(level), cut=False)
            continue
        own = folder / JOBS / id_
        file = write_input(task, own, sweep.manifest.experiment.budget.stated)
        script = own / "job.sh"
        write_text(script, slurm.trial_script(slurm.prefix(folder) + id_, own, task, file))
        at = len(queue) - sweep.profile.concurrency
        made.new[id_] = slurm.submit(script, queue[at : at + 1] if at >= 0 else ())
        journal.submitted(id_, made.new[id_])
        reserve(task)
        queue.append(made.new[id_])


def _budget(made: Submission, sweep: Sweep) -> tuple[BudgetGuard, Callable[[Task], None]]:
    """What a budget allows to submit, and what takes note that a trial has a job: it counts with
    all that it is likely to need, as one that has just begun."""
    spending, now = read_spending(sweep.store, sweep.name)
    guard = BudgetGuard(sweep, spending, lambda: now)

    def reserve(task: Task) -> None:
        id_ = task.trial.id
        if id_ not in {launch.trial for launch in spending.running.values()}:
            spending.running[id_] = RunningLaunch(id_, now, task.gpus)
            guard.moved()

    for task in made.tasks:
        if task.trial.id in made.before:
            reserve(task)
    return guard, reserve


def _submit_report(
    made: Submission, study: Study, sweep: Sweep, journal: SweepJournal, folder: Path
) -> None:
    """Submit the last job, once all trials have ended, in place of one that still waits."""
    last = made.before.get(REPORT)
    if not made.new and last is not None:
        return
    trials = [job.id for what, job in made.before.items() if what != REPORT]
    if not (after := [*trials, *made.new.values()]):
        return
    words = replace(study.words, only=(), look=None)
    said = f"{shlex.quote(str(study.manifest.path.resolve()))}{words}"
    env = {ROOT_VARIABLE: str(sweep.store.root), SWEEPS_VARIABLE: str(study.folder.parent)}
    own = folder / JOBS / REPORT
    script, name = own / "job.sh", slurm.prefix(folder) + REPORT
    write_text(script, slurm.report_script(name, own, sweep.profile, said, env))
    made.report = slurm.submit(script, after)
    journal.submitted(REPORT, made.report)
    if last is not None and last.waits:
        slurm.call("scancel", last.id)


def _refused(error: StateError, made: Submission, study: Study, sweep: Sweep) -> str:
    """Slurm's message, which job it was, and what to do."""
    done = made.new.keys() | made.before.keys() | made.held.keys()
    rest = [task.trial.id for task in made.tasks if task.trial.id not in done]
    what = study.names[rest[0]] if rest else "the report's job"
    kept = f"{counted(len(made.new), 'job')} of this sweep submitted before it stay"
    return (
        f"{what} is not submitted: {error}. {kept if made.new else 'Nothing was submitted'}. "
        f"Correct `slurm` in the profile '{sweep.profile.name}', then `{sweep.command}` submits "
        "what is left"
    )


def _text(made: Submission, study: Study, sweep: Sweep) -> Iterator[str]:
    """What was submitted, and how to follow it."""
    jobs = list(made.new.values())
    if jobs:
        span = jobs[0] if len(jobs) == 1 else f"{jobs[0]} to {jobs[-1]}"
        yield f"{study.name}: submitted {counted(len(jobs), 'trial')} to Slurm, jobs {span}"
    if old := [task.trial.id for task in made.tasks if task.trial.id in made.before]:
        names = listed(study.names[id_] for id_ in old)
        yield f"{study.name}: {counted(len(old), 'trial')} with a job already: {names}"
    if made.held:
        names = listed(study.names[id_] for id_ in made.held)
        yield f"held back by the budget ({next(iter(made.held.values()))}): {names}"
    if made.report is not None:
        yield f"job {made.report} writes the report and MLflow's copy after them"
    yield f"`zoo status {study.called}` shows where they are"
    yield f"`{sweep.command}` submits what is left"
