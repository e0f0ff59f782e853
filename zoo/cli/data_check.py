"""`zoo models|data check`: reads the files on this machine, completely, and compares them with the
card.

Computed digests are stored in the run store, so planning has them.
"""

from __future__ import annotations

import click

from zoo.catalog import ModelCard, ProblemCard
from zoo.cli.card_commands import counted, named
from zoo.data import problems, references
from zoo.data.check import check_model
from zoo.data.resolve import LocalResolver, model_folder
from zoo.errors import InputError
from zoo.planning.options import PlanOptions
from zoo.planning.study import catalog_of
from zoo.store.run_store import Store


def check(kind: str, names: tuple[str, ...], cards: tuple[str, ...]) -> int:
    """Check each name; 1 where something is wrong or not there."""
    catalog, resolver = catalog_of(cards), LocalResolver(Store().cache)
    found = [card for name in names for card in named(catalog, kind, name)]
    right = True
    for card in found:
        try:
            if isinstance(card, ModelCard):
                right = look_at_model(card, resolver) and right
            else:
                assert isinstance(card, ProblemCard)
                right = look_at_data(card, resolver) and right
        except InputError as error:
            click.echo(f"{card.name}\n  wrong  {PlanOptions(cards).with_cards(str(error))}")
            right = False
    resolver.save()
    return 0 if right else 1


def look_at_model(card: ModelCard, resolver: LocalResolver) -> bool:
    """Print the findings in a model's folder; returns whether all passed."""
    folder = model_folder(card)
    click.echo(f"{card.name}  {folder}")
    findings = check_model(card, folder)
    for finding in findings:
        click.echo(f"  {finding}")
    click.echo(f"  digest {resolver.folder(folder)}")
    return all(finding.ok for finding in findings)


def look_at_data(card: ProblemCard, resolver: LocalResolver) -> bool:
    """Print the findings of a set of problems; returns whether all passed."""
    found, counts = problems.load_counted(card, resolver.cache)
    click.echo(card.name)
    for line in counted(found, counts):
        click.echo(f"  {line}")
    if found:
        longest = max(found, key=lambda problem: len(problem.question))
        click.echo(f"  longest {len(longest.question):,} characters ({longest.id})")
    faults = problems.disagreements(card, found, counts)
    for fault in faults:
        click.echo(f"  wrong  {fault}")
    digest = problems.digest(found)
    click.echo(f"  digest {digest}")
    if faults:
        return False
    resolver.questions.of(card, resolver.problems(card))
    usable = references.check(card, digest, resolver.cache)
    for line in usable.lines():
        click.echo(f"  {line}")
    if usable.too_many:
        click.echo("  wrong  is it the right answer column, and the right `gold:` rule?")
    return not usable.too_many
