"""A model card with its evidence, as the YAML text of a file."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

import yaml

from zoo.catalog import ModelCard
from zoo.errors import printable
from zoo.yamlio import strict_yaml
from zoo.yamlio.validate import validate

WIDTH = 96
OWN = {"schema", "name", "about", "source", "prompt", "stop_ids", "cap", "origin"}
"""Keys that the new card sets; all others come from the model's card."""


@dataclass(frozen=True)
class Proposal:
    """The proposals of a probe, each with its reason; `bucket` is for the manifest."""

    prompt: str
    stop_ids: tuple[int, ...]
    cap: int
    bucket: str
    reasons: dict[str, str]
    notes: list[str] = field(default_factory=list)


def card_text(card: ModelCard, name: str, proposal: Proposal) -> str:
    """The card of a model with what was proposed, a comment on each value. It is valid, or this
    raises InputError."""
    said = card.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    lines = ["# Written by `zoo audition`: a proposal from measurements; review it."]
    lines += _yaml({"schema": "model/1", "name": name, "about": card.about or "A base model."})
    lines += [line for key in said if key not in OWN for line in _yaml({key: said[key]})]
    values: dict[str, Any] = {
        "prompt": proposal.prompt,
        "stop_ids": list(proposal.stop_ids),
        "cap": proposal.cap,
    }
    for key, value in values.items():
        lines += [*_comment(proposal.reasons[key]), *_yaml({key: value})]
    measured = {key: "measured by zoo audition at round 0" for key in values}
    lines += _yaml({"origin": said.get("origin", {}) | measured})
    lines += _comment(f"Bucket for the manifest: {proposal.bucket}. {proposal.reasons['bucket']}")
    lines += [line for note in proposal.notes for line in _comment(note)]
    text = "\n".join(lines) + "\n"
    validate(ModelCard, strict_yaml.parse(text, f"{name}.yaml"))
    return text


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(printable(text), WIDTH)]


def _yaml(data: dict[str, Any]) -> list[str]:
    """Keys and values in block style, lists on one line."""
    lines: list[str] = []
    for key, value in data.items():
        if isinstance(value, list):
            text = f"{key}: {yaml.safe_dump(value, default_flow_style=True, width=10**6)}"
        else:
            text = yaml.safe_dump({key: value}, sort_keys=False, width=WIDTH, allow_unicode=True)
        lines += text.rstrip("\n").split("\n")
    return lines
