"""Pairs that a strict marker takes for the same, and pairs that look alike and are not."""

import json
from pathlib import Path

import pytest

from zoo.grading.fast import settle

GOLDEN = Path(__file__).parents[2] / "golden" / "grading_pairs.jsonl"
PAIRS = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair['gold']} | {pair['prediction']}")
def test_the_fast_path_says_what_a_strict_marker_says(pair):
    assert settle(pair["gold"], pair["prediction"])[0].value == pair["verdict"]
