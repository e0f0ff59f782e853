"""Planning and help import nothing heavy: what they import is counted in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.simulated import write_manifest
from zoo.planning import prompt_lengths
from zoo.planning.options import PlanOptions
from zoo.planning.study import load_study

HEAVY = (
    *("torch", "ray", "trl", "vllm", "mlflow", "sympy", "transformers", "datasets", "rich"),
    *("numpy", "pandas", "pyarrow", "matplotlib", "jinja2", "accelerate", "peft", "math_verify"),
    *("huggingface_hub", "httpx", "tokenizers"),
)
OWN = """
def own(verdicts, completions, params, seed):
    return [float(verdict.correct) for verdict in verdicts]
"""
CODE = """
import sys
from zoo.cli.main import cli
status = cli.main({words!r}, standalone_mode=False)
heavy = sorted({{name.partition(".")[0] for name in sys.modules}} & set({heavy!r}))
assert not heavy, f"imported: {{heavy}}"
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["plan", "tiny.yaml"],
        ["plan", "--json", "tiny.yaml"],
        ["plan", "tiny.yaml", "--set", "trainer=trl"],
        ["status", "tiny.yaml"],
        ["plan", "tiny.yaml", "--reward", "own.py", "--set", "grid.reward=own"],
    ],
)
def test_nothing_heavy_is_imported_and_nothing_is_written(tmp_path: Path, words: list[str]) -> None:
    write_manifest(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    light(tmp_path, words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.py", "tiny.yaml"]


def test_init_and_lists_of_cards_import_nothing_heavy(tmp_path: Path) -> None:
    chosen = ["--model", "pocket-qwen2", "--data", "pocket-easy", "--reward", "correctness"]
    assert "zoo plan experiments/new.yaml" in light(tmp_path, ["init", "new", *chosen])
    assert "cosine" in light(tmp_path, ["rewards", "list"])


def test_plan_reads_measured_prompts_without_a_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    path, sets = write_manifest(tmp_path), ("trainer=trl",)
    made = load_study(str(path), PlanOptions(sets=sets), thorough=True)
    prompt_lengths.measured(made.trials, made)
    told = light(tmp_path, ["plan", "tiny.yaml", "--set", *sets])
    assert "prompts    longest 20 tokens (pocket-easy, pocket-qwen2)" in told


def light(folder: Path, words: list[str]) -> str:
    """Run a command that may import nothing heavy; returns its text."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(words=words, heavy=HEAVY)],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
