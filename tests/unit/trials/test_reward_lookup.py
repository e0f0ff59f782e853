"""A reward is found by its name: a card, a file, or what a package brings, looked for in that
order."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.conftest import Write
from zoo.catalog import Catalog
from zoo.errors import InputError
from zoo.manifest.load import load
from zoo.planning.expand import expand

GRID = "{{model: pocket-llama, reward: [{}], data: pocket-easy}}"
BROUGHT = """\
PARAMS = {"bonus": 0.25}
VERSION = 2


def brought(verdicts, completions, params, seed):
    return [params["bonus"] for v in verdicts]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with the entry point `brought`; returns a folder for cards."""
    about = tmp_path / "site/brings-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: brings\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[zoo.rewards]\nbrought = brings_another:brought\n")
    (tmp_path / "site/brings_another.py").write_text(BROUGHT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "cards/rewards").mkdir(parents=True)
    yield tmp_path / "cards"
    sys.modules.pop("brings_another", None)


def card(folder: Path, name: str, text: str) -> None:
    (folder / f"rewards/{name}.yaml").write_text(f"schema: reward/1\nname: {name}\n{text}")


def test_a_reward_that_a_package_brings_needs_no_option(write: Write, package: Path) -> None:
    (trial,) = expand(load(write(grid=GRID.format("brought"))), Catalog(package))
    assert trial.identity["reward"]["kind"] == "brought"
    assert trial.identity["reward"]["version"] == 2
    assert trial.reward.code is not None
    assert trial.reward.code.entry == "brought"


def test_a_card_may_be_of_the_kind_that_a_package_brings(write: Write, package: Path) -> None:
    card(package, "much", "kind: brought\nparams: {bonus: 3}\nversion: 5\n")
    (trial,) = expand(load(write(grid=GRID.format("much"))), Catalog(package))
    reward = trial.identity["reward"]
    assert (reward["kind"], reward["params"], reward["version"]) == ("brought", {"bonus": 3}, 5)


def test_a_card_wins_over_what_a_package_brings(write: Write, package: Path) -> None:
    card(package, "brought", "kind: gate\n")
    (trial,) = expand(load(write(grid=GRID.format("brought"))), Catalog(package))
    assert trial.reward.code is None


def test_what_is_installed_is_not_looked_at_while_cards_have_all_names(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "entry_points", None)
    assert len(expand(load(write(grid=GRID.format("correctness, box-gate"))), Catalog())) == 2


def test_a_misspelt_name_is_compared_with_what_packages_bring(write: Write, package: Path) -> None:
    with pytest.raises(InputError, match="unknown reward 'brougt'; did you mean 'brought'"):
        expand(load(write(grid=GRID.format("brougt"))), Catalog(package))


def test_a_card_that_is_wrong_in_form_is_looked_at_for_the_rest_too(
    write: Write, package: Path
) -> None:
    card(package, "wrong", "kind: random\nparams: {q: 0.5}\nneeds_bx: true\nextract: box\n")
    with pytest.raises(InputError) as caught:
        expand(load(write(grid=GRID.format("wrong"))), Catalog(package))
    lines = [fault.place.split(":")[1] for fault in caught.value.faults]
    assert lines == ["4", "5", "6"]
