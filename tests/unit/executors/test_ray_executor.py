"""Where Ray keeps its files; nothing here starts Ray."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from zoo.errors import StateError
from zoo.executors import ray_home
from zoo.executors.ray_home import LONGEST_SOCKET, make_home


@pytest.fixture(autouse=True)
def _no_tmpdir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)  # what Python remembers of TMPDIR


def test_ray_lives_in_tmpdir(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="z", dir="/tmp") as short:
        monkeypatch.setenv("TMPDIR", short)
        home = make_home()
        assert home.parent == Path(short)
        assert home.is_dir()
        monkeypatch.setenv("RAY_TMPDIR", "/tmp")
        other = make_home()
        other.rmdir()
        assert other.parent == Path("/tmp")


def test_ray_lives_elsewhere_where_the_path_of_tmpdir_is_too_long_for_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    home = make_home()
    home.rmdir()
    assert len(f"{home}{LONGEST_SOCKET}") <= 107
    assert list(folder.iterdir()) == []


def test_ray_is_refused_where_every_folder_has_too_long_a_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_home, "SOCKET_BYTES", 60)
    with pytest.raises(StateError, match="RAY_TMPDIR"):
        make_home()
