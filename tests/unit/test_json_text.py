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
