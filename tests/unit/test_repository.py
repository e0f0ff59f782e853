"""What stands around the code agrees with it: versions, experiments, hooks, citation, forms."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.support.cli import zoo
from zoo import __version__
from zoo.catalog import Catalog, ComputeProfile
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.resources import sweep_cost

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "experiments").glob("*.yaml"))


@cache
def rows() -> dict[str, list[str]]:
    """Manifest -> the other columns of its row in `experiments/README.md`."""
    text = (ROOT / "experiments/README.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| \[`([\w.]+)`\]\(([\w.]+)\.yaml\) \| (.*) \|$", text, re.MULTILINE)
    assert all(name == file for name, file, _ in found)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, _, rest in found}


def test_experiments_readme_has_one_row_a_manifest() -> None:
    assert sorted(rows()) == [path.stem for path in MANIFESTS]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_experiments_readme_row_says_what_the_plan_says(path: Path) -> None:
    question, models, cells, there, hours, wall, _ = rows()[path.stem]
    manifest, catalog = load(path), Catalog()
    trials = expand(manifest, catalog)
    assert question == manifest.experiment.question
    assert int(models) == len({trial.model.name for trial in trials})
    assert (int(cells), int(there)) == (len({repr(t.cell) for t in trials}), len(trials))
    cost = sweep_cost(trials, catalog.get(ComputeProfile, "h100x8"))
    assert cost.wall_hours is not None
    said = [float(n.replace(",", "")) for n in re.findall(r"[\d.,]+", f"{hours} {wall}")]
    planned = (cost.hours.mid, cost.hours.low, cost.hours.high, cost.wall_hours.mid)
    assert said == pytest.approx(planned, rel=0.1)


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None
    assert {project["version"], citation["version"], newest[1]} == {__version__}
    assert zoo("--version").text == f"zoo {__version__}\n"


def test_citation_has_what_the_format_needs_and_names_the_study() -> None:
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(said)
    assert said["cff-version"] == "1.2.0"
    (study,) = said["references"]
    assert {"type", "title", "authors"} <= set(study)
    assert study["identifiers"] == [{"type": "other", "value": "arXiv:2503.18892"}]


def test_hooks_are_local_and_run_what_check_runs() -> None:
    said = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (source,) = said["repos"]
    assert source["repo"] == "local"
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in source["hooks"]:
        assert {"id", "name", "entry", "language"} <= set(hook)
        assert hook["language"] == "system"
        program, command, *_ = hook["entry"].split()
        assert program == ".venv/bin/ruff"
        assert f"$(BIN)/ruff {command}" in make


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_issue_forms_have_what_the_host_needs(path: Path) -> None:
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert set(said) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(said)
    fields = [field["id"] for field in said["body"]]
    assert len(set(fields)) == len(fields)
    assert all(field["attributes"]["label"] for field in said["body"])


def test_contributing_names_paths_and_commands_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|zoo|experiments)/[\w/.-]+)`", text)
    assert len(named) > 10
    assert [name for name in named if "KIND" not in name and not (ROOT / name).exists()] == []
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make (\w+)", text):
        assert re.search(rf"^{target}:", make, re.MULTILINE), target


@pytest.mark.parametrize("path", sorted((ROOT / "tests/bench").glob("*.py")), ids=lambda p: p.stem)
def test_bench_script_leaves_its_folder_out_of_the_path(path: Path) -> None:
    """`tests/bench/statistics.py` would stand before Python's own module."""
    assert "sys.path[0] = " in path.read_text(encoding="utf-8")


def test_names_of_modules_and_classes_are_unique() -> None:
    modules: dict[str, list[str]] = {}
    classes: dict[str, list[str]] = {}
    for file in sorted((ROOT / "zoo").rglob("*.py")):
        place = str(file.relative_to(ROOT))
        if not file.stem.startswith("__"):
            modules.setdefault(file.stem, []).append(place)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(f"{place}:{node.lineno}")
    assert {name: places for name, places in modules.items() if len(places) > 1} == {}
    assert {name: places for name, places in classes.items() if len(places) > 1} == {}


def test_tests_that_the_table_of_faults_names_are_there() -> None:
    page = (ROOT / "docs/explanation/faults.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    files = (ROOT / "tests").rglob("test_*.py")
    there = {name for f in files for name in re.findall(r"def (test_\w+)\(", f.read_text())}
    assert len(named) > 50
    assert named - there == set()
