"""`zoo init NAME`: a commented manifest to start from, out of models, data and rewards.

The manifest is planned before it is written, so that it has no errors; nothing is
written otherwise, and no file is overwritten. On a terminal it prompts for missing options.
"""

from __future__ import annotations

import re
import shlex
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from zoo.catalog import Card, Catalog, DataCard, ModelCard, RecipeCard, RewardCard
from zoo.cli.card_commands import known
from zoo.data.resolve import LocalResolver
from zoo.errors import Fault, InputError
from zoo.manifest.load import manifest_of
from zoo.planning.expand import expand
from zoo.planning.options import PlanOptions
from zoo.planning.study import catalog_of
from zoo.scaffold.choose import Choice, data, model, reward
from zoo.scaffold.manifest_text import FOLDER, manifest_text
from zoo.store.run_store import Store
from zoo.trials import rehearsal
from zoo.trials.card_lookup import slug
from zoo.trials.trial import Trial
from zoo.yamlio import strict_yaml
from zoo.yamlio.patterns import NAME

POCKET_PARAMETERS = 10_000_000
"""Largest model that the recipe of the pocket models is meant for."""
DEFAULTS = {
    "model": "pocket-qwen2",
    "data": "pocket-easy",
    "reward": "correctness,box-strict",
}
KINDS: dict[str, type[Card]] = {"model": ModelCard, "data": DataCard, "reward": RewardCard}
READ = {"model": model, "data": data, "reward": reward}


@dataclass(frozen=True)
class Options:
    """Options of the command line; comma lists as they were typed."""

    model: str | None = None
    data: str | None = None
    reward: str | None = None
    recipe: str | None = None
    rounds: int | None = None
    cards: tuple[str, ...] = ()


def run(name: str, options: Options) -> int:
    """Write `experiments/NAME.yaml` and print the next commands.

    Raises:
        InputError: an invalid name, an existing file of that name, options missing without
            a terminal, or options that give no valid manifest. Nothing is written.
    """
    path = _path(name)
    catalog, resolver = catalog_of(options.cards), LocalResolver(Store().cache, light=True)
    chosen = _chosen(name, options, catalog, resolver)
    rewards = tuple(c.file for c in chosen["reward"] if c.file)
    catalog = catalog_of(options.cards, rewards)
    recipe = _recipe(options.recipe, chosen["model"], catalog)
    rounds = options.rounds or (20 if recipe.name == "pocket" else 100)
    text = manifest_text(name, chosen, recipe, rounds, catalog)
    trials = _planned(name, text, path, catalog, resolver)
    _write(path, text)
    _tell(path, trials, PlanOptions(cards=options.cards, rewards=rewards))
    return 0


def _path(name: str) -> Path:
    """Where the manifest goes."""
    if not re.fullmatch(NAME, name) or name.endswith((".yaml", ".yml", rehearsal.SUFFIX)):
        plain = re.sub(r"\.(ya?ml|rehearsal)$", "", name)
        expected = "lower-case letters, digits, '.', '_' and '-', at most 64"
        hint = f"for instance `zoo init {slug(plain)}`"
        raise InputError(Fault("zoo init", f"'{name}' is no name of a manifest", expected, hint))
    path = FOLDER / f"{name}.yaml"
    if path.exists() or path.is_symlink():
        raise _there(path)
    return path


def _there(path: Path) -> InputError:
    return InputError(Fault(str(path), "the file exists", hint="give another name, or delete it"))


# -- what is chosen -------------------------------------------------------------------------------


def _chosen(
    name: str, options: Options, catalog: Catalog, resolver: LocalResolver
) -> dict[str, list[Choice]]:
    """Axis -> its values: from the options, else from a terminal prompt."""
    given = {axis: getattr(options, axis) for axis in KINDS}
    missing = [axis for axis, text in given.items() if text is None]
    if missing and not (sys.stdin.isatty() and sys.stdout.isatty()):
        found = (
            f"{', '.join(f'--{axis}' for axis in missing)} missing, "
            "and there is no terminal for prompts"
        )
        words = [(axis, given[axis] or DEFAULTS[axis]) for axis in KINDS]
        command = " ".join(f"--{axis} {shlex.quote(text)}" for axis, text in words)
        hint = f"for instance `zoo init {name} {command}`"
        raise InputError(Fault("zoo init", found, hint=hint))
    faults: list[Fault] = []
    chosen: dict[str, list[Choice]] = {}
    for axis, text in given.items():
        if text is None:
            continue
        try:
            chosen[axis] = _read(axis, text, catalog, resolver)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    for axis in missing:
        chosen[axis] = _ask(axis, catalog, lambda text, a=axis: _read(a, text, catalog, resolver))
    return {axis: chosen[axis] for axis in KINDS}


def _read(axis: str, text: str, catalog: Catalog, resolver: LocalResolver) -> list[Choice]:
    """The values of a comma list, each once.

    Raises:
        InputError: everything that is wrong with it.
    """
    words = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    faults, found = [], []
    for word in words:
        try:
            found.append(READ[axis](word, catalog, resolver))
        except InputError as error:
            faults += error.faults
    if not words:
        faults.append(Fault(f"--{axis}", "names nothing", f"such as {DEFAULTS[axis]}"))
    if faults:
        raise InputError(faults)
    return found


def _ask(axis: str, catalog: Catalog, read: Callable[[str], list[Choice]]) -> list[Choice]:
    """Show the choices, and prompt until the answer is valid."""
    names = ", ".join(known(catalog, KINDS[axis]))
    shown = textwrap.fill(names, 96, initial_indent="  ", subsequent_indent="  ")
    kind = axis if axis == "data" else f"{axis}s"
    click.echo(f"\n{kind} (`zoo {kind} list` describes each):\n{shown}")

    def answer(text: str) -> list[Choice]:
        try:
            return read(text)
        except InputError as error:
            raise click.UsageError(str(error)) from error

    return click.prompt(f"{axis}, one or a comma list", default=DEFAULTS[axis], value_proc=answer)


def _recipe(name: str | None, models: list[Choice], catalog: Catalog) -> RecipeCard:
    """The named recipe, or the one that fits the models."""
    small = all(0 < choice.parameters <= POCKET_PARAMETERS for choice in models)
    name = name or ("pocket" if small else "simplerl-zoo-small")
    return catalog.get(RecipeCard, name, "--recipe")


# -- what is written ------------------------------------------------------------------------------


def _planned(
    name: str, text: str, path: Path, catalog: Catalog, resolver: LocalResolver
) -> list[Trial]:
    """The trials of the manifest that would be written.

    Raises:
        InputError: it has errors; they are those of the options.
    """
    try:
        document = strict_yaml.parse(text, str(path))
        return expand(manifest_of(document, path), catalog, resolver)
    except InputError as error:
        here = f"{path}:"
        faults = [
            replace(fault, place=f"zoo init {name}") if fault.place.startswith(here) else fault
            for fault in error.faults
        ]
        raise InputError(faults) from error


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise _there(path) from error


def _tell(path: Path, trials: list[Trial], words: PlanOptions) -> None:
    cells = len({id(trial.cell) for trial in trials})
    seeds = len({trial.seed for trial in trials})
    click.echo(
        f"{path}: {cells} cell{'s'[: cells != 1]} x {seeds} seeds = {len(trials)} trials of "
        f"{trials[0].rounds} rounds\n"
        "edit its question, prediction and claim before the first sweep; then"
    )
    commands = [f"zoo plan {path}{words}"]
    if any(trial.model.embedded is None for trial in trials):
        commands.append(f"zoo sweep {path}{replace(words, rehearse=True)}")
    commands.append(f"zoo sweep {path}{words}")
    click.echo("\n".join(f"  {command}" for command in commands))
