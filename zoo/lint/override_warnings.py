"""Warnings of a plan about overrides that set values which their cells already have.

The value without the override is that of the weaker layers (TRL's defaults < recipe < manifest <
axis < other overrides; see `zoo.trials.settings`), looked up only until one cell differs. An
override that `--set` overrides is not an error of the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zoo.catalog import Batch, Peft, RecipeCard
from zoo.catalog.cards import FROM_CARD
from zoo.errors import plain
from zoo.lint.plan_warning import PlanWarning
from zoo.manifest.schema import Experiment
from zoo.trials.grid import matches
from zoo.trials.identity import canonical
from zoo.trials.settings import FROM_MODEL
from zoo.trials.trial import Trial
from zoo.trlspec import validation as trl


def override_warnings(
    experiment: Experiment,
    trials: Sequence[Trial],
    recipe: Callable[[str], RecipeCard],
    last: Mapping[str, Any],
    chosen: Sequence[Trial] | None = None,
) -> list[PlanWarning]:
    """A warning for each override that changes nothing in any trial that it matches.

    Args:
        recipe: the card of a recipe's name.
        last: values of `--set`, by dotted name.
        chosen: the selected trials; None = all.
    """
    found: list[PlanWarning] = []
    for i, override in enumerate(experiment.overrides):
        met = [trial for trial in trials if matches(trial.cell, override.when)]
        meant = met if chosen is None else [t for t in chosen if matches(t.cell, override.when)]
        if not meant or met[0].rehearsal or override.set.keys() & last.keys():
            continue
        cells = {id(trial.cell): trial for trial in met}.values()
        if all(
            _idle(experiment, i, name, trial, recipe) for trial in cells for name in override.set
        ):
            said = ", ".join(f"{name} = {plain(value)}" for name, value in override.set.items())
            n = f"{len(meant):,} trial{'s'[: len(meant) != 1]}"
            text = f"{said} is so without it in all that it matches; leave it out, or correct it"
            found.append(PlanWarning("idle-override", text, f"override {i + 1}, {n}"))
    return found


def _idle(
    experiment: Experiment,
    i: int,
    name: str,
    trial: Trial,
    recipe: Callable[[str], RecipeCard],
) -> bool:
    """Whether a trial has a setting's value also without override number `i`."""
    part, _, field = name.partition(".")
    without = _without(experiment, i, name, trial, recipe)
    if part == "grpo":
        without = trl.check(field, without).value
        if without == FROM_CARD:
            without = getattr(trial.model, FROM_MODEL[field])
        return canonical(without) == canonical(trial.grpo[field])
    if part == "batch":
        return without == getattr(trial.batch, field)
    if part == "peft":
        return without == getattr(trial.peft or Peft(), field)
    return without == (trial.prompt.name if name == "prompt" else trial.trainer)


def _without(
    experiment: Experiment,
    i: int,
    name: str,
    trial: Trial,
    recipe: Callable[[str], RecipeCard],
) -> Any:
    """The values of a setting in the other layers, the strongest first."""
    for j in range(len(experiment.overrides) - 1, -1, -1):
        other = experiment.overrides[j]
        if j != i and name in other.set and matches(trial.cell, other.when):
            return other.set[name]
    if name in trial.cell:
        return trial.cell[name]
    if name == "prompt":
        return trial.model.prompt
    if name == "trainer":
        return experiment.trainer
    part, _, field = name.partition(".")
    said = experiment.grpo if part == "grpo" else experiment.batch
    if field in said:
        return said[field]
    card = recipe(trial.recipe)
    if part == "grpo":
        return card.grpo.get(field, trl.defaults().get(field))
    assert field in Batch.model_fields
    return getattr(card.batch, field)
