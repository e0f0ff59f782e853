"""What a report costs: `zoo report` over 270 simulated trials with 23 evaluations each, three seeds
a cell, two claims; page, figures (SVG, PDF, CSV) and tables are all written.

Makes its store itself by a real `zoo sweep` (a minute or so). Every report is a cold process with a
warm page cache; the best of some runs (the machine may be busy). The last line is one JSON object:
`report_s` and, of user and system time, `report_cpu_s` in seconds, `page_mib` in MiB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

ROOT = Path(sys.path[0])
REPEATS = 3
ZOO = [sys.executable, "-m", "zoo.cli.main"]
MANIFEST = """\
schema: experiment/1
name: large
question: What does a report cost?
recipe: pocket
trainer: simulated
batch: {prompts: 2, num_generations: 4}
grid:
  model: [pocket-qwen2, pocket-llama, pocket-mistral]
  reward: [correctness, box-strict]
  data: [pocket-easy, pocket-medium, pocket-hard]
  grpo.beta: [0, 1e-4, 1e-3, 1e-2, 1e-1]
seeds: [0, 1, 2]
rounds: 20
evaluate:
  watch: {benchmarks: [pocket-easy], problems: 8, every: 2, decodings: [t1.0]}
  full: {benchmarks: [pocket-easy, pocket-hard], problems: 16, at: [0, 10, last]}
claims:
  - id: gains
    says: Every model gains.
    kind: gain
    for_each: [model]
    metric: eval/pocket-easy/acc/t1.0
    expect: {higher_by: 1}
  - id: box
    says: A strict box costs accuracy.
    compare: {reward: [box-strict, correctness]}
    for_each: [model]
    metric: eval/avg2/acc/t1.0
    expect: {lower_by: 0}
"""


def cpu_seconds() -> float:
    """User and system time of all commands so far."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "experiments").mkdir()
        (folder / "experiments/large.yaml").write_text(MANIFEST)
        places = {"ZOO_RUNS": str(folder / "runs"), "ZOO_SWEEPS": str(folder / "sweeps")}
        environment = os.environ | places | {"PYTHONPATH": str(ROOT)}

        def zoo(*words: str) -> tuple[float, float]:
            begun, used = time.perf_counter(), cpu_seconds()
            command = [*ZOO, *words]
            quiet = subprocess.DEVNULL
            subprocess.run(command, cwd=folder, check=True, stdout=quiet, env=environment)
            return time.perf_counter() - begun, cpu_seconds() - used

        zoo("sweep", "large", "--bare")
        found = [zoo("report", "large") for _ in range(REPEATS)]
        page = (folder / "sweeps/large/report.html").stat().st_size
    row = {
        "report_s": min(wall for wall, _ in found),
        "report_cpu_s": min(cpu for _, cpu in found),
        "page_mib": page / 2**20,
    }
    print(json.dumps({key: round(value, 2) for key, value in row.items()}))


if __name__ == "__main__":
    main()
