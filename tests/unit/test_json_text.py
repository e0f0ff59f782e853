"""Texts read fast are what the standard library reads, and it says what is wrong with them."""

from __future__ import annotations

import json

import pytest

from zoo import json_text


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, -0.0, 1e-7, 5e-324, 1e400, NaN, null, true], "a b": "\\u00e9\\ud83d\\ude00"}',
        '{"lone": "\\ud800"}',
        '{"twice": 1, "twice": 2}',
        f'{{"large": {10**30}, "exact": 0.1000000000000000055511151231257827}}',
        " [] ",
    ],
)
def test_text_read_fast_is_what_the_standard_library_reads(text: str) -> None:
    assert repr(json_text.parse(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": 1,}', b"{} {}", b'"\xff"'])
def test_text_that_is_broken_is_told_as_the_standard_library_tells_it(raw: bytes) -> None:
    with pytest.raises(ValueError) as ours:
        json_text.parse(raw)
    with pytest.raises(ValueError) as theirs:
        json.loads(raw.decode())
    assert str(ours.value) == str(theirs.value)


NAMES = json_text.Fields("a", "b", required=("id",), unread=("rest",))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"id": 1, "a": [0.1], "c": 2, "rest": {"x": 1}}', {"id": 1, "a": [0.1], "rest": {}}),
        ('{"a": 1}', {"a": 1}),  # lacks what is required: whole
        ('{"id": 1, "rest": 2, "c": 3}', {"id": 1, "rest": 2, "c": 3}),
        ('{"id": "\\ud800", "rest": {}}', {"id": "\ud800", "rest": {}}),
        ("[1]", [1]),
    ],
)
def test_fields_of_an_object_are_read_alone_and_anything_else_whole(
    text: str, found: object
) -> None:
    assert NAMES.parse(text.encode()) == found


@pytest.mark.parametrize("raw", [b'{"id": 1, "rest": {"x": }}', b'{"id": 1', b""])
def test_fields_of_broken_texts_are_not_read(raw: bytes) -> None:
    with pytest.raises(ValueError):
        NAMES.parse(raw)


def test_fields_of_lines_are_read_at_once_only_where_each_line_is_an_object() -> None:
    fields = json_text.Fields("a")
    assert fields.parse_lines(b"") == []
    assert fields.parse_lines(b'{"a": 1, "b": 2}\n{"b": 3}\n') == [{"a": 1}, {}]
    for broken in (
        b'{"a": 1\n"b": 2}\n',
        b'{"a": "x\ny"}\n',
        b'{"a": 1}\n\n',
        b"[1]\n",
        b"{},{}\n",
    ):
        assert fields.parse_lines(broken) is None
