"""Single files of git repositories come whole, by their content, and go on where they broke."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support.hub_mirror import Mirror
from zoo.catalog import GitSource
from zoo.data import git
from zoo.data.places import git_file
from zoo.errors import FetchError, InputError

BODY = b'{"problem": "1+1?", "answer": "2"}\n' * 20_000
PLACE = f"own/name/{'c' * 40}/data/test set.jsonl"


def source(body: bytes = BODY) -> GitSource:
    """The file, by its content."""
    sha256 = hashlib.sha256(body).hexdigest()
    said = {"repo": "own/name", "commit": "c" * 40, "path": "data/test set.jsonl"}
    return GitSource.model_validate(said | {"sha256": sha256})


def test_a_file_comes_once_and_keeps_its_suffix(hub: Mirror, tmp_path: Path) -> None:
    hub.raw[PLACE] = BODY
    assert git.fetch(source(), tmp_path) == len(BODY)
    target = git_file(source(), tmp_path)
    assert target.read_bytes() == BODY
    assert target.suffix == ".jsonl"
    assert git.fetch(source(), tmp_path) == 0
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert hub.asked == [f"GET raw/{PLACE}"]


def test_a_download_that_breaks_off_goes_on_where_it_broke(hub: Mirror, tmp_path: Path) -> None:
    hub.raw[PLACE] = BODY
    hub.break_once[f"raw/{PLACE}"] = 300_000
    assert git.fetch(source(), tmp_path) == len(BODY)
    assert git_file(source(), tmp_path).read_bytes() == BODY
    assert hub.asked == [f"GET raw/{PLACE}", f"GET raw/{PLACE} bytes=300000-"]


def test_what_an_earlier_run_left_is_taken_up(hub: Mirror, tmp_path: Path) -> None:
    hub.raw[PLACE] = BODY
    target = git_file(source(), tmp_path)
    target.parent.mkdir()
    part = target.with_name(f"{target.name}.part")
    part.write_bytes(BODY[:1000])
    assert git.fetch(source(), tmp_path) == len(BODY) - 1000
    target.unlink()
    part.write_bytes(BODY + b"too long")
    git.fetch(source(), tmp_path)
    assert target.read_bytes() == BODY


def test_another_content_than_the_cards_is_refused_and_not_kept(
    hub: Mirror, tmp_path: Path
) -> None:
    hub.raw[PLACE] = b"another"
    with pytest.raises(FetchError, match="the card has"):
        git.fetch(source(), tmp_path)
    assert not git_file(source(), tmp_path).exists()
    hub.raw[PLACE] = BODY
    assert git.fetch(source(), tmp_path) == len(BODY)


def test_a_file_that_is_not_there_is_bad_input(hub: Mirror, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        git.fetch(source(), tmp_path)
    assert "no file data/test set.jsonl in own/name at cccccccccccc" in str(caught.value)


def test_without_a_network_it_says_what_to_do(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("ZOO_GIT_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FetchError) as caught:
        git.fetch(source(), empty_home)
    assert "Connection refused" in str(caught.value)
    assert "ZOO_GIT_ENDPOINT" in str(caught.value)
