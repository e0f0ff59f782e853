"""`zoo show`: one trial fully resolved, each value with where it came from."""

from __future__ import annotations

from typing import Any

import click

from zoo.planning.options import PlanOptions
from zoo.planning.origins import resolved
from zoo.planning.select import one_trial
from zoo.planning.study import as_json, load_study


def show(name: str, words: PlanOptions, trial: str, *, json_: bool) -> int:
    """Print a trial's values and origins."""
    study = load_study(name, words)
    for line in study.remembered_note("show"):
        click.echo(line, err=json_)
    chosen = one_trial(study.chosen, study.names, trial, "--trial", study.name)
    rows = resolved(study, chosen)
    if json_:
        told = {name: {"value": value, "from": origin} for name, value, origin in rows}
        click.echo(as_json({"id": chosen.id, "cell": chosen.cell, "values": told}))
        return 0
    click.echo(f"{chosen.id}\n")
    width = max(len(name) for name, _, _ in rows)
    texts = [(name, _text(value), origin) for name, value, origin in rows]
    middle = min(44, max(len(value) for _, value, _ in texts))
    for name_, value, origin in texts:
        click.echo(f"{name_:<{width}}  {value:<{middle}}  {origin}")
    return 0


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\n", "\\n")
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    return {None: "none", True: "true", False: "false"}[value] if _word(value) else str(value)


def _word(value: Any) -> bool:
    return value is None or isinstance(value, bool)
