"""The settings of a cell: layers of values, later ones winning, each with where it came from.

TRL's defaults < recipe < model card (only where the recipe has `from-card`) < manifest < axis <
overrides < `--set`. A cell is resolved from plain dictionaries and cached by what it changes,
so ten thousand trials cost little; origins are only computed on request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from zoo.catalog import Batch, ModelCard, Peft, PromptCard, RecipeCard
from zoo.catalog.cards import FROM_CARD, EntropyMean
from zoo.errors import told
from zoo.trials import identity
from zoo.trials.card_lookup import Names
from zoo.trials.grid import CARD_AXES, Cell, axis_places, matches, setting
from zoo.trlspec import validation as trl
from zoo.yamlio.strict_yaml import KeyPath
from zoo.yamlio.validate import expected_of

FROM_MODEL = {
    "beta": "beta",
    "max_completion_length": "cap",
}  # setting -> field of the model's card
TRAINERS = ("trl", "simulated", "external")
NOT_SET = CARD_AXES.keys() - {"prompt"}  # axes that are no setting


RECIPE: KeyPath = ("recipe",)  # stands for what no other part of the manifest says


class Layer(NamedTuple):
    """Values by dotted name, their positions, and the label of their origin."""

    origin: str
    at: dict[str, KeyPath]
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a cell trains with. `texts` are the canonical texts of grpo and batch, for ids."""

    grpo: dict[str, Any]
    batch: Batch
    texts: dict[str, str]
    entropy_mean: EntropyMean = "update"
    peft: Peft | None = None
    """LoRA; None = all weights are trained."""


class Settings:
    """Resolves cells of one manifest."""

    def __init__(self, names: Names) -> None:
        self.names, self.experiment = names, names.manifest.experiment
        self._seen: dict[tuple[str, str, str], Resolved | None] = {}
        self._axes = dict(axis_places(names.manifest))
        self._recipes: dict[str, dict[str, Any]] = {}

    def check(self) -> None:
        """Check the settings in the manifest itself; faults are added to the names."""
        experiment, names, last = self.experiment, self.names, self.names.manifest.last
        if (recipe := names.card(RecipeCard, experiment.recipe, RECIPE)) is not None:
            self._base(recipe)
        for name, value in experiment.grpo.items():
            setting(names, f"grpo.{name}", value, ("grpo", name))
        for part, said in (("batch", experiment.batch), ("peft", experiment.peft)):
            for name, value in said.items():
                setting(names, f"{part}.{name}", value, (part, name))
        axes = self._axes
        for i, override in enumerate(experiment.overrides):
            for name, value in override.set.items():
                at = ("overrides", i, "set", name)
                if name in axes and name not in NOT_SET:
                    hint = "its values are the axis's; set a cell's own by `zip` or `include`"
                    names.fault(at, f"{name} is an axis", "a setting", hint, key=True)
                self._check_one(name, value, at)
        for name, value in last.items():
            if name in axes:
                hint = f"narrow the axis: --set grid.{name}=..."
                names.fault(("--set", name), f"{name} is an axis", "a setting", hint)
            self._check_one(name, value, ("--set", name))

    def _check_one(self, name: str, value: Any, path: KeyPath) -> None:
        if name in ("prompt", "trainer") and not isinstance(value, str):
            self.names.fault(path, f"{name} is {told(value)}", "a name")
        elif name == "prompt":
            self.names.card(PromptCard, value, path)
        elif name == "trainer":
            if value not in TRAINERS:
                self.names.unknown(
                    path, f"unknown trainer '{value}'", value, [*TRAINERS], key=False
                )
        elif name in NOT_SET:
            found, hint = f"'{name}' cannot be set", "it is an axis: `grid`, `zip` or `include`"
            self.names.fault(path, found, hint=hint, key=True)
        else:
            setting(self.names, name, value, path, path)

    # -- layers -----------------------------------------------------------------------------------

    def recipe(self, cell: Cell) -> RecipeCard:
        """The cell's recipe."""
        return self.names.known(RecipeCard, cell.get("recipe", self.experiment.recipe))

    def changes(self, cell: Cell) -> dict[str, Any]:
        """What manifest, axes, overrides and command line change for a cell, by dotted name."""
        found: dict[str, Any] = {}
        for layer in self._changes(cell):
            found |= layer.values
        return found

    def layers(self, cell: Cell) -> list[Layer]:
        """All layers of a cell, the weakest first."""
        recipe, at = self.recipe(cell), RECIPE
        stated = {f"grpo.{k}": v for k, v in recipe.grpo.items()}
        stated |= {f"batch.{k}": v for k, v in recipe.batch.model_dump(exclude_none=True).items()}
        if recipe.peft.r:
            stated |= {f"peft.{k}": v for k, v in recipe.peft.model_dump().items()}
        defaults = {f"grpo.{k}": v for k, v in trl.defaults().items()}
        model = self.names.known(ModelCard, cell["model"])
        return [
            Layer(f"TRL {trl.version()}", dict.fromkeys(defaults, at), defaults),
            Layer(f"card {model.name}", {"prompt": at}, {"prompt": model.prompt}),
            Layer(f"recipe {recipe.name}", dict.fromkeys(stated, at), stated),
            *self._changes(cell),
        ]

    def _changes(self, cell: Cell) -> Iterator[Layer]:
        experiment, last = self.experiment, self.names.manifest.last
        said: dict[str, Any] = {f"grpo.{k}": v for k, v in experiment.grpo.items()}
        said |= {f"batch.{k}": v for k, v in experiment.batch.items()}
        said |= {f"peft.{k}": v for k, v in experiment.peft.items()}
        if said:
            yield Layer("manifest", {k: tuple(k.split(".", 1)) for k in said}, said)
        axes = {k: v for k, v in cell.items() if k not in CARD_AXES or k == "prompt"}
        if axes:
            yield Layer("axis", {k: self._axes[k] for k in axes}, axes)
        for i, override in enumerate(experiment.overrides):
            if matches(cell, override.when):
                at: dict[str, KeyPath] = {k: ("overrides", i, "set", k) for k in override.set}
                yield Layer(f"override {i + 1}", at, override.set)
        if last:
            yield Layer("--set", {k: ("--set", k) for k in last}, last)

    def place(self, cell: Cell, name: str) -> KeyPath | None:
        """The position of a cell's setting in the manifest or on the command line; None where only
        the recipe sets it."""
        places = [layer.at[name] for layer in self._changes(cell) if name in layer.at]
        return places[-1] if places else None

    # -- resolving --------------------------------------------------------------------------------

    def resolve(self, cell: Cell, model: ModelCard, changes: dict[str, Any]) -> Resolved | None:
        """GRPO settings and batch of a cell, or None and faults where its numbers do not fit each
        other. Cells that change the same things share one result."""
        recipe = self.recipe(cell)
        key = (recipe.name, model.name, repr(sorted(changes.items())))
        if key not in self._seen:
            self._seen[key] = self._resolve(cell, recipe, model, changes)
        return self._seen[key]

    def _resolve(
        self, cell: Cell, recipe: RecipeCard, model: ModelCard, changes: dict[str, Any]
    ) -> Resolved | None:
        grpo = dict(self._base(recipe))
        for name, value in changes.items():
            part, _, field = name.partition(".")
            if part == "grpo" and field:
                grpo[field] = trl.check(field, value).value
        for name, field in FROM_MODEL.items():
            if grpo.get(name) == FROM_CARD:
                grpo[name] = getattr(model, field)
        numbers = recipe.batch.model_dump() | {
            field: value
            for name, value in changes.items()
            if (field := name[6:]) and name[:6] == "batch."
        }
        try:
            batch = Batch(**numbers)
        except ValidationError as error:
            for item in error.errors():
                found = item["msg"].removeprefix("Value error, ")
                if not item["loc"]:
                    self._fault(cell, [f"batch.{field}" for field in _meant(found)], found)
                    continue
                name, expected = f"batch.{item['loc'][0]}", expected_of(item)
                self._fault(cell, [name], f"{name} is {told(item['input'])}", expected)
            return None
        said = {name[5:]: value for name, value in changes.items() if name[:5] == "peft."}
        peft = Peft.model_validate(recipe.peft.model_dump() | said)
        wrong = trl.check_together(grpo, batch, recipe.entropy_mean)
        if not peft.r and "peft.r" not in changes:
            idle = [name for name in changes if name[:5] == "peft."]
            wrong += [trl.Clash(n, f"{n} without a rank", "`peft.r` beside it", "") for n in idle]
        if peft.r and grpo["sync_ref_model"]:
            expected = "false with LoRA (`peft.r`), where the reference is the frozen model"
            found = "sync_ref_model is true"
            wrong.append(trl.Clash("grpo.sync_ref_model", found, expected, ""))
        for name, found, expected, hint in wrong:
            words = re.findall(r"\w+", f"{found} {expected}")
            self._fault(cell, [name, *(f"grpo.{word}" for word in words)], found, expected, hint)
        if wrong:
            return None
        texts = {
            "grpo": identity.canonical(grpo),
            "batch": identity.canonical(identity.batch_payload(batch)),
        }
        return Resolved(grpo, batch, texts, recipe.entropy_mean, peft if peft.r else None)

    def _base(self, recipe: RecipeCard) -> dict[str, Any]:
        """TRL's defaults under the recipe's settings, checked once a recipe."""
        if recipe.name not in self._recipes:
            found = dict(trl.defaults())
            for name, value in recipe.grpo.items():
                checked = trl.check(name, value)
                found[name] = checked.value
                if checked.found:
                    what, key = checked[1:4], checked.name_is_wrong
                    self._recipe_fault(recipe, f"grpo.{name}", *what, key=key)
            self._recipes[recipe.name] = found
        return self._recipes[recipe.name]

    def _fault(
        self, cell: Cell, said: list[str], found: str, expected: str = "", hint: str = ""
    ) -> None:
        """A fault at the strongest layer that sets one of these settings, which belong together."""
        layers = reversed(self.layers(cell))
        name, at = next(
            ((name, layer.at[name]) for layer in layers for name in said if name in layer.at),
            (said[0], RECIPE),
        )
        if at == RECIPE:
            self._recipe_fault(self.recipe(cell), name, found, expected, hint)
        else:
            self.names.fault(at, found, expected, hint)

    def _recipe_fault(self, recipe: RecipeCard, name: str, *what: str, key: bool = False) -> None:
        """A fault at a setting of a recipe's own file."""
        catalog = self.names.catalog
        if catalog.made(RecipeCard, recipe.name):
            self.names.fault(RECIPE, f"recipe '{recipe.name}': {what[0]}", *what[1:])
            return
        path = tuple(name.split(".", 1))
        document = catalog.document(RecipeCard, recipe.name)
        self.names.foreign(document.fault(path, *what, key=key))

    # -- for people -------------------------------------------------------------------------------

    def origins(self, cell: Cell, model: ModelCard) -> dict[str, str]:
        """Dotted name -> where its value came from, for `zoo show`."""
        document = self.names.manifest.document
        told: dict[str, str] = {}
        for layer in self.layers(cell):
            for name, value in layer.values.items():
                line = ""
                if layer.origin not in ("--set",) and layer.at[name] != RECIPE:
                    place = document.values.get(layer.at[name])
                    line = f", line {place[0]}" if place else ""
                told[name] = layer.origin + line
                if value == FROM_CARD:
                    told[name] = f"card {model.name} ({layer.origin} has from-card)"
        return told


def _meant(found: str) -> list[str]:
    """Fields of the batch that a fault of several is about, the likeliest first."""
    if "micro_batch" in found:
        return ["micro_batch", "num_generations", "prompts", "updates"]
    return ["prompts", "updates"]
