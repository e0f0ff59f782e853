"""`zoo status` and `zoo logs`: where the trials of a sweep are, from their files alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import click

from zoo.errors import Fault, InputError
from zoo.launching import processes
from zoo.orchestrate.driver_lock import holder as holder_of
from zoo.orchestrate.watch import Watch
from zoo.planning.options import PlanOptions, last_start
from zoo.planning.select import one_trial
from zoo.planning.study import Study, as_json, load_study, shown
from zoo.render.failure_text import failure_lines
from zoo.render.plan_data import counts, grading, trial_rows
from zoo.render.plan_text import standing_lines, summary
from zoo.runs.sweep_status import SweepStatus, read_status


def show(name: str, words: PlanOptions, *, json_: bool) -> int:
    """Print each trial's state; running ones with their round."""
    study = load_study(name, words, started=True)
    status = read_status(study.chosen, study.store, study.changes.changed)
    holder = holder_of(study.store, study.name)
    unfinished = [item.trial.id for item in status.trials if item.runs or item.retrainable]
    running = {id_ for id_ in unfinished if processes.running(study.store.train(id_))}
    if json_:
        data = {
            "name": study.name,
            "counts": counts(status),
            "trials": trial_rows(status, study.names),
        }
        data |= {"grading": grading(status)}
        click.echo(as_json(data | {"running": sorted(running), "driver": holder}))
        return 0
    click.echo("\n".join(_lines(status, study, running)))
    if failed := list(failure_lines(status, study.names, study.store)):
        click.echo("\n" + "\n".join(failed))
    said = replace(study.words, rehearse=False)  # the name says that
    click.echo(f"\n{study.name}{said}: {summary(status)}")
    for line in standing_lines(status, study):
        click.echo(line)
    if holder:
        click.echo(f"run by process {holder['pid']} on {holder['host']} since {holder['since']}")
    elif any(item.state in ("failed", "unfinished") for item in status.left):
        click.echo(f"`{_go_on(study)}` does what is left")
    return 0


def _go_on(study: Study) -> str:
    """The command that goes on with the sweep: that of its last start."""
    told = last_start(study.store, study.name) or {}
    return told.get("command") or study.to("sweep")


def _lines(status: SweepStatus, study: Study, running: set[str]) -> Iterator[str]:
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
        told = "" if reward is None else f"  reward {reward:.2f}"
        yield f"{symbol} {names[trial.id]:<{width}}  {why}{told}"


def logs(name: str, trial: str, words: PlanOptions, lines: int | None) -> int:
    """Print a trial's log."""
    study = load_study(name, words, started=True)
    found = one_trial(study.chosen, study.names, trial, "trial", study.name)
    path = study.store.train(found.id) / "log.txt"
    if not path.is_file():
        raise InputError(Fault("trial", f"'{found.id}' has no log yet ({shown(path)})"))
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in deque(stream, maxlen=lines) if lines else stream:
            click.echo(line.rstrip("\n"))
    return 0
