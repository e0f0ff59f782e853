"""Who may import whom, and that planning imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("torch", "transformers", "trl", "vllm", "ray", "mlflow", "sympy", "math_verify"),
    *("numpy", "pandas", "pyarrow", "datasets", "matplotlib", "jinja2", "accelerate", "peft"),
    *("huggingface_hub", "httpx"),
)
CORE = {"pydantic", "pydantic_core", "yaml", "click", "annotated_types"}
CORE |= {"typing_extensions", "typing_inspection"}

PROBE = """
import json, sys
before = set(sys.modules)
{code}
new = sorted({{name.split('.')[0] for name in set(sys.modules) - before}})
known = {{*sys.stdlib_module_names, 'cython_runtime'}}
print(json.dumps([name for name in new if name not in known and name[0] != '_']))
"""


def imported_by(code: str) -> set[str]:
    """Top-level packages outside the standard library that some code imports in a new process."""
    import json

    command = [sys.executable, "-c", PROBE.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_contracts_between_packages_are_kept() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(
        [*command, "--no-cache"], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "0 broken" in done.stdout


def test_importing_zoo_imports_nothing() -> None:
    assert imported_by("import zoo") <= {"zoo"}


@pytest.mark.parametrize(
    "words", [["--help"], ["plan", "experiments/pocket.yaml"], ["doctor", "--json"]]
)
def test_these_commands_import_the_core_and_nothing_else(words: list[str]) -> None:
    code = f"""
import sys
from zoo.cli.main import main
sys.argv = ['zoo', *{words!r}]
try:
    main()
except SystemExit as stop:
    assert stop.code in (0, None), stop.code
"""
    found = imported_by(code)
    assert not found & set(HEAVY)
    assert found <= CORE | {"zoo"}


@pytest.mark.parametrize(
    "module", ["zoo.grading", "zoo.rewards", "zoo.evals.aggregate", "zoo.runs.sweep_status"]
)
def test_what_planning_and_reports_lean_on_is_light(module: str) -> None:
    assert imported_by(f"import {module}") <= CORE | {"zoo"}
