"""The JSON Schema of a manifest (draft 2020-12), for editors: completion, descriptions, and errors
while typing.

Built from the pydantic models, of TRL's settings (`zoo.trlspec.validation`) and of the names of the
cards. Unknown keys are refused everywhere. Names of cards and values of axes are offered, not
enforced: users have cards of their own, and only `zoo plan` can check a value against the catalog.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel

from zoo.catalog import (
    Batch,
    BenchmarkCard,
    Card,
    Catalog,
    DataCard,
    ModelCard,
    Peft,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.cards import FROM_CARD
from zoo.json_text import as_list, as_mapping
from zoo.manifest.overrides import SETTING_PARTS
from zoo.manifest.schema import Experiment
from zoo.trlspec import fields as trl_table
from zoo.trlspec import validation
from zoo.yamlio.patterns import NAME
from zoo.yamlio.validate import models_in

FILE = Path(__file__).parent / "experiment.schema.json"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
CARDS: dict[str, type[Card]] = {
    "model": ModelCard,
    "reward": RewardCard,
    "data": DataCard,
    "prompt": PromptCard,
    "recipe": RecipeCard,
    "benchmark": BenchmarkCard,
}
TYPES = {
    **{"bool": "boolean", "int": "integer", "float": "number", "str": "string"},
    **{"list": "array", "dict": "object", "null": "null"},
}
Schema = dict[str, Any]
PLAIN: Schema = {"type": ["string", "number", "boolean", "null"]}


def text(catalog: Catalog) -> str:
    """The schema as it is committed: `zoo schema > zoo/manifest/experiment.schema.json`."""
    return json.dumps(schema(catalog), indent=1, ensure_ascii=False) + "\n"


def schema(catalog: Catalog) -> Schema:
    """The JSON Schema of a manifest, with the names of a catalog's cards to choose from."""
    made = described(Experiment)
    parts, top = made.pop("$defs"), made["properties"]
    for kind, card in CARDS.items():
        names = {"enum": catalog.names(card)}
        parts[f"card.{kind}"] = {"anyOf": [names, {"type": "string"}]}
    for name, setting in _settings().items():
        parts[name] = setting
    _axes(parts)
    _cells(parts, top)
    top["recipe"] |= {"$ref": "#/$defs/card.recipe"}
    for part in SETTING_PARTS:
        top[part] = _only(_ref_each(part, parts, strip=True), top[part])
    top["zip"] = {"anyOf": [top["zip"], _ref("Axes")], "description": top["zip"]["description"]}
    top["seeds"]["uniqueItems"] = True
    about = {"$schema": DRAFT, "title": "Manifest of a zero-RL study (zoo)"}
    return about | made | {"$defs": dict(sorted(parts.items()))}


def described(top: type[BaseModel]) -> Schema:
    """The JSON Schema of a model, each field with the text under it in the source."""
    made = top.model_json_schema()
    parts = made.get("$defs", {})  # also the top where it is inside itself
    for model in models_of(top):
        _describe(model, parts.get(model.__name__, made if model is top else {}))
    return _tidy(made)


def models_of(top: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and all models inside it, itself first."""
    found = [top]
    for model in found:
        for field in model.model_fields.values():
            found += [m for m in models_in(field.annotation) if m not in found]
        extra = get_type_hints(model).get("__pydantic_extra__")
        found += [m for m in models_in(extra) if m not in found]
    return found


def _describe(model: type[BaseModel], schema: Schema) -> None:
    """Put the text under each field of a model into its schema. Pydantic can do that itself, but
    reads the source whenever the class is created, which doubles the time that a plan takes."""
    for made in reversed(model.__mro__):
        if made is BaseModel or not issubclass(made, BaseModel):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(made))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in pairwise(tree.body):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                name = model.model_fields[field.target.id].alias or field.target.id
                schema["properties"][name]["description"] = str(text.value.value)


def _tidy(node: Any) -> Any:
    """Without generated titles and defaults of null; plain alternatives as a list of types."""
    if (items := as_list(node)) is not None:
        return [_tidy(item) for item in items]
    if (entries := as_mapping(node)) is None:
        return node
    found: Schema = {
        key: {name: _tidy(inner) for name, inner in value.items()}
        if key in ("properties", "$defs", "patternProperties")
        else _tidy(value)
        for key, value in entries.items()
        if not (key == "title" or (key == "default" and value in (None, {}, [], "")))
    }
    if "patternProperties" in found:
        found["additionalProperties"] = False
    if "$ref" in found:
        found.pop("default", None)
    if isinstance(about := found.get("description"), str):
        found["description"] = " ".join(about.split())
    options: list[Schema] = found.get("anyOf", [])
    plain = [option["type"] for option in options if option.keys() == {"type"}]
    if plain and len(plain) == len(options):
        del found["anyOf"]
        found["type"] = [kind for kind in plain if kind != "integer" or "number" not in plain]
    return found


# -- settings -------------------------------------------------------------------------------------


def _settings() -> dict[str, Schema]:
    """Dotted name -> schema of one value."""
    found = {f"grpo.{name}": _setting(name) for name in sorted(trl_table.RESULT_BEARING)}
    for part, model in (("batch", Batch), ("peft", Peft)):
        fields = described(model)["properties"]
        found |= {f"{part}.{name}": field for name, field in fields.items()}
    return found


def _setting(name: str) -> Schema:
    kinds = [TYPES[kind] for kind in validation.types(name)]
    found: Schema = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if choices := trl_table.CHOICES.get(name):
        found = {"enum": list(choices)}
    if limits := trl_table.RANGES.get(name):
        found |= limits.as_schema()
    if "integer" in kinds:
        found.setdefault("maximum", trl_table.LARGEST)
    if name in trl_table.FROM_CARD_ALLOWED:
        found = {"anyOf": [{"const": FROM_CARD}, found]}
    default = validation.defaults()[name]
    return found | {"default": default, "description": f"TRL's default: {json.dumps(default)}"}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _ref_each(part: str, parts: Schema, *, strip: bool = False) -> Schema:
    """References to the settings of a part, by dotted or by plain name."""
    names = [name for name in parts if name.startswith(f"{part}.")]
    return {name.removeprefix(f"{part}.") if strip else name: _ref(name) for name in names}


def _all_settings(parts: Schema) -> Schema:
    """References to all settings, by dotted name."""
    return {name: ref for part in SETTING_PARTS for name, ref in _ref_each(part, parts).items()}


def _only(properties: Schema, rest: Schema) -> Schema:
    """A mapping with these keys and no others, described as `rest` is."""
    kept = {key: rest[key] for key in ("description", "minProperties", "required") if key in rest}
    return kept | {"type": "object", "properties": properties, "additionalProperties": False}


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


# -- axes and cells -------------------------------------------------------------------------------


def _axes(parts: Schema) -> None:
    """Axes: one value or a list of them; inline where a card may be given inline."""
    inline = {"model": "InlineModel", "data": "InlineData"}
    known = parts["Axes"]["properties"]
    axes: Schema = {}
    for axis in known:
        value = _ref(f"card.{axis}")
        if axis in inline:
            value = {"anyOf": [value, _ref(inline[axis])]}
        axes[axis] = {"description": known[axis]["description"]} | _one_or_more(value)
    for name, value in _all_settings(parts).items():
        axes[name] = _one_or_more(value)
    parts["Axes"] = _only(axes, parts["Axes"])
    parts["Evaluate"]["propertyNames"] = {"pattern": NAME}
    schedule = parts["Schedule"]
    schedule["properties"]["benchmarks"]["items"] = {
        "anyOf": [_ref("card.benchmark"), _ref("InlineBenchmark")]
    }
    at: Schema = {"required": ["at"], "properties": {"at": {"minItems": 1}}}
    schedule["anyOf"] = [{"required": ["every"]}, at]
    for part in ("InlineModel", "InlineData", "InlineBenchmark"):
        for key, kind in (("prompt", "card.prompt"), ("base", "card.model")):
            if key in (fields := parts[part]["properties"]):
                about = {"description": fields[key]["description"]}
                fields[key] = about | _ref(kind)


def _one_or_more(value: Schema) -> Schema:
    return {"anyOf": [value, _list_of(value)]}


def _cells(parts: Schema, top: Schema) -> None:
    """Whatever names axes: matches, cells, changes and claims."""
    axes = list(parts["Axes"]["properties"])
    parts["axis"] = {"enum": axes}
    parts["value"] = PLAIN
    parts["values"] = _one_or_more(_ref("value"))
    parts["match"] = _only(dict.fromkeys(axes, _ref("values")), {})
    for part, value in (("Exclude", "values"), ("Include", "value")):
        properties = parts[part]["properties"] | dict.fromkeys(axes, _ref(value))
        parts[part] = _only(properties, parts[part])
    parts["Exclude"]["minProperties"] = 2  # `why`, and an axis
    override, claim = parts["Override"]["properties"], parts["Claim"]["properties"]
    trainers = top["trainer"]["enum"]
    changes = _all_settings(parts)
    changes |= {"prompt": _ref("card.prompt"), "trainer": {"enum": trainers}}
    override["set"] = _only(changes, override["set"])
    for properties, key in (
        (override, "when"),
        (claim, "where"),
        (parts["Tripwire"]["properties"], "when"),
    ):
        properties[key] = {"description": properties[key]["description"]} | _ref("match")
    override["when"]["minProperties"] = 1
    for key in ("compare", "order"):
        claim[key]["propertyNames"] = _ref("axis")
    claim["for_each"]["items"] = _ref("axis")
    claim["differs_by"] = {"description": claim["differs_by"]["description"]} | _ref("axis")
