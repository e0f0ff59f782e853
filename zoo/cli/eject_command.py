"""`zoo eject`: a trial as one script of plain TRL."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.errors import Fault, InputError
from zoo.planning.machine import profile_of
from zoo.planning.options import PlanOptions
from zoo.planning.select import one_trial
from zoo.planning.study import load_study, shown


def run(name: str, trial: str, target: str, words: PlanOptions, profile: str | None) -> int:
    """Write the folder; returns the exit status."""
    from zoo.release.eject import eject

    study = load_study(name, words)
    found = one_trial(study.chosen, study.names, trial, "trial", study.name)
    if found.trainer != "trl":
        hint = "choose a trial that TRL trains"
        raise InputError(Fault(found.id, f"its trainer is `{found.trainer}`", "`trl`", hint))
    eject(found, profile_of(study.catalog, profile, None), study.store, Path(target))
    click.echo(f"{found.id}: {shown(Path(target) / 'train.py')}")
    return 0
