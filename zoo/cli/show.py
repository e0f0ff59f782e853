"""`zoo show`: one trial fully resolved, each value with where it came from."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.context import Plan, Words, as_json, one_trial, plan
from zoo.manifest.expand import Expansion
from zoo.manifest.trial import Trial

Row = tuple[str, Any, str]  # dotted name, value, where it came from


def show(name: str, words: Words, trial: str, *, json_: bool) -> int:
    """Print a trial's values and origins."""
    made = plan(name, words)
    chosen = one_trial(made, trial)
    rows = resolved(made, chosen)
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


def resolved(made: Plan, trial: Trial) -> list[Row]:
    """Every value that a trial runs with, in the order of a manifest."""
    expansion = Expansion(made.manifest, made.catalog, made.resolver)
    expansion.trials()
    origins = expansion.settings.origins(trial.cell, trial.model)
    rows: list[Row] = [("trainer", trial.trainer, origins.get("trainer", _line(made, "trainer")))]
    rows += [
        (axis, value, _axis(made, axis)) for axis, value in trial.cell.items() if "." not in axis
    ]
    rows.append(("seed", trial.seed, _line(made, "seeds")))
    rows.append(("rounds", trial.rounds, _line(made, "rounds")))
    rows += _model(trial)
    rows.append(("prompt", trial.prompt.name, origins.get("prompt", f"card {trial.model.name}")))
    rows.append(("prompt.template", trial.prompt.template, f"card {trial.prompt.name}"))
    rows.append(("data.digest", trial.data_digest, f"data {trial.data.name}"))
    reward = trial.reward
    for field in ("kind", "version", "extract", "params"):
        rows.append((f"reward.{field}", getattr(reward, field), f"card {reward.name}"))
    batch = trial.batch.model_dump()
    for name in batch:
        rows.append((f"batch.{name}", batch[name], _origin(trial, origins, f"batch.{name}")))
    for name in sorted(trial.grpo):
        rows.append((f"grpo.{name}", trial.grpo[name], _origin(trial, origins, f"grpo.{name}")))
    for e in trial.evaluations:
        told = {"problems": e.problems, "samples": e.samples, "rounds": list(e.rounds)}
        told |= e.decoding.model_dump(exclude_none=True)
        name = f"evaluate.{e.benchmark.name}.{e.decoding_name}"
        rows.append((name, told, f"schedule {', '.join(e.schedules)}"))
    rows.append(("final", trial.final, _line(made, "final")))
    return rows


def _model(trial: Trial) -> list[Row]:
    card = trial.model
    origin = card.origin
    rows: list[Row] = []
    where = card.embedded or card.path or card.repo
    rows.append(("model.weights", where, f"card {card.name}"))
    if card.repo:
        rows.append(("model.revision", card.revision or "unpinned", f"card {card.name}"))
    else:
        rows.append(("model.digest", trial.model_digest, "content of its files"))
    if trial.base is not None:
        rows.append(("model.base", trial.base.name, f"card {card.name}"))
    told: tuple[tuple[str, Any], ...] = (("stop_ids", list(card.stop_ids)), ("cap", card.cap))
    for name, value in told:
        source = next((text for key, text in origin.items() if key == name), "")
        rows.append((f"model.{name}", value, f"card {card.name}{f': {source}' if source else ''}"))
    return rows


def _origin(trial: Trial, origins: dict[str, str], name: str) -> str:
    if trial.rehearsal and name.startswith("batch."):
        return "rehearsal"
    return origins.get(name, "default of the form")


def _axis(made: Plan, axis: str) -> str:
    experiment = made.manifest.experiment
    for part, axes in [("grid", experiment.grid), *(("zip", group) for group in experiment.zip)]:
        if axis in axes.values:
            return f"axis, {part} of {_line(made, part)}"
    return "card of the checkpoint"


def _line(made: Plan, key: str) -> str:
    document = made.manifest.document
    if (key,) in document.origins:
        return document.origins[(key,)]
    place = document.values.get((key,))
    return f"manifest, line {place[0]}" if place else "default"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\n", "\\n")
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
