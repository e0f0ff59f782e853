"""Validate a YAML document against a pydantic model; every fault has its position in the file, and
misspelt keys a suggestion."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from zoo.errors import Fault, InputError, did_you_mean, told
from zoo.yamlio.patterns import COMMIT, NAME, TEXT
from zoo.yamlio.strict_yaml import Document, KeyPath

M = TypeVar("M", bound=BaseModel)


# What pydantic's types of error mean, in the words of a manifest.
EXPECTED = {
    **dict.fromkeys(("string_type", "string_sub_type"), "a text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "keys and values"),
    "finite_number": "a finite number",
    "greater_than_equal": "at least {ge}",
    "greater_than": "above {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "below {lt}",
    "too_short": "{min_length} or more values",
    "too_long": "at most {max_length} values",
    "string_too_short": "a text that is not empty",
}
PATTERNS = {
    NAME: "a name of small letters, digits, `.`, `_` and `-`",
    COMMIT: "a full commit of 40 hex digits",
    TEXT: "a text that is not empty",
}


LIST = "list"
"""Tag of the list in a union of a list and a model."""


class Misplaced(ValueError):
    """An error that a model validator reports for one of its parts, at `path` inside it."""

    def __init__(self, text: str, *path: str) -> None:
        super().__init__(text)
        self.path = path


def validate(model: type[M], document: Document) -> M:
    """Validate a document against a model.

    Raises:
        InputError: all faults at once, each `file:line:col` with the source line, found, expected
        and a suggestion.
    """
    made, faults, _ = attempt(model, document)
    if made is None:
        raise InputError(faults)
    return made


def attempt(model: type[M], document: Document) -> tuple[M | None, list[Fault], list[KeyPath]]:
    """The model; or None, the faults, and the parts of the document that are to blame."""
    if not isinstance(document.data, dict):
        words = {type(None): "nothing", list: "a list"}
        found = words.get(type(document.data)) or told(document.data)
        return None, [document.fault((), found, "keys and values (`key: value`)")], []
    try:
        # as JSON, so that nothing is converted: "4" and true are no numbers, a list is a tuple
        text = json.dumps(document.data)
        return model.model_validate_json(text, strict=True), [], []
    except ValidationError as error:
        items = _without_echoes(model, document, [_pointed(item) for item in error.errors()])
    paths = [_path_in(document.data, item["loc"]) for item in items]
    faults = [_fault(model, document, item, at) for item, at in zip(items, paths, strict=True)]
    return None, _joined(faults), paths


def _pointed(error: Any) -> Any:
    """An error of pydantic's, moved to the part that its validator names."""
    if error["type"] == "list_type" and error["loc"][-1:] == (LIST,):  # not a key of the document
        return error | {"loc": error["loc"][:-1]}
    path = getattr(error.get("ctx", {}).get("error"), "path", ())
    said = error["input"]
    for part in path:
        said = said.get(part) if isinstance(said, dict) else None
    return error | {"loc": (*error["loc"], *path), "input": said} if path else error


def _joined(faults: list[Fault]) -> list[Fault]:
    """One fault where a value fits none of several forms."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        groups.setdefault((fault.place, fault.found), []).append(fault)
    return [
        replace(same[0], expected=" or ".join(dict.fromkeys(f.expected for f in same)))
        for same in groups.values()
    ]


def _without_echoes(model: type[BaseModel], document: Document, items: list[Any]) -> list[Any]:
    """The errors without those for missing keys of which there is a misspelling."""
    meant: set[KeyPath] = set()
    for item in items:
        if item["type"] == "extra_forbidden":
            *parent, key = _path_in(document.data, item["loc"])
            known = sorted(_fields_at(model, tuple(parent)))
            meant.update((*parent, name) for name in known if did_you_mean(str(key), [name]))
    return [
        item
        for item in items
        if item["type"] != "missing" or _path_in(document.data, item["loc"]) not in meant
    ]


def _fault(model: type[BaseModel], document: Document, error: Any, path: KeyPath) -> Fault:
    kind, key = error["type"], str(error["loc"][-1]) if error["loc"] else ""
    name = ".".join(map(str, path))
    if kind == "extra_forbidden":
        known = sorted(_fields_at(model, path[:-1]))
        hint = did_you_mean(key, known) or f"known here: {', '.join(known)}"
        return document.fault(path, f"unknown key '{name}'", hint=hint, key=True)
    if kind == "missing":
        return document.fault(path, f"'{key}' is missing")
    if key == "[key]":
        at = path[:-1] if path[-1:] == (key,) else path
        if kind == "literal_error":
            known = _choices(error)
            hint = did_you_mean(str(at[-1]), known) or f"known here: {', '.join(known)}"
            return document.fault(
                at, f"unknown key '{'.'.join(map(str, at))}'", hint=hint, key=True
            )
        return document.fault(at, f"the name {told(error['input'])}", expected_of(error), key=True)
    found, hint = f"{name or 'the file'} is {told(error['input'])}", ""
    if kind == "literal_error":
        words = _choices(error)
        hint = did_you_mean(str(error["input"]), words) if len(words) > 1 else ""
    misplaced = isinstance(error.get("ctx", {}).get("error"), Misplaced)
    return document.fault(path, found, expected_of(error), hint, key=misplaced)


def expected_of(error: Any) -> str:
    """The expected value of one of pydantic's errors, in the terms of a manifest."""
    kind, said = error["type"], error.get("ctx", {})
    if kind in EXPECTED:
        forms = {float: "g", int: ","}
        plain = {k: format(v, forms.get(type(v), "")) for k, v in said.items()}
        return EXPECTED[kind].format(**plain)
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(said["pattern"], f"a text like {said['pattern']}")
    return error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")


def _choices(error: Any) -> list[str]:
    """The values of a literal."""
    return re.findall("'([^']*)'", error["ctx"]["expected"])


def _path_in(data: Any, loc: tuple[str | int, ...]) -> KeyPath:
    """Pydantic's location, without the tags of unions, which are not in the file."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            data = data[part]  # type: ignore[index]
            path.append(part)
        elif i == len(loc) - 1 and isinstance(data, dict):
            path.append(part)
    return tuple(path)


def _fields_at(model: type[BaseModel], path: KeyPath) -> set[str]:
    """Names that the models under `path` accept."""
    models: list[type[BaseModel]] = [model]
    for part in (part for part in path if isinstance(part, str)):  # a number is a place in a list
        inner = [
            field.annotation
            for m in models
            for name, field in m.model_fields.items()
            if part in (name, field.alias)
        ]
        models = [found for annotation in inner for found in models_in(annotation)] or models
    return {field.alias or name for m in models for name, field in m.model_fields.items()}


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models that a type annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in models_in(part)]
