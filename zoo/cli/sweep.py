"""`zoo sweep` and `zoo report`: chooses executor, display and mirror, and hands them to
the driver with what writes the report; or submits jobs to Slurm.

Heavy imports happen only when there is something to run.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass, replace
from typing import Literal

import click

from zoo.catalog import ComputeProfile
from zoo.cli.mlflow_commands import mirror_of, where_of
from zoo.data.questions import overlaps
from zoo.errors import Fault, InputError
from zoo.executors import slurm_submit
from zoo.executors.chosen import executor_of
from zoo.executors.local import InProcess
from zoo.executors.slurm import must_be_there
from zoo.lint.overlap_warnings import overlap_warnings
from zoo.orchestrate import driver
from zoo.orchestrate.driver_lock import freeze
from zoo.orchestrate.event_log import EventLog
from zoo.orchestrate.invocation import Ran, Sweep
from zoo.orchestrate.progress import clock, display, first_line
from zoo.planning.budget_forecast import budget_state, forecast_of
from zoo.planning.disk_errors import must_be_writable, started
from zoo.planning.machine import profile_of
from zoo.planning.next_look import begun_look, narrowed, next_look
from zoo.planning.options import PlanOptions
from zoo.planning.preflight import (
    must_be_ready,
    must_continue_alike,
    must_have_room,
    must_not_have_drifted,
)
from zoo.planning.prompt_lengths import measured, remembered
from zoo.planning.reference_check import must_be_usable
from zoo.planning.remaining import extents
from zoo.planning.study import Study, load_study, shown
from zoo.render.budget_text import budget_lines
from zoo.render.plan_claims import seal_notes
from zoo.render.plan_costs import counted
from zoo.render.plan_text import change_lines, standing_lines, summary
from zoo.render.sweep_report import SweepReport
from zoo.runs.sweep_status import SweepStatus, read_status
from zoo.scheduling.order import Order


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep runs. `bare`: no MLflow, no report; `relock`: accept what moved; `retrain`: train
    again what only training again would change; `extend`: continue what is done with fewer rounds;
    `save_every`: rounds between checkpoints; `across_stacks`: continue also what another stack
    began; `events`: a file that gets what happens."""

    profile: str | None = None
    executor: str | None = None
    order: Order = "seeds-first"
    concurrency: int | None = None
    bare: bool = False
    relock: bool = False
    retrain: bool = False
    extend: bool = False
    save_every: int | None = None
    across_stacks: bool = False
    events: str | None = None

    def __str__(self) -> str:
        """The same words again, for a command that goes on; what was relocked is relocked."""
        said = {
            "--on": self.profile,
            "--executor": self.executor,
            "--order": None if self.order == "seeds-first" else self.order,
            "--concurrency": self.concurrency,
            "--save-every": self.save_every,
            "--events": self.events,
        }
        words = [f" {option} {shlex.quote(str(v))}" for option, v in said.items() if v is not None]
        return "".join(words) + " --bare" * self.bare


def run(name: str, words: PlanOptions, how: SweepOptions) -> int:
    """Run what is left of a sweep, and further looks while a claim is undecided, unless one look
    is named; returns the exit status."""
    study = load_study(name, words, thorough=True)
    for line in study.remembered_note("sweep"):
        click.echo(line)
    status = run_study(study, how)
    while status == 0 and study.manifest.experiment.looks and not (words.look or words.only):
        found = next_look(load_study(name, words, thorough=True))
        if found is None:
            break
        click.echo("")
        status = run_study(load_study(name, replace(words, look=found.look), thorough=True), how)
    return status


def run_study(study: Study, how: SweepOptions) -> int:
    """As `run`, of a study that is loaded with all its digests."""
    begun = time.monotonic()
    look = begun_look(study)
    if look is not None:
        study = narrowed(study, look)
        for line in look.lines():
            click.echo(line)
    chosen = profile_of(study.catalog, how.profile, how.concurrency)
    if how.save_every is not None:
        chosen = chosen.model_copy(update={"save_every": how.save_every})
    changed = study.changes.changed
    status = read_status(study.chosen, study.store, changed, retrain=how.retrain, extend=how.extend)
    sweep = replace(_sweep(study, chosen, how), look=look)
    kind = how.executor or ("local" if study.simulated else chosen.executor)
    submits = kind == "slurm"  # with what planning needs; the jobs do what needs more
    if submits and how.events is not None:
        found = "the jobs of a sweep on Slurm outlive this command, so it has no events"
        raise InputError(Fault("--events", found, hint="`zoo status --json` shows where they are"))
    if not status.left:
        return _nothing_to_do(study, sweep, status, how, light=submits)
    if submits:
        must_be_there()
    must_be_writable(study)
    must_be_ready(study, status, chosen, relock=how.relock, executor=kind)
    left = [item.trial for item in status.left]
    prompts = remembered(left, study)[0] if submits else measured(left, study)
    sweep = replace(sweep, longest_prompts=prompts)
    if how.order == "longest-first":
        sweep = replace(sweep, extents=extents(study, status, sweep.profile, prompts))
    if study.manifest.experiment.budget.stated:
        sweep = replace(sweep, forecast=forecast_of(study, status, chosen, prompts))
    if not how.across_stacks and not submits:
        must_continue_alike(status, chosen, sweep.longest_prompts)
    must_have_room(status.left, chosen, sweep.longest_prompts)
    executor = None
    if not submits:
        must_be_usable(left, study)
        executor = executor_of(kind, sweep, _in_process)
    click.echo(f"{study.name}: {summary(status)}")
    for line in [*change_lines(study.changes), *seal_notes(study)]:
        click.echo(line)
    found = overlaps(study.chosen, study.resolver.questions)
    for warning in overlap_warnings(study.chosen, found):
        click.echo(f"! {warning}")
    if executor is None:
        with started():
            study.resolver.save()
            return slurm_submit.run(study, sweep, status, report=not how.bare)
    results = SweepReport(study)
    events = EventLog(how.events)
    with started():
        study.resolver.save()
        ran = driver.run(
            sweep,
            status,
            lambda: executor,
            display(sys.stdout),
            mirror=None if how.bare else lambda: mirror_of(study),
            report=lambda: None if how.bare else results.write_or_excuse(),
            events=events,
        )
    _conclude(results, ran, time.monotonic() - begun, how, chosen)
    failed = how.extend and any(one.obstacle for one in ran.status.trials)
    return ran.exit_code or int(failed)


def _command(study: Study, how: SweepOptions) -> str:
    """The command that goes on with what this one did."""
    return f"{study.to('extend') if how.extend else study.to('sweep')}{how}"


def _sweep(study: Study, profile: ComputeProfile, how: SweepOptions) -> Sweep:
    return Sweep(
        study.manifest,
        study.chosen,
        study.store,
        study.folder,
        profile,
        tuple(study.trials),
        study.words.sets,
        study.words.cards,
        study.words.rewards,
        command=_command(study, how),
        order=how.order,
        retrain=how.retrain,
        extend=how.extend,
        across_stacks=how.across_stacks,
    )


def _nothing_to_do(
    study: Study, sweep: Sweep, status: SweepStatus, how: SweepOptions, *, light: bool
) -> int:
    """The lock is written anyway: it guards these trials, and records which claims came late.
    `light`: without the report, which needs more than planning does."""
    must_not_have_drifted(study, relock=how.relock)
    events = EventLog(how.events)
    study.resolver.save()
    freeze(sweep)
    events.start(study.name, status)
    events.end(0, status)
    some = any(one.stands or one.state == "void" for one in status.trials)
    told = f": {summary(status)}" if some else f", all {len(status.trials)} trials are done"
    click.echo(f"{study.name}: nothing to do{told}")
    for line in [*change_lines(study.changes), *seal_notes(study)]:
        click.echo(line)
    for line in standing_lines(status, study, f"{study.to('sweep')}{how}"):
        click.echo(line)
    if not how.bare:
        if not light and not (study.folder / "report.html").is_file():
            SweepReport(study).write()
        _tell_where(study)
    return 0


def report(name: str, words: PlanOptions, form: Literal["html", "md"]) -> int:
    """Write the report of a sweep in its current state."""
    study = load_study(name, words, started=True)
    click.echo(f"report: {shown(SweepReport(study).write(form))}")
    return 0


def _in_process() -> InProcess:
    """What runs simulated trials, which take milliseconds, in this process."""
    from zoo.train.entry import run

    return run


def _conclude(
    results: SweepReport, ran: Ran, seconds: float, how: SweepOptions, profile: ComputeProfile
) -> None:
    """Print the outcome, and where the results are."""
    study, status = results.study, ran.status
    click.echo(f"\n{study.name}: {summary(status)}  ({clock(seconds)})")
    if how.retrain and (n := sum(one.stands for one in status.trials)):
        click.echo(f"{counted(n, 'trial')} not trained again; previous results are kept")
    if how.extend and (n := sum(one.obstacle is not None for one in status.trials)):
        click.echo(f"{counted(n, 'trial')} could not continue; previous results are kept")
    for item in status.trials:
        if item.symbol == "!":
            reason = first_line(item.message, item.failure)
            click.echo(f"! {study.names[item.trial.id]}: {item.why} {reason}")
            click.echo(f"  log: {shown(study.store.train(item.trial.id) / 'log.txt')}")
    for line in budget_lines(budget_state(study, status, profile)):
        click.echo(line)
    if status.left:
        word = "stopped" if ran.exit_code >= 128 else "not all done"
        click.echo(f"{word}; `{_command(study, how)}` does what is left")
    for line in standing_lines(status, study, f"{study.to('sweep')}{how}"):
        click.echo(line)
    if how.bare:
        return
    if not status.left and (table := results.table()) is not None:
        click.echo(f"\n{table}")
    _tell_where(study)


def _tell_where(study: Study) -> None:
    if (page := study.folder / "report.html").is_file():
        click.echo(f"report: {shown(page)}")
    click.echo(f"MLflow: `zoo ui {study.called}` serves {where_of(study)}")
