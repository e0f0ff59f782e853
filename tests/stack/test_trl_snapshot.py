"""The committed snapshot of TRL's settings is that of the installed TRL."""

from __future__ import annotations

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

import pytest

from zoo.manifest import grpo

SNAPSHOT = json.loads((Path(grpo.__file__).parent / "trl_fields.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fields() -> dict[str, dataclasses.Field[object]]:
    """Fields of the installed `GRPOConfig`."""
    from trl.trainer.grpo_config import GRPOConfig

    return {field.name: field for field in dataclasses.fields(GRPOConfig)}


def test_the_snapshot_is_of_the_installed_versions() -> None:
    assert SNAPSHOT["trl"] == version("trl")
    assert SNAPSHOT["transformers"] == version("transformers")


def test_the_snapshot_has_the_fields_of_grpo_config(
    fields: dict[str, dataclasses.Field[object]],
) -> None:
    assert set(SNAPSHOT["fields"]) == {name for name, field in fields.items() if field.init}


def test_the_snapshot_has_their_defaults(fields: dict[str, dataclasses.Field[object]]) -> None:
    moved: dict[str, tuple[object, object]] = {}
    for name, said in SNAPSHOT["fields"].items():
        field = fields[name]
        if field.default is not dataclasses.MISSING:
            default: object = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        else:
            continue
        default = getattr(default, "value", default)
        plain = isinstance(default, bool | int | float | str | type(None))
        if plain and said["default"] != default:
            moved[name] = (said["default"], default)
    assert moved == {}


def test_what_zoo_owns_are_fields_of_trl() -> None:
    assert set(grpo.OWNED) <= set(SNAPSHOT["fields"])
