"""The commands over cards: `zoo models|data|rewards|recipes|prompts|profiles`.

Imports that cost time are inside each command, as in `zoo.cli.main`.
"""

from __future__ import annotations

import click

from zoo.cli.option_groups import cards_option

KINDS = {
    "models": "base models",
    "data": "training sets and benchmarks",
    "rewards": "rewards",
    "recipes": "recipes",
    "prompts": "prompts",
    "profiles": "compute profiles",
}
"""Name of a group -> what its cards are of."""


def card_groups() -> list[click.Group]:
    """One group for each kind of card."""
    return [card_group(kind, what) for kind, what in KINDS.items()]


def card_group(kind: str, what: str) -> click.Group:
    """`zoo KIND list|show`; `fetch|check` where cards refer to files; `zoo models pin`."""
    group = click.Group(kind, help=f"Cards of {what}.")
    names_argument = click.argument("names", nargs=-1, required=True, metavar="NAME...")

    @group.command("list", help=f"List all {what}.")
    @cards_option
    def list_(cards: tuple[str, ...]) -> int:
        from zoo.cli.card_commands import list_ as list_cards

        return list_cards(kind, cards)

    @group.command(help="Print a card.")
    @click.argument("name")
    @cards_option
    def show(name: str, cards: tuple[str, ...]) -> int:
        from zoo.cli.card_commands import show as show_card

        return show_card(kind, name, cards)

    if kind not in ("models", "data"):
        return group

    @group.command(help="Download what the cards need, at its pinned commit.")
    @names_argument
    @cards_option
    def fetch(names: tuple[str, ...], cards: tuple[str, ...]) -> int:
        from zoo.cli.data_fetch import fetch as fetch_cards

        return fetch_cards(kind, names, cards)

    @group.command(help="Compare the files on this machine with the cards; stores their digests.")
    @names_argument
    @cards_option
    def check(names: tuple[str, ...], cards: tuple[str, ...]) -> int:
        from zoo.cli.data_check import check as check_cards

        return check_cards(kind, names, cards)

    if kind == "models":

        @group.command(help="Write the hub's newest commit into the cards (in ./cards).")
        @names_argument
        @click.option("--revision", metavar="REV", help="The commit of this branch or tag instead.")
        @cards_option
        def pin(names: tuple[str, ...], revision: str | None, cards: tuple[str, ...]) -> int:
            from zoo.cli.data_fetch import pin as pin_cards

            return pin_cards(names, cards, revision)

    return group
