"""`zoo models|data fetch` and `zoo models pin`: downloads from the hub and from git repositories,
and pins the commit of a card.

Each name is tried; an error with one does not stop the others. No token is printed or stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

import zoo
from zoo.catalog import Catalog, ModelCard, ProblemCard
from zoo.catalog.model_card import RandomWeights
from zoo.cli.card_commands import named
from zoo.cli.data_check import look_at_data
from zoo.data import fetch as fetching
from zoo.data import hub
from zoo.data.check import check_model
from zoo.data.places import NotFetched
from zoo.data.resolve import LocalResolver, model_folder, random_digest
from zoo.errors import Fault, InputError, ZooError
from zoo.planning.options import PlanOptions
from zoo.planning.study import catalog_of
from zoo.store.run_store import Store, write_text
from zoo.yamlio import strict_yaml
from zoo.yamlio.validate import validate

REVISION = re.compile(r"^revision:[^#\n]*?(?=\s*(?:#|$))", re.MULTILINE)
REPO = re.compile(r"^repo:.*$", re.MULTILINE)


def fetch(kind: str, names: tuple[str, ...], cards: tuple[str, ...]) -> int:
    """Fetch the files of cards, then check them."""
    catalog, store = catalog_of(cards), Store()
    resolver = LocalResolver(store.cache)

    def one(name: str) -> bool:
        right = True
        for card in named(catalog, kind, name):
            if isinstance(card, ModelCard) and card.random_weights:
                found = [_drawn(card, card.random_weights)]
            elif isinstance(card, ModelCard):
                found = [fetching.model(card)]
            else:
                assert isinstance(card, ProblemCard)
                found = fetching.data(card, store.cache)
            for came in found:
                told = f"{fetching.size(came.bytes)} came" if came.bytes else "was here"
                click.echo(f"{name}: {came.what} at {came.commit[:12]}, {told}: {came.path}")
            if isinstance(card, ModelCard):
                wrong = [str(f) for f in check_model(card, found[0].path) if not f.ok]
                click.echo("".join(f"  {line}\n" for line in wrong), nl=False)
                right = right and not wrong
            else:
                right = look_at_data(card, resolver) and right
        return right

    status = each(names, one, cards)
    resolver.save()
    return status


def _drawn(card: ModelCard, said: RandomWeights) -> fetching.Fetched:
    """Draw a model's random weights, unless they are here already."""
    from zoo.trainer.random_model import draw  # imports torch

    what = f"random weights of seed {said.seed} (never trained)"
    commit = random_digest(said, card.eos_ids)
    try:
        return fetching.Fetched(what, commit, model_folder(card), 0)
    except NotFetched:
        folder = draw(card, said)
        came = sum(file.stat().st_size for file in folder.iterdir())
        return fetching.Fetched(what, commit, folder, came)


def each(names: tuple[str, ...], one: Callable[[str], bool], cards: tuple[str, ...]) -> int:
    """Do one thing for each name; the worst exit status (1: a check failed, 2: bad input).
    `cards`: folders that commands in messages must repeat."""
    status = 0
    for name in names:
        try:
            status = max(status, 0 if one(name) else 1)
        except ZooError as error:
            click.echo(f"zoo: {PlanOptions(cards).with_cards(str(error))}", err=True)
            status = max(status, error.exit_code)
    return status


def pin(names: tuple[str, ...], cards: tuple[str, ...], revision: str | None) -> int:
    """Read the newest commit (or that of a branch or tag) from the hub and write it into the
    card."""
    catalog = catalog_of(cards)
    return each(names, lambda name: _pin(catalog, name, revision), cards)


def _pin(catalog: Catalog, name: str, revision: str | None) -> bool:
    if name.startswith("hf:"):
        repo, at = hub.parse_ref(name) or ("", None)
        if not repo:
            found = f"'{name}' names no model of the hub"
            raise InputError(Fault("models", found, "hf:org/name"))
        found = hub.listing("models", repo, revision or at)
        fetching.require_safetensors(found)
        click.echo(f"hf:{repo}@{found.commit}")
        return True
    card = catalog.get(ModelCard, name)
    if card.repo is None:
        raise InputError(Fault(name, "a model of this machine", "a model of the hub to pin"))
    found = hub.listing("models", card.repo, revision)
    fetching.require_safetensors(found)
    if found.gated != card.gated:
        said = "is" if found.gated else "is not"
        click.echo(f"{name}: note: on the hub, {card.repo} {said} gated (`gated`)", err=True)
    if found.commit == card.revision:
        click.echo(f"{name}: {card.repo} is pinned to {found.commit} already")
        return True
    file = catalog.file(ModelCard, name)
    target = file
    if file.is_relative_to(Path(zoo.__file__).parent):
        target = Path("cards/models") / file.name
    write_text(target, _with_revision(file, found.commit))
    click.echo(f"{name}: {card.repo} {card.revision or 'unpinned'} -> {found.commit} ({target})")
    return True


def _with_revision(file: Path, commit: str) -> str:
    """The text of a card with another revision; everything else is unchanged, comments too.

    Raises:
        InputError: a card without `repo` or `revision` on a separate line.
    """
    text, line = file.read_text(encoding="utf-8"), f"revision: {commit}"
    if REVISION.search(text):
        text = REVISION.sub(line, text, count=1)
    else:
        text = REPO.sub(lambda match: f"{match[0]}\n{line}", text, count=1)
    if validate(ModelCard, strict_yaml.parse(text, str(file))).revision != commit:
        found = "no `repo:` and `revision:` on separate lines"
        raise InputError(Fault(str(file), found, hint=f"write `{line}` into it"))
    return text
