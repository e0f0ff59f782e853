"""Faults come in the order of the file, and values are told in the words of a manifest."""

from __future__ import annotations

import math
import pickle

import pytest

from zoo.errors import Fault, InputError, told


def test_faults_come_file_by_file_and_line_by_line() -> None:
    places = ["b.yaml:10:1", "a.yaml:1:1", "b.yaml:9:20", "--set x=1", "b.yaml:9:3"]
    error = InputError([Fault(place, "wrong") for place in places])
    assert [fault.place for fault in error.faults] == [
        *("b.yaml:9:3", "b.yaml:9:20", "b.yaml:10:1", "a.yaml:1:1", "--set x=1"),
    ]
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (4, "4"),
        (1e-6, "1e-06"),
        (math.inf, "inf"),
        ("4", "'4'"),
        ([0, 1, None], "[0, 1, null]"),
        ({"a": [1], "b": "c"}, "{a: [1], b: c}"),
        ([0] * 40, "a list"),
        ({"a": "x" * 80}, "a mapping"),
        ("x" * 80, "'" + "x" * 56 + "..."),
    ],
)
def test_a_value_is_told_as_a_manifest_would_say_it(value: object, text: str) -> None:
    assert told(value) == text


def test_a_fault_is_one_line_whatever_its_file_is_called() -> None:
    told = str(Fault("/a\n/b\x1b[31m.jsonl:1", "no \ud83d row"))
    assert told == r"/a\n/b\x1b[31m.jsonl:1: no \ud83d row"
