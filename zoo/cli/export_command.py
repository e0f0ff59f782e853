"""`zoo export`: a trial's trained weights as a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.planning.options import PlanOptions
from zoo.planning.select import one_trial
from zoo.planning.study import load_study, shown


def run(name: str, trial: str, target: str, words: PlanOptions, round_: int | None) -> int:
    """Write the folder; returns the exit status."""
    from zoo.release.export import export

    study = load_study(name, words, started=True)
    found = one_trial(study.chosen, study.names, trial, "trial", study.name)
    at = export(found, study.store, Path(target), round_)
    click.echo(f"{found.id} after round {at}: {shown(Path(target))}")
    return 0
