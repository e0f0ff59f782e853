"""The committed JSON Schema is current, and an editor that uses it agrees with `zoo plan`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.trials import manifest
from zoo.catalog import Catalog, ModelCard
from zoo.manifest import json_schema
from zoo.trlspec import fields, validation
from zoo.yamlio import strict_yaml

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads(json_schema.FILE.read_text(encoding="utf-8"))
EDITOR = Draft202012Validator(SCHEMA)


def faults(path: Path) -> list[str]:
    """What an editor underlines."""
    return [error.message for error in EDITOR.iter_errors(strict_yaml.read(path).data)]


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """All mappings of a schema."""
    if isinstance(node, dict):
        yield node
        for inner in node.values():
            yield from nodes(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from nodes(inner)


def test_the_committed_schema_is_current() -> None:
    """If not: `zoo schema > zoo/manifest/experiment.schema.json`."""
    assert json_schema.text(Catalog()) == json_schema.FILE.read_text(encoding="utf-8")


def test_it_is_a_schema_of_its_draft() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)
    named = {node["$ref"].removeprefix("#/$defs/") for node in nodes(SCHEMA) if "$ref" in node}
    assert named <= set(SCHEMA["$defs"])


@pytest.mark.parametrize("path", sorted(ROOT.glob("experiments/**/*.yaml")), ids=lambda p: p.stem)
def test_it_takes_every_manifest_of_ours(path: Path) -> None:
    assert faults(path) == []


def test_it_takes_all_that_a_manifest_can_say(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    path.write_text(path.read_text() + (
        "prediction: Yes.\n"
        "zip: {reward: [correctness, box-strict], prompt: [pocket, none]}\n"
        "seeds: [0, 1]\nfinal: mean-last-5\ntrainer: simulated\nmax_trials: 9\n"
        "grpo: {beta: from-card, scale_rewards: none, learning_rate: 1.0e-4, min_p: null}\n"
        "overrides: [{when: {model: 'pocket-*'}, set: {grpo.beta: 0, prompt: none}, why: test}]\n"
        "exclude: [{model: [pocket-llama], grpo.beta: 0, why: too weak}]\n"
        "include: [{model: pocket-qwen2, why: one more}]\n"
        "tripwires: [{metric: train/kl, above: 1, for: 2, then: stop, when: {model: 'qwen*'}}]\n"
        "budget: {gpu_hours: 1}\n"
        "claims: [{id: a, says: It gains., kind: gain, for_each: [model], metric: m, "
        "expect: {higher_by: 0}}]\n"
    ))  # fmt: skip
    assert faults(path) == []


def test_unknown_keys_are_refused_everywhere() -> None:
    """A mapping names its keys; only schedules have names of their own."""
    mappings = [node for node in nodes(SCHEMA) if {"properties", "type"} <= node.keys()]
    others = [rest for node in mappings if (rest := node["additionalProperties"])]
    assert others == [{"$ref": "#/$defs/Schedule"}]


def test_settings_are_those_that_a_manifest_may_say() -> None:
    settings = SCHEMA["properties"]["grpo"]["properties"]
    assert set(settings) == fields.RESULT_BEARING
    for name, value in validation.defaults().items():
        found = SCHEMA["$defs"][f"grpo.{name}"]
        assert found["default"] == value
        assert Draft202012Validator(found).is_valid(value)


def test_every_key_of_a_manifest_is_described() -> None:
    assert [k for k, node in SCHEMA["properties"].items() if not node.get("description")] == []
    for name in ("Axes", "Schedule", "Decoding", "InlineModel", "Tripwire", "Claim", "Override"):
        part = SCHEMA["$defs"][name]
        assert part["description"]
        plain = {k for k in part["properties"] if "." not in k}
        told = {k for k in plain if part["properties"][k].get("description")}
        assert plain - told <= {"temperature", "top_p"}


def test_names_of_cards_are_offered_and_others_are_taken() -> None:
    model = SCHEMA["$defs"]["card.model"]
    assert model["anyOf"][0]["enum"] == Catalog().names(ModelCard)
    assert Draft202012Validator(model).is_valid("a-card-of-my-own")
