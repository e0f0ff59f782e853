"""Rewards by name: a card, a file of the command line, or an entry point of an installed package;
and whether a trial can call a card's kind with its parameters.

Light: installed packages are searched only where no card has the name, and a user's own function is
run only where one is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.catalog import Catalog, RewardCard
from zoo.errors import Fault, Flaw, InputError, did_you_mean, told
from zoo.json_text import as_mapping
from zoo.rewards.parameters import KINDS, flaws, unknown, unknown_kind
from zoo.yamlio.strict_yaml import Document


def reward_card(catalog: Catalog, name: str) -> RewardCard:
    """The complete card of a reward: of an existing kind, with valid parameters.

    Raises:
        InputError: no such reward (with a suggestion), or all errors in it, with positions.
    """
    if name not in catalog.names(RewardCard):
        return _installed(catalog, name)
    if catalog.made(RewardCard, name):
        return catalog.get(RewardCard, name)
    document = catalog.document(RewardCard, name)
    card, faults = None, []
    try:
        card = catalog.get(RewardCard, name)
    except InputError as error:
        faults = error.faults
    own, wrong = _look(catalog, document)
    faults += [document.fault(f.path, f.found, f.expected, f.hint, key=f.key) for f in wrong]
    if faults or card is None:
        raise InputError(faults)
    return card if own is None else _over(own, card, document)


def _installed(catalog: Catalog, name: str) -> RewardCard:
    from zoo.rewards.user import installed, installed_names

    if (found := installed(name)) is not None:
        return found.card
    known = [*catalog.names(RewardCard), *installed_names()]
    own = "; a function of your own comes by `--reward FILE.py`"
    hint = did_you_mean(name, known) or f"available: {', '.join(known)}{own}"
    raise InputError(Fault("reward", f"unknown reward '{name}'", hint=hint))


def _look(catalog: Catalog, document: Document) -> tuple[RewardCard | None, list[Flaw]]:
    """The user's reward that a card's kind refers to, if it is not one of zoo's; and the errors in
    kind and parameters. Schema errors were reported when the card was read."""
    data = as_mapping(document.data) or {}
    kind = data.get("kind")
    if not isinstance(kind, str):
        return None, []
    params = as_mapping(data.get("params")) or {}
    if kind in KINDS:
        return None, flaws(kind, params, ("params",) if "params" in data else ("kind",))
    own = _own(catalog, kind)
    if own is None:
        return None, [unknown_kind(kind, ("kind",), _made(catalog))]
    return own, _own_flaws(own, params)


def _made(catalog: Catalog) -> list[str]:
    return [name for name in catalog.names(RewardCard) if catalog.made(RewardCard, name)]


def _own(catalog: Catalog, kind: str) -> RewardCard | None:
    """The user's own reward of that name."""
    if kind in _made(catalog):
        return catalog.get(RewardCard, kind)
    from zoo.rewards.user import installed

    found = installed(kind)
    return None if found is None else found.card


def _own_flaws(own: RewardCard, params: dict[str, Any]) -> list[Flaw]:
    """Errors in the parameters of a card for a user's function, by its PARAMS."""
    found = list(unknown(params, list(own.params), f"reward '{own.name}'", ("params",)))
    for name, default in own.params.items():
        value = params.get(name, default)
        if _kind_of(value) != _kind_of(default):
            expected = f"{_kind_of(default)}, as in PARAMS"
            found.append(Flaw(("params", name), f"{name} is {told(value)}", expected))
    return found


def _kind_of(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "keys and values"


def _over(own: RewardCard, card: RewardCard, document: Document) -> RewardCard:
    """A user's reward with the card's settings, tested with its parameters.

    Raises:
        InputError: it fails with them.
    """
    from zoo.rewards.user import try_card

    said = {name: getattr(card, name) for name in card.model_fields_set}
    whole = own.model_copy(update=said | {"params": own.params | card.params})
    try:
        try_card(whole)
    except InputError as error:
        (fault,) = error.faults
        found, hint = f"with these parameters it {fault.found}", f"see {Path(fault.place).name}"
        raise InputError(document.fault(("params",), found, fault.expected, hint)) from error
    return whole
