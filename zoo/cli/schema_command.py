"""`zoo schema`: the JSON Schema of manifests, for editors."""

from __future__ import annotations

import click

from zoo.manifest import json_schema
from zoo.planning.study import catalog_of


def show(cards: tuple[str, ...]) -> int:
    """Print the schema, with the names of all cards to choose from; returns 0."""
    click.echo(json_schema.text(catalog_of(cards)), nl=False)
    return 0
