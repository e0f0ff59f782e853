"""JSON texts that zoo wrote itself, read fast: plans and stores of 10,000 trials have many.

pydantic's parser gives what the standard library gives in half the time or less. Where a few fields
of long objects are wanted, making Python values of the rest is most of what reading costs; `Fields`
checks the rest and makes none.
"""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic_core import CoreSchema, SchemaValidator, from_json
from pydantic_core.core_schema import any_schema, list_schema, typed_dict_field, typed_dict_schema


def parse(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: not JSON, or no UTF-8; as `json.loads` says it.
    """
    try:
        return from_json(raw)
    except ValueError:  # the standard library says it better, and knows lone surrogates
        return json.loads(raw.decode("utf-8"))


def as_mapping(value: object) -> dict[str, Any] | None:
    """A value read from JSON if it is an object, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[Any] | None:
    """A value read from JSON if it is an array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def one_or_more(value: object) -> list[Any]:
    """A list as it is, any other value as a list of one."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def unread_object() -> CoreSchema:
    """Schema of a JSON object of which only is checked that it is one; it is read as `{}`."""
    return typed_dict_schema({}, extra_behavior="ignore")


class Fields:
    """Some fields of JSON objects."""

    def __init__(
        self, *optional: str, required: tuple[str, ...] = (), unread: tuple[str, ...] = ()
    ) -> None:
        """`unread`: objects that must be there, and of which nothing is wanted."""
        value, nothing = any_schema(), unread_object()
        fields = {name: typed_dict_field(value, required=False) for name in optional}
        fields |= {name: typed_dict_field(value, required=True) for name in required}
        fields |= {name: typed_dict_field(nothing, required=True) for name in unread}
        row = typed_dict_schema(fields, extra_behavior="ignore")
        self._one = SchemaValidator(row).validate_json
        self._many = SchemaValidator(list_schema(row)).validate_json

    def parse(self, raw: bytes) -> Any:
        """The fields that an object has; the whole value where it is no object, or lacks what is
        required.

        Raises:
            ValueError: as `parse`.
        """
        try:
            return self._one(raw)
        except ValueError:
            return parse(raw)

    def parse_lines(self, whole: bytes) -> list[dict[str, Any]] | None:
        """The fields of the objects of whole lines, one a line; None where that is not what they
        are: the lines one by one say what is wrong."""
        try:
            found = self._many(b"[" + whole[:-1].replace(b"\n", b",\n") + b"]")
        except ValueError:
            return None
        return found if len(found) == whole.count(b"\n") else None
