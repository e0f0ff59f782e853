"""`zoo models` and `zoo data`: which cards there are, and what one says."""

from __future__ import annotations

import click
import yaml

from zoo.catalog import Card, DataCard, ModelCard
from zoo.cli.context import catalog_of

KINDS: dict[str, type[Card]] = {"models": ModelCard, "data": DataCard}


def list_(kind: str, cards: tuple[str, ...]) -> int:
    """One line a card: its name and what it is."""
    catalog = catalog_of(cards)
    names = catalog.names(KINDS[kind])
    width = max((len(name) for name in names), default=0)
    for name in names:
        click.echo(f"{name:<{width}}  {catalog.get(KINDS[kind], name).about}".rstrip())
    return 0


def show(kind: str, name: str, cards: tuple[str, ...]) -> int:
    """A card as YAML, without what it leaves at its default."""
    card = catalog_of(cards).get(KINDS[kind], name)
    said = card.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    head = {"schema": said.pop("schema"), "name": said.pop("name")}
    click.echo(yaml.safe_dump(head | said, sort_keys=False, allow_unicode=True), nl=False)
    return 0
