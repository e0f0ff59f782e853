"""The cells of a manifest: product of the grid and of paired axes, less exclusions, plus
inclusions.

A cell maps every axis to a plain value; cards are referenced by name. All axis names and values are
checked here, against the catalog and the snapshot of TRL's settings, and every fault has a
position.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import product
from math import prod
from typing import Any, cast

from pydantic import ValidationError

from zoo.catalog import (
    Batch,
    Card,
    DataCard,
    ModelCard,
    Peft,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.cards import MAX_COUNT
from zoo.errors import did_you_mean, plain, told
from zoo.json_text import as_mapping, one_or_more
from zoo.manifest.load import Manifest
from zoo.manifest.overrides import SETTING_PARTS
from zoo.manifest.schema import Axes, InlineData, InlineModel
from zoo.trials.card_lookup import Names
from zoo.trlspec import foreign
from zoo.trlspec import validation as trl
from zoo.yamlio.strict_yaml import KeyPath
from zoo.yamlio.validate import expected_of

CARD_AXES: dict[str, type[Card]] = {
    "model": ModelCard,
    "reward": RewardCard,
    "data": DataCard,
    "prompt": PromptCard,
    "recipe": RecipeCard,
}
NEEDED = ("model", "reward", "data")
Cell = dict[str, Any]
Factor = list[Cell]  # alternatives, each a piece of a cell


class Grid:
    """One manifest's axes and what became of them."""

    def __init__(self, names: Names) -> None:
        self.names, self.experiment = names, names.manifest.experiment
        self.axes: dict[str, list[Any]] = {}
        self.included: dict[str, list[Any]] = {}
        """Axis -> values of `include`."""
        self.doubtful: set[str] = set()
        """Axes with a value that is wrong in itself."""

    def cells(self) -> list[Cell]:
        """All cells, row-major over the axes in the order model, reward, data, prompt, recipe,
        others. Faults go to `names`; with any, there are none."""
        experiment, names = self.experiment, self.names
        factors = self._factors()
        self._check_needed()
        for i, exclude in enumerate(experiment.exclude):
            self._check_match(exclude.match, ("exclude", i))
            if not exclude.match:
                names.fault(("exclude", i), "this exclusion names no axis", "`AXIS: VALUE`")
        extras = [self._included(e.cell, ("include", i)) for i, e in enumerate(experiment.include)]
        for i, override in enumerate(experiment.overrides):
            self._check_match(override.when, ("overrides", i, "when"))
        for i, tripwire in enumerate(experiment.tripwires):
            self._check_match(tripwire.when, ("tripwires", i, "when"))
        self._guard(prod(map(len, factors)) // 20)
        if names.wrong or not names.manifest.runs_whole:
            return []
        axes = [axis for axis in dict.fromkeys([*CARD_AXES, *self.axes]) if axis in self.axes]
        found: list[Cell] = []
        for pieces in product(*factors):
            whole: Cell = {}
            for piece in pieces:
                whole |= piece
            found.append({axis: whole[axis] for axis in axes})
        found = self._with_extras(self._excluded(found), axes, extras)
        self._check_used(found)
        self._guard(len(found))
        return found

    def _with_extras(self, found: list[Cell], axes: list[str], extras: list[Cell]) -> list[Cell]:
        """The cells and, after them, those of `include`."""
        first = found[0] if found else {axis: values[0] for axis, values in self.axes.items()}
        for i, extra in enumerate(extras):
            whole = {axis: first[axis] for axis in axes} | extra
            if whole in found:
                self.names.fault(("include", i), "this cell is there already", "another cell")
            else:
                found.append(whole)
        return found

    def _check_used(self, found: list[Cell]) -> None:
        """Overrides and tripwires must have a cell that runs."""
        experiment, names = self.experiment, self.names
        for i, override in enumerate(experiment.overrides):
            if not any(matches(cell, override.when) for cell in found):
                names.fault(("overrides", i, "when"), "this override matches no cell")
        for i, wire in enumerate(experiment.tripwires):
            if not any(matches(cell, wire.when) for cell in found):
                names.fault(("tripwires", i, "when"), "this tripwire matches no cell")

    def _guard(self, cells: int) -> None:
        limit, trials = self.experiment.max_trials, cells * len(self.names.manifest.seeds)
        if trials > limit:
            found = f"{trials:,} trials" if cells < 10**6 else "millions of trials"
            hint = "raise `max_trials` if this is meant"
            self.names.fault(("grid",), found, f"at most {limit:,}, as max_trials", hint)

    # -- axes -------------------------------------------------------------------------------------

    def _factors(self) -> list[Factor]:
        """One factor an axis of the grid, and one a group of paired axes."""
        factors: list[tuple[str, Factor]] = []
        for axis, values in self._read(self.experiment.grid, ("grid",)).items():
            factors.append((axis, [{axis: value} for value in values]))
        for path, group in zips(self.names.manifest):
            paired = self._read(group, path)
            sizes = {axis: len(values) for axis, values in paired.items()}
            if len(set(sizes.values())) > 1:
                lengths = ", ".join(f"{axis} has {n}" for axis, n in sizes.items())
                expected = "one value of each axis for every pairing"
                self.names.fault(path, f"axes of different lengths ({lengths})", expected)
            elif paired:
                factors.append((next(iter(paired)), self._pairs(paired, path)))
            elif not group.values:
                self.names.fault(path, "a pairing without axes", "`AXIS: [VALUES]`, two or more")
        order = [*CARD_AXES, *(axis for axis, _ in factors)]
        return [factor for _, factor in sorted(factors, key=lambda f: order.index(f[0]))]

    def _pairs(self, paired: dict[str, list[Any]], path: KeyPath) -> Factor:
        """The pairings of a group, each once."""
        pairs = [dict(zip(paired, p, strict=True)) for p in zip(*paired.values(), strict=True)]
        for i, pair in enumerate(pairs):
            if pair in pairs[:i]:
                said = ", ".join(f"{axis} {told(value)}" for axis, value in pair.items())
                at = (*path, next(iter(paired)), i)
                self.names.fault(at, f"this pairing twice ({said})", "every pairing once")
        return pairs

    def _read(self, group: Axes, path: KeyPath) -> dict[str, list[Any]]:
        """Axis -> checked values, cards by name, including inline ones."""
        found: dict[str, list[Any]] = {}
        for axis, values in group.values.items():
            at = (*path, axis)
            if axis in self.axes:
                self.names.fault(at, f"axis '{axis}' again", "every axis once", key=True)
                continue
            before = self.names.wrong
            found[axis] = [self.value(axis, v, (*at, i), at) for i, v in enumerate(values)]
            self.axes[axis] = list(dict.fromkeys(map(_hashable, found[axis])))
            nested = any(isinstance(value, (dict, list)) for value in values)
            if not values:
                self.names.fault(at, f"axis '{axis}' has no value", "one or more")
            if nested and axis not in (*NEEDED, "grpo", "batch"):
                wrong = f"axis '{axis}' has a value that is a list or a mapping"
                self.names.fault(at, wrong, hint="an axis names plain values; see `overrides`")
            elif path[0] == "grid" and len(self.axes[axis]) != len(values):
                self.names.fault(at, f"axis '{axis}' names a value twice")
            if self.names.wrong > before:
                self.doubtful.add(axis)
        return found

    def value(self, axis: str, value: Any, path: KeyPath, axis_path: KeyPath) -> Any:
        """One value of an axis, checked: the name of a card, or a setting as TRL stores it."""
        if axis not in CARD_AXES:
            return setting(self.names, axis, value, path, axis_path)
        if axis == "model" and isinstance(value, (str, InlineModel)):
            return self.names.model(value, path)
        if axis == "data" and isinstance(value, (str, InlineData)):
            return self.names.problems(DataCard, value, path)
        if isinstance(value, str):
            self.names.card(CARD_AXES[axis], value, path)
        else:
            self.names.fault(path, f"{axis} is {told(value)}", "a name")
        return value

    def _check_needed(self) -> None:
        external = self.experiment.trainer == "external"
        missing = [axis for axis in NEEDED if axis not in self.axes]
        if external and "model" in self.axes:
            return  # a checkpoint's card says by which reward and on what it was trained
        for axis in missing:
            expected = f"`{axis}: [...]` in grid or zip"
            self.names.fault(("grid",), f"no axis '{axis}'", expected)

    def known_axes(self) -> dict[str, list[Any]] | None:
        """Axis -> its values, where cells could not be built; None where the axes themselves are
        invalid."""
        holes = {hole[:1] for hole in self.names.manifest.holes}
        missing = any(axis not in self.axes for axis in NEEDED)
        names = self.doubtful - CARD_AXES.keys()
        if missing or names or holes & {("grid",), ("zip",), ("include",)}:
            return None
        return {axis: values + self.included.get(axis, []) for axis, values in self.axes.items()}

    # -- cells ------------------------------------------------------------------------------------

    def _excluded(self, found: list[Cell]) -> list[Cell]:
        for i, exclude in enumerate(self.experiment.exclude):
            left = [cell for cell in found if not matches(cell, exclude.match)]
            if len(left) == len(found):
                self.names.fault(("exclude", i), "this exclusion matches no cell")
            elif not left and not self.experiment.include:
                self.names.fault(("exclude", i), "no cell is left", "at least one")
                return found
            found = left
        return found

    def _check_match(self, match: dict[str, Any], path: KeyPath) -> None:
        more = {axis for include in self.experiment.include for axis in include.cell}
        for axis, wanted in match.items():
            if axis not in self.axes:
                known = list(self.axes)
                self.names.unknown((*path, axis), f"no axis '{axis}'", axis, known, key=True)
                continue
            for value in one_or_more(wanted):
                if axis in more or any(_fits(have, value) for have in self.axes[axis]):
                    continue
                known = [plain(v) for v in self.axes[axis]]
                found = f"axis '{axis}' has no value {told(value)}"
                self.names.unknown((*path, axis), found, plain(value), known, key=False)

    def _included(self, extra: Cell, path: KeyPath) -> Cell:
        """The axis values of an included cell, checked."""
        cell: Cell = {}
        if not extra:
            self.names.fault(path, "this cell names no axis", "`AXIS: VALUE`")
        for axis, value in extra.items():
            at, before = (*path, axis), self.names.wrong
            if axis not in self.axes:
                known = list(self.axes)
                self.names.unknown(at, f"no axis '{axis}'", axis, known, key=True)
                continue
            if isinstance(value, (dict, list)):
                self.names.fault(at, f"{axis} is {told(value)}", "one plain value")
            else:
                cell[axis] = self.value(axis, value, at, at)
                self.included.setdefault(axis, []).append(cell[axis])
            if self.names.wrong > before:
                self.doubtful.add(axis)
        return cell


def zips(manifest: Manifest) -> Iterator[tuple[KeyPath, Axes]]:
    """Paired axes with their positions: `zip` may be one mapping or a list of them."""
    data = as_mapping(manifest.document.data) or {}
    one = as_mapping(data.get("zip")) is not None
    for i, group in enumerate(manifest.experiment.zip):
        yield ("zip",) if one else ("zip", i), group


def axis_places(manifest: Manifest) -> Iterator[tuple[str, KeyPath]]:
    """Every axis with its position."""
    for path, group in ((("grid",), manifest.experiment.grid), *zips(manifest)):
        for axis in group.values:
            yield axis, (*path, axis)


def setting(
    names: Names, name: str, value: Any, path: KeyPath, axis_path: KeyPath | None = None
) -> Any:
    """Check a dotted setting (`grpo.beta`, `batch.prompts`); returns it as TRL stores it."""
    part, _, field = name.partition(".")
    batch = list(Batch.model_fields)
    if part == "grpo" and field:
        checked = trl.check(field, value)
        if checked.found:
            wrong_name = checked.name_is_wrong
            at = axis_path if wrong_name and axis_path else path
            names.fault(at, checked.found, checked.expected, checked.hint, key=wrong_name)
        value = checked.value
    elif part == "batch" and field:
        if field not in batch:
            hint = foreign.answer(name) or did_you_mean(field, batch)
            hint = hint or f"available: {', '.join(batch)}"
            names.fault(axis_path or path, f"unknown key '{name}'", hint=hint, key=True)
        elif value is None and field == "micro_batch":
            return None
        elif type(value) is not int or not 1 <= value <= MAX_COUNT:
            expected = f"a whole number from 1 to {MAX_COUNT:,}"
            names.fault(path, f"{name} is {told(value)}", expected)
    elif part == "peft" and field:
        return _peft(names, name, value, path, axis_path)
    elif name in SETTING_PARTS:
        key, inner = next(iter((as_mapping(value) or {}).items()), ("", ""))
        example = f"{name}.{key}: {told(inner)}" if key else f"{name}.SETTING: VALUE"
        found, hint = f"'{name}' alone is no setting", f"write `{example}`"
        names.fault(axis_path or path, found, hint=hint, key=True)
    else:
        known = [*CARD_AXES, *(f"batch.{n}" for n in batch)]
        known += [f"peft.{n}" for n in Peft.model_fields]
        near = [*known, *(f"grpo.{n}" for n in trl.defaults())]
        found = f"unknown axis '{name}'"
        hint = foreign.answer(name) or did_you_mean(name, near if "." in name else known)
        hint = hint or f"available: {', '.join(known)}, and grpo.NAME for a setting of TRL's"
        names.fault(axis_path or path, found, hint=hint, key=True)
    return value


def _peft(names: Names, name: str, value: Any, path: KeyPath, axis_path: KeyPath | None) -> Any:
    """Check a setting of LoRA; returns it as it is stored."""
    field = name.removeprefix("peft.")
    fields = list(Peft.model_fields)
    if field not in fields:
        hint = foreign.answer(name) or did_you_mean(field, fields)
        hint = hint or f"available: {', '.join(fields)}"
        names.fault(axis_path or path, f"unknown key '{name}'", hint=hint, key=True)
        return value
    try:
        return getattr(Peft.model_validate({field: value}), field)
    except ValidationError as error:
        names.fault(path, f"{name} is {told(value)}", expected_of(error.errors()[0]))
        return value


def matches(cell: Cell, match: dict[str, Any]) -> bool:
    """Whether every axis of `match` has one of its wanted values (patterns with `*` or `?`)."""
    for axis, wanted in match.items():
        have = cell.get(axis)
        if not any(_fits(have, value) for value in one_or_more(wanted)):
            return False
    return True


def _fits(have: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and ("*" in wanted or "?" in wanted):
        return fnmatchcase(str(have), wanted)
    return have == wanted and isinstance(have, bool) == isinstance(wanted, bool)


def _hashable(value: Any) -> Any:
    return str(cast("Any", value)) if isinstance(value, (dict, list)) else value
