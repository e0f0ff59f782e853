"""`zoo KIND list` and `show`, KIND being models, data, rewards, recipes, prompts or profiles: which
cards exist, the content of one, and a few of its problems if they are on this machine.

`zoo data` knows training sets and benchmarks; a name that is both means both.
"""

from __future__ import annotations

import click
import yaml

from zoo.catalog import (
    BenchmarkCard,
    Card,
    Catalog,
    ComputeProfile,
    DataCard,
    ModelCard,
    ProblemCard,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.data import problems
from zoo.data.places import NotFetched
from zoo.errors import Fault, InputError, printable, suggestion
from zoo.planning.study import catalog_of
from zoo.rewards.user import installed, installed_names
from zoo.store.run_store import Store
from zoo.trials.card_lookup import slug

KINDS: dict[str, tuple[type[Card], ...]] = {
    "models": (ModelCard,),
    "data": (DataCard, BenchmarkCard),
    "rewards": (RewardCard,),
    "recipes": (RecipeCard,),
    "prompts": (PromptCard,),
    "profiles": (ComputeProfile,),
}
SAMPLES, SAMPLE_CHARS = 3, 300


class _Dumper(yaml.SafeDumper):
    """Texts of several lines (prompts) verbatim."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A text; in block style where it has line breaks."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, "|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def list_(kind: str, cards: tuple[str, ...]) -> int:
    """One line a card: its name and what it is; benchmarks after the training sets."""
    catalog = catalog_of(cards)
    names = {of: known(catalog, of) for of in KINDS[kind]}
    width = max((len(name) for found in names.values() for name in found), default=0)
    for of, found in names.items():
        if of is BenchmarkCard:
            click.echo("\nbenchmarks")
        for name in found:
            click.echo(f"{name:<{width}}  {_card(catalog, of, name).about}".rstrip())
    return 0


def known(catalog: Catalog, of: type[Card]) -> list[str]:
    """Names of all cards of a kind; of rewards also those that installed packages bring."""
    return catalog.names(of) + (installed_names() if of is RewardCard else [])


def _card(catalog: Catalog, of: type[Card], name: str) -> Card:
    if of is RewardCard and name not in catalog.names(of) and (found := installed(name)):
        return found.card
    return catalog.get(of, name)


def show(kind: str, name: str, cards: tuple[str, ...]) -> int:
    """A card as YAML, without what it leaves at its default."""
    catalog = catalog_of(cards)
    for i, card in enumerate(named(catalog, kind, name)):
        said = card.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"uses"})
        head = {"schema": said.pop("schema"), "name": said.pop("name")}
        text = yaml.dump(
            head | said, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
        )
        click.echo(("---\n" if i else "") + text, nl=False)
        if isinstance(card, ProblemCard):
            _samples(card)
    return 0


def named(catalog: Catalog, kind: str, name: str) -> list[Card]:
    """The cards that a word of the command line means: of all kinds with that name, or a model of
    the hub without a card (`hf:org/name@commit`).

    Raises:
        InputError: there is none; with a suggestion.
    """
    if kind == "models" and name.startswith("hf:"):
        return [_hub_model(name)]
    names = {of: known(catalog, of) for of in KINDS[kind]}
    kinds = [of for of in KINDS[kind] if name in names[of]]
    if not kinds:
        there = sorted(set().union(*names.values()))
        hint = suggestion(name, there)
        raise InputError(Fault(kind, f"unknown {kind.removesuffix('s')} '{name}'", hint=hint))
    return [_card(catalog, of, name) for of in kinds]


def _hub_model(ref: str) -> ModelCard:
    """A card for a model of the hub that has none; its prompt and cap are placeholders."""
    from zoo.data.hub import parse_ref

    found = parse_ref(ref)
    if found is None:
        raise InputError(
            Fault("models", f"'{ref}' names no model of the hub", "hf:org/name@commit")
        )
    said = {"schema": "model/1", "name": slug(found[0]), "prompt": "none", "cap": 1}
    try:
        return ModelCard.model_validate(said | {"repo": found[0], "revision": found[1]})
    except ValueError as error:
        expected = "a full commit of 40 hex digits (a branch or tag moves)"
        hint = f"`zoo models pin hf:{found[0]} --revision {found[1]}` finds it"
        raise InputError(Fault("models", f"'{found[1]}' is no commit", expected, hint)) from error


def _samples(card: ProblemCard) -> None:
    try:
        found, counts = problems.load_counted(card, Store().cache)
    except NotFetched as missing:
        click.echo(f"\n{missing}")
        return
    click.echo("\n" + "\n".join(counted(found, counts)))
    for problem in found[:SAMPLES]:
        text = printable(" ".join(problem.question.split()))
        short = text if len(text) <= SAMPLE_CHARS else text[: SAMPLE_CHARS - 3] + "..."
        level = f" (level {printable(problem.level)})" if problem.level else ""
        click.echo(f"\n{problem.id}{level}\n  {short}\n  -> {printable(problem.answer)}")


def counted(found: list[problems.Problem], counts: problems.Counts) -> list[str]:
    """Lines of a table: rows read, what each filter left out, what is left, by level."""
    rows = [("read", counts.read), *((k, -n) for k, n in counts.dropped.items())]
    rows.append(("kept", counts.kept))
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {n:>8,}" for name, n in rows]
    levels = problems.by_level(found)
    if set(levels) != {""}:
        told = (f"{printable(level) or 'none'}: {n:,}" for level, n in levels.items())
        lines.append(f"{'levels':<{width}}  {', '.join(told)}")
    return lines
