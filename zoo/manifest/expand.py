"""A manifest and the catalog make trials: product, less exclusions, plus inclusions, times seeds.

Order of values, later wins: recipe < card (only where the recipe says `from-card`) < manifest <
axis < overrides. Every name and setting is checked here, and all faults of the manifest are
reported together.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from pydantic import ValidationError

from zoo.catalog import (
    Card,
    Catalog,
    DataCard,
    ModelCard,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.cards import FROM_CARD, Batch
from zoo.catalog.strict_yaml import KeyPath
from zoo.manifest import grpo as trl
from zoo.manifest import identity
from zoo.manifest.load import Manifest
from zoo.manifest.names import Names, Resolver, Unpinned
from zoo.manifest.schedule import evaluations
from zoo.manifest.trial import Evaluation, Trial

CARD_AXES: dict[str, type[Card]] = {
    "model": ModelCard,
    "reward": RewardCard,
    "data": DataCard,
    "prompt": PromptCard,
    "recipe": RecipeCard,
}
Axes = dict[str, list[Any]]
Cell = dict[str, Any]


def expand(manifest: Manifest, catalog: Catalog, resolver: Resolver | None = None) -> list[Trial]:
    """All trials of a manifest, row-major over the axes, seeds innermost.

    Raises:
        InputError: unknown cards, settings or axes, contradictions; all at once, each placed.
    """
    return _Expansion(Names(manifest, catalog, resolver or Unpinned())).trials()


class _Expansion:
    """One expansion of one manifest."""

    def __init__(self, names: Names) -> None:
        self.names, self.experiment = names, names.manifest.experiment

    def trials(self) -> list[Trial]:
        axes = self._axes()
        self._check_settings()
        measured = evaluations(self.names, self.experiment)
        self.names.stop_at_faults()
        cells = self._cells(axes)
        self.names.stop_at_faults()
        seeds = self.experiment.seeds
        found = [self._trial(cell, seed, measured) for cell in cells for seed in seeds]
        self.names.stop_at_faults()
        return [trial for trial in found if trial is not None]

    # -- axes and settings ------------------------------------------------------------------------

    def _axes(self) -> Axes:
        """Axis -> its values; cards by name, also those that were given in place."""
        grid, names = self.experiment.grid, self.names
        axes: Axes = {
            "model": [names.model(ref, ("grid", "model", i)) for i, ref in enumerate(grid.model)],
            "reward": grid.reward,
            "data": [
                names.problems(DataCard, ref, ("grid", "data", i))
                for i, ref in enumerate(grid.data)
            ],
        }
        axes |= {axis: found for axis in ("prompt", "recipe") if (found := getattr(grid, axis))}
        for axis in [axis for axis in axes if axis not in ("model", "data")]:
            for i, name in enumerate(axes[axis]):
                names.card(CARD_AXES[axis], name, ("grid", axis, i))
        for axis, values in grid.settings.items():
            axes[axis] = [self._setting(axis, v, ("grid", axis, i)) for i, v in enumerate(values)]
        for axis, values in axes.items():
            if any(isinstance(value, (dict, list)) for value in values):
                found = f"axis '{axis}' has a value that is a list or a mapping"
                hint = "an axis names plain values; `overrides` can set others"
                names.fault(("grid", axis), found, hint=hint)
            if len({str(v) for v in values}) != len(values):
                names.fault(("grid", axis), f"axis '{axis}' names a value twice")
        return axes

    def _setting(self, axis: str, value: Any, path: KeyPath) -> Any:
        """Check a dotted setting (`grpo.beta`, `batch.prompts`); returns it as TRL holds it."""
        part, _, name = axis.partition(".")
        batch = list(Batch.model_fields)
        if part == "grpo" and name:
            value, wrong, hint = trl.check(name, value)
            if wrong:
                self.names.fault(path, wrong, hint=hint, key="unknown" in wrong)
        elif part == "batch" and name:
            if name not in batch:
                self.names.unknown(path, f"unknown key '{axis}'", name, batch, key=True)
            elif not isinstance(value, int) or isinstance(value, bool) or value < 1:
                self.names.fault(path, f"{axis} is {value!r}", "a whole number from 1")
        else:
            known = [*CARD_AXES, *(f"batch.{n}" for n in batch)]
            near = [*known, *(f"grpo.{n}" for n in trl.fields())]
            found = f"unknown axis '{axis}'"
            self.names.unknown(path[:2], found, axis, near if "." in axis else known, key=True)
        return value

    def _check_settings(self) -> None:
        experiment = self.experiment
        self.names.card(RecipeCard, experiment.recipe, ("recipe",))
        for name, value in experiment.grpo.items():
            self._setting(f"grpo.{name}", value, ("grpo", name))
        for name, value in experiment.batch.items():
            self._setting(f"batch.{name}", value, ("batch", name))
        for i, override in enumerate(experiment.overrides):
            for axis, value in override.set.items():
                path = ("overrides", i, "set", axis)
                if axis == "prompt":
                    self.names.card(PromptCard, str(value), path)
                else:
                    self._setting(axis, value, path)

    # -- cells ------------------------------------------------------------------------------------

    def _cells(self, axes: Axes) -> list[Cell]:
        experiment = self.experiment
        cells = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
        for i, exclude in enumerate(experiment.exclude):
            match = exclude.__pydantic_extra__ or {}
            self._check_match(match, axes, ("exclude", i))
            left = [cell for cell in cells if not _matches(cell, match)]
            if len(left) == len(cells) and not self.names.faults:
                self.names.fault(("exclude", i), "this exclusion matches no cell")
            cells = left
        first = {axis: values[0] for axis, values in axes.items()}
        for i, extra in enumerate(experiment.include):
            whole = first | self._included(extra, axes, ("include", i))
            if whole not in cells:
                cells.append(whole)
        for i, override in enumerate(experiment.overrides):
            self._check_match(override.when, axes, ("overrides", i, "when"))
        return cells

    def _check_match(self, match: dict[str, Any], axes: Axes, path: KeyPath) -> None:
        for axis, wanted in match.items():
            if axis not in axes:
                self.names.unknown((*path, axis), f"no axis '{axis}'", axis, list(axes), key=True)
                continue
            for value in wanted if isinstance(wanted, list) else [wanted]:
                if value not in axes[axis] and not self.experiment.include:
                    known = [str(v) for v in axes[axis]]
                    found = f"axis '{axis}' has no value '{value}'"
                    self.names.unknown((*path, axis), found, str(value), known, key=False)

    def _included(self, extra: Cell, axes: Axes, path: KeyPath) -> Cell:
        """The axis values of an included cell, checked."""
        cell: Cell = {}
        for axis, value in extra.items():
            cell[axis] = value
            if axis not in axes:
                self.names.unknown((*path, axis), f"no axis '{axis}'", axis, list(axes), key=True)
            elif axis == "model":
                cell[axis] = self.names.model(str(value), (*path, axis))
            elif axis in CARD_AXES:
                self.names.card(CARD_AXES[axis], str(value), (*path, axis))
            else:
                cell[axis] = self._setting(axis, value, (*path, axis))
        return cell

    # -- trials -----------------------------------------------------------------------------------

    def _changes(self, cell: Cell) -> dict[str, Any]:
        """What manifest, axes and overrides change about recipe and prompt, later ones winning."""
        experiment = self.experiment
        changes: dict[str, Any] = {f"grpo.{k}": v for k, v in experiment.grpo.items()}
        changes |= {f"batch.{k}": v for k, v in experiment.batch.items()}
        changes |= {axis: v for axis, v in cell.items() if axis not in CARD_AXES}
        changes |= {"prompt": cell["prompt"]} if "prompt" in cell else {}
        for override in experiment.overrides:
            if _matches(cell, override.when):
                changes |= override.set
        return changes

    def _trial(self, cell: Cell, seed: int, measured: tuple[Evaluation, ...]) -> Trial | None:
        names, experiment = self.names, self.experiment
        model, data = names.known(ModelCard, cell["model"]), names.known(DataCard, cell["data"])
        reward = names.known(RewardCard, cell["reward"])
        recipe = names.known(RecipeCard, cell.get("recipe", experiment.recipe))
        changes = self._changes(cell)
        prompt = names.known(PromptCard, changes.pop("prompt", model.prompt))
        settings = {f"grpo.{k}": v for k, v in recipe.grpo.items()}
        settings |= {f"batch.{k}": v for k, v in recipe.batch.model_dump().items()} | changes
        batch = self._batch({k[6:]: v for k, v in settings.items() if k.startswith("batch.")})
        if batch is None:
            return None
        from_card = {"beta": model.beta, "max_completion_length": model.cap}
        grpo = {
            name: from_card[name] if value == FROM_CARD else trl.check(name, value)[0]
            for key, value in settings.items()
            if (name := key.removeprefix("grpo.")) != key
        }
        resolved: dict[str, Any] = {
            "trainer": experiment.trainer,
            "seed": seed,
            "rounds": experiment.rounds,
            "grpo": grpo,
            "batch": batch,
            "model": model,
            "model_digest": names.digest(model),
            "data_digest": names.digest(data),
            "reward": reward,
            "prompt": prompt,
        }
        payload = identity.train_payload(**resolved)
        return Trial(
            id=identity.train_id(f"{model.name}.{reward.name}.{data.name}.s{seed}", payload),
            identity=payload,
            cell=cell,
            recipe=recipe.name,
            data=data,
            evaluations=measured,
            final=experiment.final,
            **resolved,
        )

    def _batch(self, values: dict[str, int]) -> Batch | None:
        """The batch of a cell, or None and a fault where its numbers do not fit each other."""
        try:
            return Batch(**values)
        except ValidationError as error:
            for item in error.errors():
                self.names.fault(("batch",), item["msg"].removeprefix("Value error, "))
            return None


def _matches(cell: Cell, match: dict[str, Any]) -> bool:
    return all(
        cell.get(axis) in (wanted if isinstance(wanted, list) else [wanted])
        for axis, wanted in match.items()
    )
