"""Dotted settings of a recipe, as axes and overrides name them: `grpo.beta`, `batch.prompts`.

Says what is wrong with one, without knowing where in a manifest it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo.catalog.cards import Batch
from zoo.errors import did_you_mean
from zoo.manifest import grpo

CARD_AXES = ("model", "reward", "data", "prompt", "recipe")


@dataclass(frozen=True, slots=True)
class Checked:
    """A setting's value as TRL would hold it, and what is wrong with it (`found`; empty = fine)."""

    value: Any
    found: str = ""
    expected: str = ""
    hint: str = ""
    at_key: bool = False
    """Whether the name is wrong, not the value."""
    unknown_axis: bool = False


def check(axis: str, value: Any) -> Checked:
    """Check one dotted setting."""
    part, _, name = axis.partition(".")
    if part == "grpo" and name:
        value, wrong, hint = grpo.check(name, value)
        return Checked(value, wrong, hint=hint, at_key="unknown" in wrong)
    if part == "batch" and name:
        return _batch(name, value)
    known = [
        *CARD_AXES,
        *(f"grpo.{field}" for field in grpo.fields()),
        *(f"batch.{field}" for field in Batch.model_fields),
    ]
    hint = did_you_mean(axis, known) or f"axes are {', '.join(CARD_AXES)}, grpo.*, batch.*"
    return Checked(value, f"unknown axis '{axis}'", hint=hint, at_key=True, unknown_axis=True)


def _batch(name: str, value: Any) -> Checked:
    known = list(Batch.model_fields)
    if name not in known:
        hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
        return Checked(value, f"unknown key 'batch.{name}'", hint=hint, at_key=True)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        return Checked(value, f"batch.{name} is {value!r}", "a whole number from 1")
    return Checked(value)
