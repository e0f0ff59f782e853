"""`zoo logs`: the log of a trial; with `--follow` its rounds and its log as they grow.

Reads files of the run folder alone, so that it follows trials of every executor, and from any
machine that sees the run store.
"""

from __future__ import annotations

import time
from collections import deque

import click

from zoo.errors import Fault, InputError
from zoo.launching import processes
from zoo.orchestrate.driver_lock import holder
from zoo.planning.options import PlanOptions
from zoo.planning.select import one_trial
from zoo.planning.study import Study, load_study, shown
from zoo.render.trial_log import TAIL, TrialFollower
from zoo.runs.sweep_status import trial_status
from zoo.trials.trial import Trial

POLL_S = 0.5
QUIET_POLLS = 4
"""A trial has ended after so many polls without a process: a launcher may start it again."""


def show(name: str, trial: str, words: PlanOptions, lines: int | None, *, follow: bool) -> int:
    """Print a trial's log, or follow it."""
    study = load_study(name, words, started=True)
    found = one_trial(study.chosen, study.names, trial, "trial", study.name)
    if follow:
        return _follow(study, found, lines or TAIL)
    path = study.store.train(found.id) / "log.txt"
    if not path.is_file():
        raise InputError(Fault("trial", f"'{found.id}' has no log yet ({shown(path)})"))
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in deque(stream, maxlen=lines) if lines else stream:
            click.echo(line.rstrip("\n"))
    return 0


def _follow(study: Study, trial: Trial, lines: int) -> int:
    follower = TrialFollower(study.store.train(trial.id), trial.rounds, lines)
    quiet = 0
    while True:
        over = _is_over(study, trial)  # before the last reading, so that nothing is missed
        first = not follower.polls
        while new := follower.lines():
            click.echo("\n".join(new))
        quiet = quiet + 1 if over else 0
        if over and (first or quiet == QUIET_POLLS):
            break
        time.sleep(POLL_S)
    status = trial_status(trial, study.store)
    click.echo(f"{status.symbol} {study.names[trial.id]}  {status.why}")
    return 0


def _is_over(study: Study, trial: Trial) -> bool:
    """Whether nothing works on a trial, and no sweep runs that could start it (again)."""
    if processes.running(study.store.train(trial.id)):
        return False
    return holder(study.store, study.name) is None or not trial_status(trial, study.store).runs
