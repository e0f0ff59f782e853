"""How long planning takes as a whole process, beside the bare import of pydantic and yaml.

Runs `zoo --help`, `zoo plan experiments/full_grid.yaml` (270 trials) and a manifest of 10,000
trials, each alternated with `python -c "import pydantic, yaml"`, and prints the best of some runs
(the machine may be busy). The last line is one JSON object: seconds, and ratios to the bare import.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

REPEATS = 7
ROOT = Path(__file__).parents[2]
BARE = [sys.executable, "-c", "import pydantic, yaml"]
LARGE = """\
schema: experiment/1
name: large
question: How long does a plan of 10,000 trials take?
recipe: simplerl-zoo
grid:
  model: [mistral-7b, llama-3.1-8b, deepseek-math-7b, mistral-small-24b, qwen2.5-0.5b,
          qwen2.5-1.5b, qwen2.5-7b, qwen2.5-14b, qwen2.5-32b, qwen2.5-math-7b]
  reward: [correctness, box-graded, box-strict, random, format-only]
  data: [simplerl-easy, simplerl-medium, simplerl-hard, gsm8k-math-easy]
  grpo.beta: [0, 1e-4, 1e-3, 1e-2, 1e-1]
seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
rounds: 100
evaluate:
  watch: {benchmarks: [math500], problems: 200, every: 5}
  full: {benchmarks: [gsm8k, math500, minerva, olympiadbench, aime24, amc23], at: [0, last]}
"""


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of one process; it must succeed."""
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def paired(command: list[str], folder: Path) -> tuple[float, float]:
    """Best times of a command and of the bare import, alternated."""
    ours, bare = [], []
    for _ in range(REPEATS):
        bare.append(seconds(BARE, folder))
        ours.append(seconds(command, folder))
    return min(ours), min(bare)


def main() -> None:
    """Print a table and the JSON line."""
    zoo = [sys.executable, "-m", "zoo.cli.main"]
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "large.yaml").write_text(LARGE, encoding="utf-8")
        cases = {
            "help": [*zoo, "--help"],
            "full_grid": [*zoo, "plan", str(ROOT / "experiments/full_grid.yaml")],
            "trials_10000": [*zoo, "plan", "large.yaml"],
        }
        for name, command in cases.items():
            ours, bare = paired(command, folder)
            figures |= {f"{name}_s": ours, f"{name}_bare_s": bare, f"ratio_{name}": ours / bare}
            print(f"{name:<14} {ours:.3f} s, {ours / bare:.1f} x the bare import ({bare:.3f} s)")
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
