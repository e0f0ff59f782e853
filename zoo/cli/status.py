"""`zoo status`: where the trials of a sweep are, from their files alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click

from zoo.launching import processes
from zoo.orchestrate import driver
from zoo.orchestrate.watch import Watch
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, as_json, load_study
from zoo.render.plan_data import counts, grading, trial_rows
from zoo.render.plan_text import standing_lines, summary
from zoo.runs.sweep_status import SweepStatus, read_status


def show(name: str, words: PlanOptions, *, json_: bool) -> int:
    """Print each trial's state; running ones with their round."""
    study = load_study(name, words, started=True)
    status = read_status(study.chosen, study.store, study.changes.changed)
    holder = driver.holder(study.store, study.name)
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
    said = replace(study.words, rehearse=False)  # the name says that
    click.echo(f"\n{study.name}{said}: {summary(status)}")
    for line in standing_lines(status, study):
        click.echo(line)
    if holder:
        click.echo(f"run by process {holder['pid']} on {holder['host']} since {holder['since']}")
    return 0


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
