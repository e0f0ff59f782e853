"""From a YAML document to a pydantic model, with every fault placed in the file and misspelt keys
understood."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from zoo.catalog.strict_yaml import Document, KeyPath
from zoo.errors import Fault, InputError, did_you_mean

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], document: Document) -> M:
    """Validate a document against a model.

    Raises:
        InputError: all faults at once, each `file:line:col` with the source line, found, expected
        and a suggestion.
    """
    if not isinstance(document.data, dict):
        found = "nothing" if document.data is None else f"a {type(document.data).__name__}"
        raise InputError(document.fault((), found, "keys and values (`key: value`)"))
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        items = _without_echoes(model, document, error.errors())
        raise InputError([_fault(model, document, item) for item in items]) from None


def _without_echoes(model: type[BaseModel], document: Document, items: list[Any]) -> list[Any]:
    """The errors less those that a key is missing where a misspelling of it was found."""
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


def _fault(model: type[BaseModel], document: Document, error: Any) -> Fault:
    path = _path_in(document.data, error["loc"])
    kind, key = error["type"], str(error["loc"][-1]) if error["loc"] else ""
    if kind == "extra_forbidden":
        known = sorted(_fields_at(model, path[:-1]))
        hint = did_you_mean(key, known) or f"known here: {', '.join(known)}"
        return document.fault(
            path, f"unknown key '{'.'.join(map(str, path))}'", hint=hint, key=True
        )
    if kind == "missing":
        return document.fault(path, f"'{key}' is missing", error.get("ctx", {}).get("expected", ""))
    found = f"{'.'.join(map(str, path)) or 'the file'} is {_short(error['input'])}"
    return document.fault(
        path, found, error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    )


def _short(value: Any) -> str:
    text = (
        repr(value)
        if not isinstance(value, (dict, list))
        else f"a {'mapping' if isinstance(value, dict) else 'list'}"
    )
    return text if len(text) <= 60 else text[:57] + "..."


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
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in models_in(part)]
