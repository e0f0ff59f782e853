"""`zoo schema`: the JSON Schema of manifests, for editors."""

from __future__ import annotations

import click

from zoo.cli.context import catalog_of
from zoo.manifest import json_schema


def show(cards: tuple[str, ...]) -> int:
    """Print the schema, with the names of all cards to choose from; returns 0."""
    click.echo(json_schema.text(catalog_of(cards)), nl=False)
    return 0
