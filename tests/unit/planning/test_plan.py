"""`zoo.plan`: the plan as objects."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from tests.support.cli import zoo as command
from tests.unit.conftest import Write
from zoo.errors import InputError

SIMULATED = {"trainer": "simulated", "seeds": "[0, 1]"}


def test_plan_of_a_manifest_has_what_the_command_shows(
    write: Write, empty_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(**SIMULATED)
    plan = zoo.plan(path, profile="laptop")
    assert isinstance(plan, zoo.Plan)
    assert (plan.name, len(plan.trials), plan.profile.name) == ("small", 2, "laptop")
    assert plan.left == plan.trials
    assert plan.status.counts["new"] == 2
    shown = json.loads(command("plan", str(path), "--json", "--on", "laptop").text)
    assert [trial["id"] for trial in shown["trials"]] == [trial.id for trial in plan.trials]
    assert [w.id for w in plan.warnings] == [w["id"] for w in shown["warnings"]]
    assert not list(empty_home.glob("runs/*"))


def test_plan_takes_overrides_and_filters(write: Write, empty_home: Path) -> None:
    path = write(**SIMULATED)
    assert {t.rounds for t in zoo.plan(path, overrides=["rounds=7"]).trials} == {7}
    assert [t.seed for t in zoo.plan(path, only=["seed=1"]).trials] == [1]


def test_plan_of_a_faulty_manifest_raises_every_fault(write: Write, empty_home: Path) -> None:
    path = write(recipe="pockt", rounds="0")
    with pytest.raises(InputError, match="pockt"):
        zoo.plan(path)


def test_import_of_zoo_is_light_and_typed() -> None:
    code = "import sys, zoo; assert 'yaml' not in sys.modules; assert callable(zoo.plan)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (Path(zoo.__file__).parent / "py.typed").is_file()
    with pytest.raises(AttributeError, match="no attribute 'plans'"):
        _ = zoo.plans  # type: ignore[attr-defined]
