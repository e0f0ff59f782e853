"""`zoo ui` and `zoo sync`: bring MLflow's copy of a sweep up to date, and serve its pages."""

from __future__ import annotations

import click

from zoo.errors import StateError
from zoo.orchestrate.driver_lock import holder
from zoo.orchestrate.mirroring import UNHARMED, Mirror
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, load_study, shown
from zoo.render.plan_costs import counted
from zoo.render.sweep_report import SweepReport
from zoo.runs.sweep_status import read_status


def mirror_of(study: Study) -> Mirror:
    """What copies a study to MLflow."""
    from zoo.track.client import MlflowMirror

    return MlflowMirror(
        study.store,
        study.manifest.experiment,
        study.trials,
        report=shown(study.folder / "report.html"),
    )


def sync(name: str, words: PlanOptions) -> int:
    """Copy a sweep to MLflow as its run folders stand.

    Raises:
        StateError: MLflow does not answer, or refused something; a folder cannot be read.
    """
    study = load_study(name, words, started=True)
    problem, where = _bring_up_to_date(study), where_of(study)
    if problem is not None:
        raise StateError(
            f"MLflow at {where} is not up to date: {problem}; {UNHARMED}, and `zoo sync "
            f"{study.called}` sends what is missing"
        )
    click.echo(f"{study.name}: {counted(len(study.trials), 'trial')} up to date in MLflow, {where}")
    if holder(study.store, study.name):
        click.echo(f"the sweep is running; `zoo sync {study.called}` again when it has ended")
    return 0


def serve(name: str | None, words: PlanOptions, port: int, host: str) -> int:
    """Serve MLflow's pages until Ctrl-C; with a name, bring that sweep up to date first."""
    from zoo.store.run_store import Store
    from zoo.track.ui import serve as run_server

    if name is None:
        return run_server(Store(), port, host)
    study = load_study(name, words, started=True)
    if not holder(study.store, study.name):  # else the running sweep does it
        problem = _bring_up_to_date(study)
        if problem is not None:
            click.echo(f"note: not up to date: {problem}", err=True)
    return run_server(study.store, port, host, study.name)


def where_of(study: Study) -> str:
    """The MLflow store of a study, without the account that its address may name."""
    from zoo.track.backend import without_account

    return without_account(study.store.mlflow_uri)


def _bring_up_to_date(study: Study) -> str | None:
    """Copy all that a sweep has left, with its report; returns what is wrong, None for nothing. Of
    a sweep that runs without MLflow, copy the present state and leave it running."""
    mirror = mirror_of(study)
    if holder(study.store, study.name):
        mirror.sync()
        return mirror.problem
    symbols = {item.symbol for item in read_status(study.trials, study.store).left}
    verdict = True if not symbols else False if "!" in symbols else None
    mirror.finish(verdict, SweepReport(study).write_or_excuse())
    return mirror.problem
