"""A working folder with a manifest of simulated trials, and one in which they ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import zoo

MANIFEST = """\
schema: experiment/1
name: tiny
question: Does anything happen?
recipe: pocket
trainer: simulated
batch: {prompts: 2, num_generations: 4}
grid:
  model: [pocket-qwen2, pocket-llama]
  reward: [correctness, box-strict]
  data: [pocket-easy]
rounds: 3
overrides:
  - {when: {model: pocket-llama}, set: {grpo.beta: 0.01}, why: it drifts}
evaluate:
  full: {benchmarks: [pocket-easy], problems: 4, at: [0, last]}
claims:
  - id: box
    says: A strict box costs accuracy.
    compare: {reward: [box-strict, correctness]}
    metric: eval/pocket-easy/acc/t0
    expect: {lower_by: 1}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `experiments/tiny.yaml`; nothing has run."""
    for name in ("ZOO_RUNS", "ZOO_SWEEPS", "ZOO_SIMULATE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/tiny.yaml").write_text(MANIFEST)
    return tmp_path


@pytest.fixture
def swept(folder: Path) -> Path:
    """The same folder after `zoo sweep tiny`."""
    assert zoo("sweep", "tiny", "--bare").status == 0
    return folder
