"""How close the orders of a sweep come to the least time that is possible, in simulated time.

Simulates `full_grid.yaml` (270 trials of 1, 4, 8 and 16 GPUs) on 8, 64 and 256 H100 with the cost
model's hours. The last line is one JSON object: hours, the bound and why, and per order the share
above it, idle GPU-hours, and hours until every cell has one trial.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from zoo.planning.plan_report import Plan, plan  # noqa: E402
from zoo.render.plan_simulation import as_data, simulated  # noqa: E402

MANIFEST = Path(__file__).parents[2] / "experiments/full_grid.yaml"


def main() -> None:
    """Measure and print."""
    study, found = plan(MANIFEST, profile="slurm"), {}
    for gpus in (8, 64, 256):
        sized = {"gpus": gpus, "concurrency": gpus}
        begun = time.monotonic()
        data = as_data(simulated(Plan(study.study, study.profile.model_copy(update=sized))))
        found[str(gpus)] = data | {"seconds": round(time.monotonic() - begun, 2)}
        for order, row in data["orders"].items():
            print(f"{gpus:>4} GPUs  {order:<14} {row['over_bound']:7.2%} above the bound")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
