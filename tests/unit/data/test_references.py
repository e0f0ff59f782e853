"""References graded against themselves: once a set and grader, each failure by its id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.real_data import FOLDER, needs_real_data
from zoo.catalog import DataCard
from zoo.data import references
from zoo.data.problems import digest, load
from zoo.grading import GRADER_VERSION


def card(path: Path, **source: object) -> DataCard:
    """A card of a local file."""
    said = {"schema": "data/1", "name": "mine", "local": {"path": str(path)} | source}
    return DataCard.model_validate(said)


@pytest.fixture
def mine(tmp_path: Path) -> DataCard:
    """Forty problems, one with a reference that no answer can meet."""
    golds = [str(n) for n in range(39)] + [r"\frac{1}{2"]
    rows = [{"problem": f"{n} + 0", "answer": gold} for n, gold in enumerate(golds)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return card(tmp_path / "mine.jsonl")


def test_those_that_fail_are_known_by_id_and_listed_in_the_cache(
    mine: DataCard, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    found = references.check(mine, "abc", cache)
    (bad,) = found.bad
    assert bad.id == load(mine)[39].id
    assert not found.too_many
    assert str(found) == "1 of 40 cannot be graded (2.5%)"
    assert found.file is not None
    assert json.loads(found.file.read_text())["bad"][0]["gold"] == r"\frac{1}{2"
    assert references.known("abc", cache) == found


def test_it_is_done_once_a_set_and_grader(mine: DataCard, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = references.check(mine, "abc", cache)
    Path(str(mine.local and mine.local.path)).unlink()
    assert references.check(mine, "abc", cache) == first  # the problems were not read again
    assert first.file is not None
    said = json.loads(first.file.read_text())
    first.file.write_text(json.dumps(said | {"grader": "0"}))
    assert references.known("abc", cache) is not None
    with pytest.raises(Exception, match="no such file"):
        references.check(mine, "abc", cache)


def test_a_set_whose_digest_is_not_known_is_graded_and_not_kept(
    mine: DataCard, tmp_path: Path
) -> None:
    found = references.check(mine, "unpinned", tmp_path)
    assert (found.n, found.grader, found.file) == (40, GRADER_VERSION, None)
    assert references.known("unpinned", tmp_path) is None


@needs_real_data
def test_worked_solutions_in_place_of_references_are_found_out(tmp_path: Path) -> None:
    path = FOLDER / "raw/gsm8k/test.jsonl"
    columns = {"problem": "question", "answer": "answer"}
    wrong = references.check(card(path, columns=columns), "wrong", tmp_path)
    assert wrong.too_many
    fault = str(wrong.fault("mine"))
    assert "gold:" in fault
    assert str(wrong.file) in fault
    right = card(path, columns=columns, gold="gsm8k")
    assert references.check(right, digest(load(right)), tmp_path).bad == ()
