"""A manifest and the catalog make trials: product, less exclusions, plus inclusions, times seeds.

Order of values, later wins: recipe < card (only where the recipe says `from-card`) < manifest <
axis < overrides. Every name and setting is checked here, and all faults of the manifest are
reported together.
"""

from __future__ import annotations

from itertools import product
from typing import Any, TypeVar

from pydantic import ValidationError

from zoo.catalog import (
    BenchmarkCard,
    Card,
    Catalog,
    DataCard,
    LocalSource,
    ModelCard,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.cards import FROM_CARD, Batch
from zoo.errors import Fault, InputError, did_you_mean
from zoo.manifest import grpo as trl
from zoo.manifest import identity, settings
from zoo.manifest.load import Manifest
from zoo.manifest.resolver import Resolver, Unpinned
from zoo.manifest.schedule import schedule_points
from zoo.manifest.schema import InlineModel, Schedule
from zoo.manifest.trial import Evaluation, Trial

Cell = dict[str, Any]
C = TypeVar("C", bound=Card)


def expand(manifest: Manifest, catalog: Catalog, resolver: Resolver | None = None) -> list[Trial]:
    """All trials of a manifest, row-major over the axes, seeds innermost.

    Raises:
        InputError: unknown cards, settings or axes, contradictions; all at once, each with its
        place.
    """
    return _Expansion(manifest, catalog, resolver or Unpinned()).trials()


class _Expansion:
    """One expansion: collects faults and remembers the cards that it has read."""

    def __init__(self, manifest: Manifest, catalog: Catalog, resolver: Resolver) -> None:
        self.manifest, self.catalog, self.resolver = manifest, catalog, resolver
        self.experiment = manifest.experiment
        self.faults: list[Fault] = []
        self.cards: dict[tuple[type[Card], str], Card] = {}
        self.digests: dict[tuple[str, str], str] = {}

    def trials(self) -> list[Trial]:
        axes = self._axes()
        self._check_settings()
        evaluations = self._evaluations()
        self._stop_at_faults()
        cells = self._cells(axes)
        self._stop_at_faults()
        found = [
            self._trial(cell, seed, evaluations) for cell in cells for seed in self.experiment.seeds
        ]
        self._stop_at_faults()
        return [trial for trial in found if trial is not None]

    def _stop_at_faults(self) -> None:
        if self.faults:
            raise InputError(list(dict.fromkeys(self.faults)))

    # -- cards and axes ---------------------------------------------------------------------------

    def _card(self, kind: type[C], name: str, path: tuple[str | int, ...]) -> C | None:
        """The named card, or None and a fault at `path`."""
        if (kind, name) not in self.cards:
            try:
                self.cards[kind, name] = self.catalog.get(kind, name)
            except InputError as error:
                fault = error.faults[0]
                self.faults.append(
                    self.manifest.fault(path, fault.found, fault.expected, fault.hint)
                )
                return None
        return self.cards[kind, name]  # type: ignore[return-value]

    def _axes(self) -> dict[str, list[Any]]:
        """Axis -> its values by name; cards given in place are made and remembered under their
        names."""
        grid = self.experiment.grid
        axes: dict[str, list[Any]] = {
            "model": [self._model(ref, i) for i, ref in enumerate(grid.model)],
            "reward": grid.reward,
            "data": [
                self._problems(DataCard, ref, ("grid", "data", i))
                for i, ref in enumerate(grid.data)
            ],
        }
        for kind, axis in ((PromptCard, "prompt"), (RecipeCard, "recipe")):
            if values := getattr(grid, axis):
                axes[axis] = values
                for i, name in enumerate(values):
                    self._card(kind, name, ("grid", axis, i))
        for i, name in enumerate(grid.reward):
            self._card(RewardCard, name, ("grid", "reward", i))
        for axis, values in grid.settings.items():
            axes[axis] = [self._setting(axis, v, ("grid", axis, i)) for i, v in enumerate(values)]
        for axis, values in axes.items():
            if any(isinstance(value, (dict, list)) for value in values):
                found = f"axis '{axis}' has a value that is a list or a mapping"
                hint = "an axis names plain values; `overrides` can set others"
                self.faults.append(self.manifest.fault(("grid", axis), found, hint=hint))
            if len({str(v) for v in values}) != len(values):
                self.faults.append(
                    self.manifest.fault(("grid", axis), f"axis '{axis}' names a value twice")
                )
        return axes

    def _model(self, ref: str | InlineModel, index: int) -> str:
        where = ("grid", "model", index)
        if isinstance(ref, str):
            card = self._card(ModelCard, ref, where)
            if card is not None:
                self._card(PromptCard, card.prompt, where)
            return ref
        name = ref.name or identity.slug(ref.path)
        self._card(PromptCard, ref.prompt, (*where, "prompt"))
        folder = self.manifest.find(ref.path)
        if folder is None or not (folder / "config.json").is_file():
            found = f"no model folder at '{ref.path}'"
            expected = "a Hugging Face folder (config.json, safetensors, tokenizer)"
            self.faults.append(self.manifest.fault((*where, "path"), found, expected))
        elif self._new_name(ModelCard, name, where):
            said = {"prompt": ref.prompt, "stop_ids": ref.stop_ids, "cap": ref.cap}
            self.cards[ModelCard, name] = ModelCard.model_validate(
                {"schema": "model/1", "name": name, "path": str(folder), **said}
            )
        return name

    def _problems(self, kind: type[C], ref: Any, where: tuple[str | int, ...]) -> str:
        if isinstance(ref, str):
            self._card(kind, ref, where)
            return ref
        name = ref.name or identity.slug(ref.path)
        file = self.manifest.find(ref.path)
        if file is None or not file.is_file():
            found = f"no file at '{ref.path}'"
            self.faults.append(
                self.manifest.fault((*where, "path"), found, "a jsonl or parquet file")
            )
        elif self._new_name(kind, name, where):
            form = "data/1" if kind is DataCard else "benchmark/1"
            source = LocalSource(path=str(file), columns=ref.columns, gold=ref.gold)
            extra = {"extract": ref.extract} if kind is BenchmarkCard else {}
            self.cards[kind, name] = kind.model_validate(
                {"schema": form, "name": name, "local": source, **extra}
            )
        return name

    def _new_name(self, kind: type[Card], name: str, where: tuple[str | int, ...]) -> bool:
        taken = name in self.catalog.names(kind) or (kind, name) in self.cards
        if taken:
            self.faults.append(
                self.manifest.fault(
                    where, f"the name '{name}' is taken", hint="give it another with `name:`"
                )
            )
        return not taken

    # -- settings ---------------------------------------------------------------------------------

    def _setting(self, axis: str, value: Any, where: tuple[str | int, ...]) -> Any:
        """Check a dotted setting (`grpo.beta`); returns its value as TRL would hold it."""
        checked = settings.check(axis, value)
        if checked.found:
            place = where[:2] if checked.unknown_axis else where
            self.faults.append(
                self.manifest.fault(
                    place, checked.found, checked.expected, checked.hint, key=checked.at_key
                )
            )
        return checked.value

    def _check_settings(self) -> None:
        experiment = self.experiment
        self._card(RecipeCard, experiment.recipe, ("recipe",))
        for name, value in experiment.grpo.items():
            self._setting(f"grpo.{name}", value, ("grpo", name))
        for name, value in experiment.batch.items():
            self._setting(f"batch.{name}", value, ("batch", name))
        for i, override in enumerate(experiment.overrides):
            for axis, value in override.set.items():
                if axis == "prompt":
                    self._card(PromptCard, str(value), ("overrides", i, "set", axis))
                else:
                    self._setting(axis, value, ("overrides", i, "set", axis))

    # -- cells ------------------------------------------------------------------------------------

    def _cells(self, axes: dict[str, list[Any]]) -> list[Cell]:
        experiment = self.experiment
        cells = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
        for i, exclude in enumerate(experiment.exclude):
            match = exclude.__pydantic_extra__ or {}
            self._check_match(match, axes, ("exclude", i))
            left = [cell for cell in cells if not _matches(cell, match)]
            if len(left) == len(cells) and not self.faults:
                self.faults.append(
                    self.manifest.fault(("exclude", i), "this exclusion matches no cell")
                )
            cells = left
        first = {axis: values[0] for axis, values in axes.items()}
        for i, cell in enumerate(experiment.include):
            self._check_included(cell, axes, ("include", i))
            if (whole := first | cell) not in cells:
                cells.append(whole)
        for i, override in enumerate(experiment.overrides):
            self._check_match(override.when, axes, ("overrides", i, "when"))
        return cells

    def _check_match(
        self, match: dict[str, Any], axes: dict[str, list[Any]], where: tuple[str | int, ...]
    ) -> None:
        for axis, wanted in match.items():
            if axis not in axes:
                hint = did_you_mean(axis, list(axes)) or f"axes here: {', '.join(axes)}"
                self.faults.append(
                    self.manifest.fault((*where, axis), f"no axis '{axis}'", hint=hint, key=True)
                )
                continue
            for value in wanted if isinstance(wanted, list) else [wanted]:
                if value not in axes[axis] and not self.experiment.include:
                    known = [str(v) for v in axes[axis]]
                    hint = did_you_mean(str(value), known) or f"values here: {', '.join(known)}"
                    self.faults.append(
                        self.manifest.fault(
                            (*where, axis), f"axis '{axis}' has no value '{value}'", hint=hint
                        )
                    )

    def _check_included(
        self, cell: Cell, axes: dict[str, list[Any]], where: tuple[str | int, ...]
    ) -> None:
        kinds = {
            "model": ModelCard,
            "reward": RewardCard,
            "data": DataCard,
            "prompt": PromptCard,
            "recipe": RecipeCard,
        }
        for axis, value in cell.items():
            if axis not in axes:
                hint = did_you_mean(axis, list(axes)) or f"axes here: {', '.join(axes)}"
                self.faults.append(
                    self.manifest.fault((*where, axis), f"no axis '{axis}'", hint=hint, key=True)
                )
            elif axis in kinds:
                self._card(kinds[axis], str(value), (*where, axis))
            else:
                cell[axis] = self._setting(axis, value, (*where, axis))

    # -- trials -----------------------------------------------------------------------------------

    def _resolved(
        self, cell: Cell
    ) -> tuple[RecipeCard, str | None, dict[str, Any], dict[str, int]]:
        """Recipe, prompt name (None = the model's), GRPO settings and batch of a cell, by order of
        precedence."""
        experiment = self.experiment
        recipe: RecipeCard = self.cards[RecipeCard, cell.get("recipe", experiment.recipe)]  # type: ignore[assignment]
        changes: dict[str, Any] = {f"grpo.{k}": v for k, v in experiment.grpo.items()}
        changes |= {f"batch.{k}": v for k, v in experiment.batch.items()}
        changes |= {axis: value for axis, value in cell.items() if axis not in settings.CARD_AXES}
        prompt = cell.get("prompt")
        for override in experiment.overrides:
            if _matches(cell, override.when):
                changes |= {k: v for k, v in override.set.items() if k != "prompt"}
                prompt = override.set.get("prompt", prompt)
        grpo = {k: trl.check(k, v)[0] for k, v in recipe.grpo.items()}
        batch = recipe.batch.model_dump()
        for key, value in changes.items():
            part, _, name = key.partition(".")
            (grpo if part == "grpo" else batch)[name] = (
                trl.check(name, value)[0] if part == "grpo" else value
            )
        return recipe, prompt, grpo, batch

    def _trial(self, cell: Cell, seed: int, evaluations: tuple[Evaluation, ...]) -> Trial | None:
        model: ModelCard = self.cards[ModelCard, cell["model"]]  # type: ignore[assignment]
        data: DataCard = self.cards[DataCard, cell["data"]]  # type: ignore[assignment]
        reward: RewardCard = self.cards[RewardCard, cell["reward"]]  # type: ignore[assignment]
        recipe, prompt_name, grpo, batch_values = self._resolved(cell)
        prompt: PromptCard = self.cards[PromptCard, prompt_name or model.prompt]  # type: ignore[assignment]
        from_card = {"beta": model.beta, "max_completion_length": model.cap}
        grpo = {k: from_card[k] if v == FROM_CARD else v for k, v in grpo.items()}
        try:
            batch = Batch(**batch_values)
        except ValidationError as error:
            for item in error.errors():
                text = item["msg"].removeprefix("Value error, ")
                self.faults.append(self.manifest.fault(("batch",), text))
            return None
        payload = identity.train_payload(
            trainer=self.experiment.trainer,
            seed=seed,
            rounds=self.experiment.rounds,
            grpo=grpo,
            batch=batch,
            model=model,
            model_digest=self._digest("model", model),
            data_digest=self._digest("problems", data),
            reward=reward,
            prompt=prompt,
        )
        return Trial(
            id=identity.train_id(f"{model.name}.{reward.name}.{data.name}.s{seed}", payload),
            identity=payload,
            cell=cell,
            seed=seed,
            rounds=self.experiment.rounds,
            trainer=self.experiment.trainer,
            recipe=recipe.name,
            model=model,
            model_digest=self._digest("model", model),
            data=data,
            data_digest=self._digest("problems", data),
            reward=reward,
            prompt=prompt,
            grpo=grpo,
            batch=batch,
            evaluations=evaluations,
            final=self.experiment.final,
        )

    def _digest(self, what: str, card: ModelCard | DataCard | BenchmarkCard) -> str:
        key = (type(card).__name__, card.name)
        if key not in self.digests:
            self.digests[key] = getattr(self.resolver, what)(card)
        return self.digests[key]

    # -- evaluation -------------------------------------------------------------------------------

    def _evaluations(self) -> tuple[Evaluation, ...]:
        """What is measured when; one entry a benchmark, subset and decoding, its rounds merged over
        schedules."""
        plan = self.experiment.evaluate
        watch_points = schedule_points(plan.watch, self.experiment.rounds, ()) if plan.watch else ()
        merged: dict[tuple[str, int | None, str], set[int]] = {}
        for name in ("watch", "full"):
            schedule: Schedule | None = getattr(plan, name)
            if schedule is None:
                continue
            for i, decoding in enumerate(schedule.decodings or []):
                if decoding not in plan.decoding:
                    known = list(plan.decoding)
                    hint = did_you_mean(decoding, known) or f"there are: {', '.join(known)}"
                    where = ("evaluate", name, "decodings", i)
                    self.faults.append(
                        self.manifest.fault(where, f"unknown decoding '{decoding}'", hint=hint)
                    )
            points = schedule_points(schedule, self.experiment.rounds, watch_points)
            for i, ref in enumerate(schedule.benchmarks):
                where = ("evaluate", name, "benchmarks", i)
                benchmark = ref if isinstance(ref, str) else ref.name or identity.slug(ref.path)
                if (BenchmarkCard, benchmark) not in self.cards or isinstance(ref, str):
                    self._problems(BenchmarkCard, ref, where)
                for decoding in schedule.decodings or plan.decoding:
                    merged.setdefault((benchmark, schedule.problems, decoding), set()).update(
                        points
                    )
        if self.faults:
            return ()
        return tuple(
            Evaluation(
                benchmark=(card := self.cards[BenchmarkCard, benchmark]),  # type: ignore[arg-type]
                digest=self._digest("problems", card),  # type: ignore[arg-type]
                problems=problems,
                decoding_name=decoding,
                decoding=plan.decoding[decoding],
                rounds=tuple(sorted(rounds)),
            )
            for (benchmark, problems, decoding), rounds in merged.items()
        )


def _matches(cell: Cell, match: dict[str, Any]) -> bool:
    return all(
        cell.get(axis) in (wanted if isinstance(wanted, list) else [wanted])
        for axis, wanted in match.items()
    )
