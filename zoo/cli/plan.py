"""`zoo plan`: what a manifest runs, why, and what it costs. Light, and writes nothing."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from zoo.planning.options import PlanOptions
from zoo.planning.plan_report import Plan, plan_with
from zoo.planning.select import one_trial
from zoo.planning.study import as_json
from zoo.render import plan_data, plan_simulation, plan_text
from zoo.scheduling.order import Order
from zoo.store.run_store import write_text


@dataclass(frozen=True)
class PlanFormat:
    """Output format of the plan."""

    json_: bool = False
    explain: str | None = None
    diff: bool = False
    all_: bool = False
    detailed_exitcode: bool = False
    profile: str | None = None
    simulate: bool = False
    svg: str | None = None
    order: Order = "seeds-first"


WIDTH = 100  # columns of the text, or fewer where the terminal is narrower


def show(name: str, words: PlanOptions, how: PlanFormat) -> int:
    """Print the plan; returns 0, or 3 with `detailed_exitcode` and work left."""
    outlook = plan_with(name, words, how.profile)
    study = outlook.study
    for line in study.remembered_note("plan"):
        click.echo(line, err=how.json_)
    if how.explain is not None:
        trial = one_trial(study.chosen, study.names, how.explain, "--explain", study.name)
        lines = plan_text.explain(outlook, trial)
        text = as_json(plan_data.explain(outlook, trial)) if how.json_ else "\n".join(lines)
    elif how.simulate:
        text = _simulated(outlook, how)
    elif how.json_:
        text = as_json(plan_data.as_data(outlook))
    elif how.diff:
        text = "\n".join(plan_text.diff(outlook))
    else:
        lines = plan_text.whole(outlook, every_trial=how.all_)
        text = "\n".join(plan_text.wrapped(lines, _columns()))
    click.echo(text)
    return 3 if how.detailed_exitcode and outlook.status.left else 0


def _simulated(outlook: Plan, how: PlanFormat) -> str:
    """The sweep in simulated time; its picture goes into a file, where one is named."""
    found = plan_simulation.simulated(outlook)
    if how.svg is not None:
        write_text(Path(how.svg), plan_simulation.picture(found, how.order), durable=False)
    if how.json_:
        return as_json(plan_simulation.as_data(found))
    return "\n".join(plan_simulation.lines(found))


def _columns() -> int:
    return min(WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDTH
