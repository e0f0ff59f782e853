"""`zoo status`: where the trials of a sweep are, from their files and from Slurm."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import click

from zoo.errors import StateError
from zoo.executors.slurm import SlurmJob, jobs_of
from zoo.launching import processes
from zoo.orchestrate.disk_pause import LEAST_BYTES, free_bytes, gib
from zoo.orchestrate.driver_lock import holder as holder_of
from zoo.orchestrate.progress import clock
from zoo.orchestrate.watch import Watch
from zoo.planning.budget_forecast import budget_state
from zoo.planning.options import PlanOptions, last_start
from zoo.planning.study import Study, as_json, load_study
from zoo.render.budget_text import budget_lines
from zoo.render.failure_text import failure_lines
from zoo.render.plan_costs import counted
from zoo.render.plan_data import counts, grading, trial_rows
from zoo.render.plan_text import standing_lines, summary
from zoo.render.screen import Screen
from zoo.runs.sweep_notes import SweepNotes, read_notes
from zoo.runs.sweep_status import SweepStatus, read_status

WATCH_S = 2.0
WATCH_JOBS_S = 30.0
"""Slurm answers all users of a cluster, so it is asked less often."""
Jobs = dict[str, SlurmJob]


def show(name: str, words: PlanOptions, *, json_: bool) -> int:
    """Print each trial's state; running ones with their round."""
    study = load_study(name, words, started=True)
    status, running, jobs = _read(study)
    holder = holder_of(study.store, study.name)
    if json_:
        data = {
            "name": study.name,
            "counts": counts(status),
            "trials": trial_rows(status, study.names),
        }
        data |= {"grading": grading(status), "jobs": {id_: asdict(jobs[id_]) for id_ in jobs}}
        click.echo(as_json(data | {"running": sorted(running), "driver": holder}))
        return 0
    click.echo("\n".join(_text(status, running, jobs, study, holder)))
    return 0


def watch(name: str, words: PlanOptions) -> int:
    """Print the same every two seconds, until no driver runs the sweep and no job of it is left;
    every 30 seconds where Slurm is asked."""
    study = load_study(name, words, started=True)
    screen = Screen(sys.stdout)
    while True:
        holder = holder_of(study.store, study.name)  # first: what ends after it is read below
        status, running, jobs = _read(study)
        over = holder is None and not any(job.runs or job.waits for job in jobs.values())
        screen.show(list(_text(status, running, jobs, study, holder)), last=over)
        if over:
            return 0
        time.sleep(WATCH_JOBS_S if jobs else WATCH_S)


def _read(study: Study) -> tuple[SweepStatus, set[str], Jobs]:
    """The state of all trials, the ids of those with a process, and the jobs of Slurm."""
    status, jobs = read_status(study.chosen, study.store, study.changes.changed), Jobs()
    unfinished = [item.trial.id for item in status.trials if item.runs or item.retrainable]
    with suppress(StateError):  # the files say enough while Slurm does not answer
        left = [item.trial.id for item in status.left]
        jobs = jobs_of(study.store.sweep(study.name), left)
    running = {id_ for id_ in unfinished if processes.running(study.store.train(id_))}
    return status, running | {id_ for id_ in unfinished if id_ in jobs and jobs[id_].runs}, jobs


def _text(
    status: SweepStatus,
    running: set[str],
    jobs: Jobs,
    study: Study,
    holder: dict[str, Any] | None,
) -> Iterator[str]:
    notes = read_notes(study.store, study.name)
    if holder is None:  # nobody is there to try again
        notes = SweepNotes(held=notes.held)
    yield from _lines(status, study, running, jobs, notes)
    if failed := list(failure_lines(status, study.names, study.store)):
        yield from ["", *failed]
    said = replace(study.words, rehearse=False)  # the name says that
    yield ""
    yield f"{study.name}{said}: {summary(status)}"
    yield from budget_lines(budget_state(study, status))
    yield from standing_lines(status, study)
    if holder:
        yield f"run by process {holder['pid']} on {holder['host']} since {holder['since']}"
        free = free_bytes(study.store.root)
        if free < (need := max(notes.needs, LEAST_BYTES)):
            yield f"disk full: trials start once {gib(need)} are free; {gib(free)} are"
    elif there := [job for job in jobs.values() if job.runs or job.waits]:
        waiting = sum(job.waits for job in there)
        yield f"run by Slurm: {counted(waiting, 'job')} waiting, {len(there) - waiting} running"
    elif any(item.state in ("failed", "unfinished") for item in status.left):
        yield f"`{_go_on(study)}` does what is left"


def _go_on(study: Study) -> str:
    """The command that goes on with the sweep: that of its last start."""
    told = last_start(study.store, study.name) or {}
    return told.get("command") or study.to("sweep")


def _lines(
    status: SweepStatus, study: Study, running: set[str], jobs: Jobs, notes: SweepNotes
) -> Iterator[str]:
    """One line a trial. Values missing in a record are read from the trial's journal."""
    names = study.names
    unsaid = [item.trial for item in status.trials if item.reward is None]
    views = Watch(unsaid, study.store, 1, running=True, names=names).views
    width = max(len(names[item.trial.id]) for item in status.trials)
    for item in status.trials:
        trial, symbol, why, reward = item.trial, item.symbol, item.why, item.reward
        if view := views.get(trial.id):
            view.update()
            reward = view.reward
            if trial.id in running:
                symbol, why = "*", f"running, round {max(0, view.round)}/{trial.rounds}"
        submitted = trial.id in jobs and jobs[trial.id].waits  # since it was held back
        if item.runs and trial.id not in running and not submitted:
            why += _waits(trial.id, notes, names)
        told = "" if reward is None else f"  reward {reward:.2f}"
        told += f"  {jobs[trial.id]}" if trial.id in jobs else ""
        yield f"{symbol} {names[trial.id]:<{width}}  {why}{told}"


def _waits(id_: str, notes: SweepNotes, names: Mapping[str, str]) -> str:
    """Why a trial that is left does not run, where the sweep's journal says that."""
    if id_ in notes.held:
        other, kind = notes.held[id_]
        return f"; held back, likely to fail like {names.get(other, other)} [{kind}]"
    if id_ in notes.retries:
        at, kind = notes.retries[id_]
        when = "once there is room" if notes.needs else f"in {clock(max(0.0, at - time.time()))}"
        return f"; tried again {when} [{kind}]"
    return ""
