"""Broken manifests: each gets its whole message, and an editor sees what a schema can see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broken import messages

TOLD = messages.read()


def test_there_are_forty_and_more_and_an_editor_sees_half_of_them() -> None:
    assert len(messages.CASES) >= 40
    assert [case.stem for case in messages.CASES] == list(TOLD)
    assert sum(one.seen_by_schema for one in TOLD.values()) >= 20


@pytest.mark.parametrize("case", messages.CASES, ids=lambda case: case.stem)
def test_a_broken_manifest_gets_its_whole_message_and_writes_nothing(
    case: Path, tmp_path: Path
) -> None:
    """Meant to change? `python -m tests.broken.messages`, and read the diff."""
    before = messages.laid(case, tmp_path)
    status, message = messages.tell(case, tmp_path)
    assert message == TOLD[case.stem].message
    assert status == 2
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("case", messages.CASES, ids=lambda case: case.stem)
def test_an_editor_sees_what_is_marked_so_and_nothing_else(case: Path) -> None:
    assert messages.seen_by_schema(case) is TOLD[case.stem].seen_by_schema


def test_the_table_for_people_is_current() -> None:
    """If not: `python -m tests.broken.messages`."""
    assert messages.README.read_text(encoding="utf-8") == messages.readme(TOLD)
